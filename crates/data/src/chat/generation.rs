//! `{% generation %}` blocks, by which a template marks the assistant's text.
//!
//! The template library does not know them, but has a block of the same form: `{% filter … %}`. The filter puts marks
//! around the block's text, which are removed once the text is complete.

use std::ops::Range;

/// Name of the filter; templates do not use it.
pub const FILTER: &str = "spartui_generation";

/// Its name for one of a model's two templates, each of which has its own marks.
pub fn filter_of(with_tools: bool) -> &'static str {
    if with_tools { "spartui_generation_with_tools" } else { FILTER }
}

/// Two characters that do not occur in the text.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    start: char,
    end: char,
}

impl Mark {
    /// Marks that do not occur in this text.
    pub fn for_text(source: &str) -> Self {
        // No realistic text contains every second one of 65 thousand private-use characters.
        let free = ('\u{f0000}'..='\u{fffff}').find(|&start| {
            let end = char::from_u32(start as u32 + 1).unwrap_or(start);
            !source.contains([start, end])
        });
        let start = free.unwrap_or('\u{f0000}');
        Self { start, end: char::from_u32(start as u32 + 1).unwrap_or(start) }
    }

    /// Both characters.
    pub fn characters(self) -> [char; 2] {
        [self.start, self.end]
    }

    /// The text between marks.
    pub fn around(self, text: &str) -> String {
        format!("{}{text}{}", self.start, self.end)
    }

    /// The text without marks, and the spans between them.
    pub fn strip(self, marked: &str) -> (String, Vec<Range<usize>>) {
        let (mut text, mut spans, mut open) = (String::with_capacity(marked.len()), Vec::new(), None);
        for character in marked.chars() {
            if character == self.start {
                open = Some(text.len());
            } else if character == self.end {
                spans.extend(open.take().map(|start| start..text.len()));
            } else {
                text.push(character);
            }
        }
        (text, spans)
    }

    /// The text without marks, and the position of each.
    pub fn places(self, marked: &str) -> (String, Vec<usize>) {
        let (mut text, mut places) = (String::with_capacity(marked.len()), Vec::new());
        for character in marked.chars() {
            if self.characters().contains(&character) { places.push(text.len()) } else { text.push(character) }
        }
        (text, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_out_again() {
        let mark = Mark::for_text("\u{f0000} and \u{f0002}");
        assert_eq!(mark.characters(), ['\u{f0003}', '\u{f0004}']);
        let text = format!("é{}{}z{}", mark.around("né"), mark.around(""), mark.around("!"));
        assert_eq!(mark.strip(&text), ("énéz!".into(), vec![2..5, 5..5, 6..7]));
        assert_eq!(mark.places(&text), ("énéz!".into(), vec![2, 5, 5, 5, 6, 7]));
        assert_eq!(mark.strip("\u{f0004}a\u{f0003}"), ("a".into(), vec![]));
    }
}
