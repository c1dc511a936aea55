//! What was changed by hand, at its place on a chart.

use ratatui::layout::Rect;

use crate::interface::pen::Pen;
use crate::interface::text;
use crate::interface::theme::Meaning;
use crate::interface::widgets::window::Window;

/// A change by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The last place on the axis before it.
    pub before: f64,
    /// The first place after it.
    pub after: f64,
    /// What was changed, and from what to what; fit for the screen.
    pub text: String,
}

fn mark(index: usize) -> char {
    char::from(b'a' + (index % 26) as u8)
}

fn dot(change: &Change, window: &Window) -> Option<usize> {
    // A change after step 120 acts on step 121; its line stands between them.
    window.dot(change.before).or_else(|| window.dot(change.after))
}

/// Marks each change with a line and a letter.
pub fn lines(pen: &mut Pen, plot: Rect, changes: &[Change], window: &Window) {
    for (index, change) in changes.iter().enumerate() {
        let Some(dot) = dot(change, window) else { continue };
        let x = plot.x + (dot / 2) as u16;
        pen.fill(Rect { x, width: 1, ..plot }, '┊', Meaning::Pending);
        pen.put(x, plot.y, 1, &mark(index).to_string(), Meaning::Pending);
    }
}

/// Says in the upper right what the marks stand for, the newest last.
pub fn list(pen: &mut Pen, plot: Rect, changes: &[Change], window: &Window) {
    // On a low chart the list would hide the curve; the log has it.
    let room = usize::from(plot.height / 5);
    let seen = changes.iter().enumerate().rev().filter(|(_, change)| dot(change, window).is_some());
    let mut shown: Vec<String> = seen.take(room).map(|(index, at)| format!("{} {}", mark(index), at.text)).collect();
    shown.reverse();
    let width = shown.iter().map(|line| text::width(line)).max().unwrap_or(0).min(plot.width * 2 / 3);
    for (row, line) in (plot.y + 1..).zip(&shown) {
        let x = plot.right() - width;
        pen.fill(Rect { x: x - 1, y: row, width: width + 1, height: 1 }, ' ', Meaning::Text);
        pen.put(x, row, width, line, Meaning::Pending);
    }
}
