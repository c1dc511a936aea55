//! `{% generation %}` blocks, by which a template says what the assistant wrote.
//!
//! They are unknown to the template library, which has a block of the same form: `{% filter … %}`. The filter puts marks
//! around the block's text, which are taken out again once the text is complete.

use std::ops::Range;

/// Name of the filter, which templates do not use.
pub const FILTER: &str = "spartui_generation";

/// Two characters that a text does not hold.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    start: char,
    end: char,
}

impl Mark {
    /// Marks that do not occur in this text.
    pub fn for_text(source: &str) -> Self {
        // Of 65 thousand private characters no sane text holds every second one.
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

    /// The text with marks around it.
    pub fn around(self, text: &str) -> String {
        format!("{}{text}{}", self.start, self.end)
    }

    /// The text without marks, and what was between them, where that is not empty.
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
        spans.retain(|span| !span.is_empty());
        (text, spans)
    }
}

/// Rewrites the blocks; also whether there are any.
pub fn rewrite(source: &str) -> (String, bool) {
    let (mut rewritten, mut rest, mut found) = (String::with_capacity(source.len()), source, false);
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        rewritten.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        let word = tag.trim_start_matches("{%").trim_end_matches("%}").trim_matches(['-', '+']).trim();
        match word {
            "generation" => {
                found = true;
                rewritten.push_str(&tag.replace("generation", &format!("filter {FILTER}")));
            }
            "endgeneration" => rewritten.push_str(&tag.replace("endgeneration", "endfilter")),
            _ => rewritten.push_str(tag),
        }
        rest = after;
    }
    rewritten.push_str(rest);
    (rewritten, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_generation_tags_are_rewritten() {
        let source = "a {%- generation -%} b {% endgeneration %}{% if generation %}{{ generation }}{%+generation%}";
        let (text, found) = rewrite(source);
        let expected = "a {%- filter spartui_generation -%} b {% endfilter %}{% if generation %}{{ generation }}";
        assert_eq!(text, format!("{expected}{{%+filter spartui_generation%}}"));
        assert!(found && !rewrite("{% if add_generation_prompt %}x{% endif %}{%").1);
    }

    #[test]
    fn marks_come_out_again_and_empty_spans_go() {
        let mark = Mark::for_text("\u{f0000} and \u{f0002}");
        assert_eq!(mark.characters(), ['\u{f0003}', '\u{f0004}']);
        let text = format!("é{}{}z{}", mark.around("né"), mark.around(""), mark.around("!"));
        assert_eq!(mark.strip(&text), ("énéz!".into(), vec![2..5, 6..7]));
        assert_eq!(mark.strip("\u{f0004}a\u{f0003}"), ("a".into(), vec![]));
    }
}
