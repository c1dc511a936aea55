//! Precision and recall of each label, and the confusion matrix.

use ratatui::layout::Rect;

use crate::layout::split_top;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_facts::protocol::{Class, Confusion};

/// Widths of a label's name, and of each number.
const LABEL: u16 = 20;
const NUMBER: u16 = 10;
/// The least width of a column of the matrix: wider columns show whole labels, if all fit.
const CELL: u16 = 7;

/// Draws a row for each label, and below them the matrix, if all of it fits; else the worst labels first, and the most
/// frequent mistakes.
pub fn draw(pen: &mut Pen, area: Rect, confusion: &Confusion) {
    let mut classes = confusion.classes();
    let all = classes.len();
    // Heading, mean, and title and heading of what follows.
    let room = usize::from(area.height.saturating_sub(6)).max(1);
    let shown = if all * 2 + 6 <= usize::from(area.height) { all } else { room.div_ceil(2).max(3).min(all) };
    let title = if shown < all {
        classes.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        format!("the {shown} of {all} labels with the lowest F1, step {}", confusion.step)
    } else {
        format!("labels, step {}", confusion.step)
    };
    let (top, rest) = split_top(area, u16::try_from(shown + 3).unwrap_or(u16::MAX).min(area.height));
    let mut rows = Pen::rows(top);
    if let Some(row) = rows.next() {
        pen.put(row.x, row.y, row.width, &title, Meaning::Muted);
    }
    if let Some(row) = rows.next() {
        cells(pen, row, "", ["precision", "recall", "F1", "rows"].map(str::to_owned), Meaning::Muted);
    }
    for (row, class) in rows.by_ref().take(shown).zip(&classes) {
        cells(pen, row, &class.label, numbers(class), Meaning::Text);
    }
    if let Some(row) = rows.next() {
        let mean = confusion.macro_mean();
        let shares = [mean.precision, mean.recall, mean.f1].map(text::percent);
        let [precision, recall, f1] = shares;
        cells(pen, row, "mean of the labels", [precision, recall, f1, confusion.rows().to_string()], Meaning::Title);
    }
    let rest = split_top(rest, 1).1;
    if rest.height < 2 {
        return;
    }
    let columns = usize::from(rest.width.saturating_sub(LABEL) / CELL);
    if all <= columns && all + 2 <= usize::from(rest.height) {
        matrix(pen, rest, confusion);
    } else {
        mistakes(pen, rest, confusion);
    }
}

fn numbers(class: &Class) -> [String; 4] {
    let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(text::percent);
    [precision, recall, f1, class.rows.to_string()]
}

fn cells(pen: &mut Pen, row: Rect, label: &str, numbers: [String; 4], meaning: Meaning) {
    let room = LABEL.min(row.width);
    pen.put(row.x, row.y, room, &text::truncate(&text::safe_text(label), room), meaning);
    for (x, number) in (row.x + LABEL..).step_by(usize::from(NUMBER)).zip(numbers) {
        if x + NUMBER <= row.right() {
            pen.put_right(Rect { x, width: NUMBER, ..row }, &number, meaning);
        }
    }
}

/// Draws the confusion matrix.
fn matrix(pen: &mut Pen, area: Rect, confusion: &Confusion) {
    let mut rows = Pen::rows(area);
    let name = |label: &str, room: u16| text::truncate(&text::safe_text(label), room);
    if let Some(row) = rows.next() {
        pen.put(row.x, row.y, row.width, "confusion matrix: label (left), prediction (above)", Meaning::Muted);
    }
    let longest = confusion.labels.iter().map(|label| text::width(&text::safe_text(label))).max().unwrap_or(0);
    let room = area.width.saturating_sub(LABEL) / u16::try_from(confusion.labels.len()).unwrap_or(u16::MAX).max(1);
    let cell = room.min(longest.saturating_add(2)).max(CELL);
    let column = |at: usize, row: Rect| Rect { x: row.x + LABEL + cell * at as u16, width: cell, ..row };
    if let Some(row) = rows.next() {
        for (at, label) in confusion.labels.iter().enumerate() {
            pen.put_right(column(at, row), &name(label, cell - 1), Meaning::Muted);
        }
    }
    let counts = confusion.matrix();
    for (row, (place, (label, counts))) in rows.zip(confusion.labels.iter().zip(&counts).enumerate()) {
        pen.put(row.x, row.y, LABEL, &name(label, LABEL), Meaning::Text);
        for (at, count) in counts.iter().enumerate() {
            let meaning = match (at == place, count) {
                (true, _) => Meaning::Ok,
                (false, 0) => Meaning::Muted,
                (false, _) => Meaning::Warn,
            };
            pen.put_right(column(at, row), &count.to_string(), meaning);
        }
    }
}

fn mistakes(pen: &mut Pen, area: Rect, confusion: &Confusion) {
    let mut rows = Pen::rows(area);
    let mistakes = confusion.mistakes();
    if let Some(row) = rows.next() {
        let title = if mistakes.is_empty() { "no mistakes" } else { "most frequent mistakes" };
        pen.put(row.x, row.y, row.width, title, Meaning::Muted);
    }
    for (row, (label, given, count)) in rows.zip(mistakes) {
        let label = text::safe_text(label);
        let line = format!("{count:>6}  {label} predicted as {}", text::safe_text(given));
        pen.put(row.x, row.y, row.width, &text::truncate(&line, row.width), Meaning::Text);
    }
}
