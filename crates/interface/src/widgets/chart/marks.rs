//! Changes by hand, at their positions on a chart.

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::window::Window;
use spartui_facts::protocol::Intervention;

/// A change by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The last position on the axis before it.
    pub before: f64,
    /// The first position after it.
    pub after: f64,
    /// The field and its values, with control characters escaped.
    pub text: String,
}

/// A change by hand on a chart over steps.
#[must_use]
pub fn change(change: &Intervention) -> Change {
    let field = change.field.split_once('.').map_or(change.field.as_str(), |(_, name)| name);
    let (from, to) = (text::value(&change.from), text::value(&change.to));
    let text = format!("{} {} {from} → {to}", change.step, text::safe_text(field));
    Change { before: change.step as f64, after: change.step as f64 + 1.0, text }
}

fn mark(index: usize) -> char {
    char::from(b'a' + (index % 26) as u8)
}

fn dot(change: &Change, window: &Window) -> Option<usize> {
    // A change after step 120 acts on step 121; its line is between them.
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

/// Lists the changes at the marks, the newest last: at the upper right, or where no line runs. If no place is free,
/// fewer are listed or none: the log has them all.
pub fn list(pen: &mut Pen, plot: Rect, changes: &[Change], window: &Window) {
    let room = usize::from(plot.height / 5);
    let seen = changes.iter().enumerate().rev().filter(|(_, change)| dot(change, window).is_some());
    let mut shown: Vec<String> = seen.take(room).map(|(index, at)| format!("{} {}", mark(index), at.text)).collect();
    shown.reverse();
    while !shown.is_empty() {
        if let Some(place) = free(pen, plot, &shown) {
            let lines = Rect { x: place.x + 1, width: place.width - 2, ..place };
            pen.fill(place, ' ', Meaning::Text);
            for (row, line) in Pen::rows(lines).zip(&shown) {
                pen.put(row.x, row.y, row.width, line, Meaning::Pending);
            }
            return;
        }
        shown.remove(0);
    }
}

/// A place for these lines, with a blank cell at both ends, that covers only the grid.
fn free(pen: &Pen, plot: Rect, lines: &[String]) -> Option<Rect> {
    let width = lines.iter().map(|line| text::width(line)).max()? + 2;
    let height = u16::try_from(lines.len()).ok()?;
    // The letters of the marks are in the first row.
    let last = plot.bottom().checked_sub(height)?;
    let most = plot.width.checked_sub(width)?;
    let columns = [most, 0, most / 2];
    let mut places = (plot.y + 1..=last).flat_map(|y| columns.map(|x| Rect { x: plot.x + x, y, width, height }));
    places.find(|place| is_free(pen, *place))
}

fn is_free(pen: &Pen, place: Rect) -> bool {
    place.positions().all(|position| {
        pen.buffer.cell(position).is_some_and(|cell| matches!(cell.symbol(), " " | "┈" | "┊" | "\u{2800}"))
    })
}
