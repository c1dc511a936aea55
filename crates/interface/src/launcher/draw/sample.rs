//! A sample of a file of rows.

use ratatui::layout::Rect;

use super::plan::share_line;
use crate::layout::split_top;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_data::{Sample, SampledColumn};

/// The most values of a column that are shown.
const VALUES: usize = 6;

/// The content of a file: its columns, the values of possible labels, its first rows.
pub fn whole(pen: &mut Pen, area: Rect, sample: &Sample) {
    let mut rest = area;
    let mut line = |pen: &mut Pen, said: &str, meaning: Meaning| {
        let (row, below) = split_top(rest, 1);
        if row.height > 0 {
            pen.put(row.x, row.y, row.width, said, meaning);
        }
        rest = below;
    };
    let more = if sample.whole { "" } else { "more than " };
    let bad = if sample.bad > 0 { format!(", {} that cannot be read", sample.bad) } else { String::new() };
    line(pen, &format!("{more}{} rows, {} columns{bad}", sample.count, sample.columns.len()), Meaning::Title);
    if let Some((number, why)) = &sample.first_bad {
        line(pen, &format!("line {number} {}", text::safe_text(why)), Meaning::Warn);
    }
    if let Some(how) = &sample.read_as {
        for said in text::wrap(&text::safe_text(how), area.width) {
            line(pen, &said, Meaning::Muted);
        }
    }
    let labels =
        |column: &&SampledColumn| column.values.as_ref().is_some_and(|values| values.len() * 2 <= sample.count);
    for column in sample.columns.iter().filter(labels).take(2) {
        let Some(values) = &column.values else { continue };
        // Leaves room for the rows.
        if rest.height < 8 {
            break;
        }
        let (row, below) = split_top(rest, 1);
        pen.put(row.x, row.y, row.width, &text::safe_text(&column.name), Meaning::Series2);
        rest = below;
        let room = usize::from(rest.height.saturating_sub(6)).min(VALUES);
        for (value, count) in values.iter().take(room) {
            let (row, below) = split_top(rest, 1);
            let share = *count as f64 / sample.count.max(1) as f64;
            let name = format!(" {}", text::safe_text(value));
            share_line(pen, row, &name, share, &count.to_string(), Meaning::Text);
            rest = below;
        }
        if values.len() > room {
            let (row, below) = split_top(rest, 1);
            pen.put(row.x, row.y, row.width, &format!(" and {} values more", values.len() - room), Meaning::Muted);
            rest = below;
        }
    }
    rows(pen, split_top(rest, 1).1, sample);
}

/// The first rows as a table, each column as wide as needed and possible.
pub fn rows(pen: &mut Pen, area: Rect, sample: &Sample) {
    if area.height < 2 || area.width < 8 {
        return;
    }
    let widths = widths(sample, area.width);
    let (head, body) = split_top(area, 1);
    let cells = |pen: &mut Pen, row: Rect, texts: &mut dyn Iterator<Item = &str>, meaning: Meaning| {
        let mut x = row.x;
        for (text, width) in texts.zip(&widths) {
            if x >= row.right() {
                break;
            }
            pen.put(x, row.y, (*width).min(row.right() - x), &text::safe_text(text), meaning);
            x += width + 2;
        }
    };
    cells(pen, head, &mut sample.columns.iter().map(|column| column.name.as_str()), Meaning::Muted);
    for (row, texts) in Pen::rows(body).zip(&sample.rows) {
        cells(pen, row, &mut texts.iter().map(String::as_str), Meaning::Text);
    }
}

/// The widths of the columns: narrow ones in full, the wide ones share the rest.
fn widths(sample: &Sample, room: u16) -> Vec<u16> {
    let widest = |at: usize, name: &str| {
        let cells = sample.rows.iter().filter_map(|row| row.get(at));
        cells.map(|text| text::width(text)).max().unwrap_or(0).max(text::width(name)).min(400)
    };
    let wanted: Vec<u16> = sample.columns.iter().enumerate().map(|(at, column)| widest(at, &column.name)).collect();
    let gaps = 2 * (wanted.len().saturating_sub(1).min(200) as u16);
    let mut left = room.saturating_sub(gaps);
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&at| wanted[at]);
    let mut widths = vec![0; wanted.len()];
    for (done, at) in order.iter().copied().enumerate() {
        let fair = left / (wanted.len() - done).min(usize::from(u16::MAX)) as u16;
        widths[at] = wanted[at].min(fair.max(4));
        left = left.saturating_sub(widths[at]);
    }
    widths
}
