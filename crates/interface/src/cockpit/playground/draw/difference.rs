//! The texts of both models, with their differences marked.

use ratatui::layout::Rect;

use crate::cockpit::Reply;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_facts::protocol::Side;

/// The most words that are compared; the rest is shown unmarked.
const WORDS: usize = 600;

/// Draws one side from a line on.
pub fn draw(pen: &mut Pen, area: Rect, side: Side, reply: &Reply, scroll: usize) {
    let [base, adapted] = [0, 1].map(|at| words(&reply.written[at]));
    let compared = reply.no_base.is_none() && !base.is_empty() && !adapted.is_empty();
    let [in_base, in_adapted] = common(&base, &adapted);
    let (words, shared, alone) = match side {
        Side::Base => (base, in_base, Meaning::Warn),
        Side::Adapted => (adapted, in_adapted, Meaning::Applied),
    };
    let marked = words.iter().enumerate().map(|(at, word)| {
        let is_shared = !compared || shared.get(at).copied().unwrap_or(true);
        (*word, if is_shared { Meaning::Text } else { alone })
    });
    let lines = lines(marked, area.width);
    let first = scroll.min(lines.len().saturating_sub(usize::from(area.height)));
    for (row, line) in Pen::rows(area).zip(&lines[first..]) {
        pen.pieces(row, line.iter().map(|(piece, meaning)| (piece.as_str(), *meaning)));
    }
}

/// A text in words, each with the spaces after it.
fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

/// The words of each text that belong to the longest common subsequence.
fn common(a: &[&str], b: &[&str]) -> [Vec<bool>; 2] {
    let (a, b) = (&a[..a.len().min(WORDS)], &b[..b.len().min(WORDS)]);
    let same = |a: &str, b: &str| a.trim_end() == b.trim_end();
    // Length of the longest common subsequence of the rest after each pair of positions.
    let width = b.len() + 1;
    let mut longest = vec![0u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if same(a[i], b[j]) {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut in_a, mut in_b) = (vec![false; a.len()], vec![false; b.len()]);
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if same(a[i], b[j]) {
            (in_a[i], in_b[j]) = (true, true);
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    [in_a, in_b]
}

type Line = Vec<(String, Meaning)>;

/// Marked words in lines of this width; line breaks of the text are kept.
fn lines<'a>(words: impl Iterator<Item = (&'a str, Meaning)>, width: u16) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    let mut used = 0;
    for (word, meaning) in words {
        let (bare, breaks) = match word.strip_suffix('\n') {
            Some(bare) => (bare, true),
            None => (word, false),
        };
        let shown = text::safe_text(bare);
        let cells = text::width(shown.trim_end());
        if used > 0 && used + cells > width {
            lines.push(Line::new());
            used = 0;
        }
        // A word wider than a line is split.
        for piece in text::wrap(&shown.replace(' ', "\u{a0}"), width) {
            let piece = piece.replace('\u{a0}', " ");
            if used > 0 && used + text::width(piece.trim_end()) > width {
                lines.push(Line::new());
                used = 0;
            }
            used += text::width(&piece);
            let Some(line) = lines.last_mut() else { continue };
            match line.last_mut() {
                Some((run, same)) if *same == meaning => run.push_str(&piece),
                _ => line.push((piece, meaning)),
            }
        }
        if breaks {
            lines.push(Line::new());
            used = 0;
        }
    }
    // A trailing space would exceed the line's width.
    for last in lines.iter_mut().filter_map(|line| line.last_mut()) {
        last.0.truncate(last.0.trim_end().len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_side_only_are_marked() {
        let [in_a, in_b] = common(&words("the cat sat on the mat"), &words("the dog sat on a mat "));
        assert_eq!(in_a, [true, false, true, true, false, true]);
        assert_eq!(in_b, [true, false, true, true, false, true]);
        assert_eq!(common(&[], &words("a b")), [vec![], vec![false; 2]]);
    }

    #[test]
    fn lines_break_at_words_and_at_the_texts_own_ends() {
        let shown = |text: &str, width| -> Vec<String> {
            let lines = lines(words(text).into_iter().map(|word| (word, Meaning::Text)), width);
            lines.into_iter().map(|line| line.into_iter().map(|(piece, _)| piece).collect::<String>()).collect()
        };
        assert_eq!(shown("one two three", 8), ["one two", "three"]);
        assert_eq!(shown("a\nb", 8), ["a", "b"]);
        assert_eq!(shown("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(shown("\x1b[2J漢字", 40), ["\\u{1b}[2J漢字"]);
    }
}
