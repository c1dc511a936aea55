//! A dialog with a question, its answers and their keys.

use ratatui::layout::Rect;

use crate::layout::centred;
use crate::pen::Pen;
use crate::theme::Meaning;

/// A question with its answers.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The title, with a blank at both ends.
    pub title: &'a str,
    /// The style of frame and title.
    pub meaning: Meaning,
    /// Width of the box.
    pub width: u16,
    /// Whether to put an empty row above the lines, if there is room.
    pub roomy: bool,
    /// The question, line by line.
    pub lines: Vec<(String, Meaning)>,
    /// Each answer after its key.
    pub answers: Vec<(String, &'a str)>,
    /// Columns before the keys, and width of the keys.
    pub keys: (u16, u16),
}

impl Question<'_> {
    /// Draws the dialog in the middle of the screen.
    pub fn draw(&self, pen: &mut Pen, screen: Rect) {
        let (lines, answers) = (self.lines.len() as u16, self.answers.len() as u16);
        let place = centred(screen, self.width, lines + answers + 3 + u16::from(self.roomy));
        let inner = pen.frame(place, self.meaning);
        pen.put(place.x + 2, place.y, place.width.saturating_sub(4), self.title, self.meaning);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let mut rows = Pen::rows(inner).skip(usize::from(self.roomy));
        for ((line, meaning), row) in self.lines.iter().zip(rows.by_ref()) {
            pen.put(row.x, row.y, row.width, line, *meaning);
        }
        // The answers take precedence over the empty row above them.
        let gap = !self.roomy || inner.height > answers + lines + 1;
        let (indent, width) = self.keys;
        for (row, (key, answer)) in rows.skip(usize::from(gap)).zip(&self.answers) {
            let used = indent + width + 1;
            pen.put(row.x + indent, row.y, width, key, Meaning::Key);
            pen.put(row.x + used, row.y, row.width.saturating_sub(used), answer, Meaning::Text);
        }
    }
}
