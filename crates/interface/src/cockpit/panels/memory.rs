//! Memory by owner, now and over time.

use ratatui::layout::Rect;

use crate::cockpit::{OWNERS, State};
use crate::layout::{split_bottom, split_left, split_top};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::axis::Axis;
use crate::widgets::braille::Grid;
use crate::widgets::chart::View;
use crate::widgets::window::Window;
use crate::widgets::{Facts, bar, nothing};
use spartui_facts::protocol::Memory;

/// The least height of the curve.
const CURVE: u16 = 4;

/// Draws bar, table and curve; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    let Some(memory) = &state.memory else {
        nothing(pen, area, "not measured yet");
        return Facts::new();
    };
    let owners = owners(memory, state.ready.as_ref().and_then(|ready| ready.predicted).map(|memory| memory.weights));
    let share = memory.total as f64 / memory.limit.max(1) as f64;
    let (bar_row, rest) = split_top(area, 1);
    let parts: Vec<(u64, Meaning)> = owners.iter().map(|owner| (owner.bytes, owner.meaning)).collect();
    bar::stacked(pen, bar_row, &parts, memory.total);
    let columns: u16 = if area.width >= 52 { 2 } else { 1 };
    let table_rows = (owners.len() as u16).div_ceil(columns);
    let with_curve = rest.height >= table_rows + 2 + CURVE;
    let peak = state.history.peak_memory.max(memory.total);
    let predicted = state.ready.as_ref().and_then(|ready| ready.predicted).map(|memory| memory.total);
    // The limit and the peak matter more than the smallest owners.
    let lines = if predicted.is_some() && rest.height > 3 { 2 } else { 1 };
    let (table, rest) = split_top(rest, table_rows.min(rest.height.saturating_sub(lines)));
    write_owners(pen, table, columns, &owners, memory.total);
    let (limit, rest) = split_top(rest, if rest.height > 1 { 2 } else { 1 });
    if let (Some(predicted), 2) = (predicted, limit.height) {
        pen.put(limit.x, limit.y, limit.width, &text::peaks(peak, predicted), Meaning::Muted);
    }
    if let Some(row) = Pen::rows(limit).next_back() {
        let label = format!("{} of {} ", text::bytes(memory.total), text::bytes(memory.limit));
        let x = pen.put(row.x, row.y, row.width, &label, Meaning::Muted);
        bar::gauge(pen, Rect { x, width: row.right() - x, ..row }, share, bar::gauge_meaning(share));
    }
    if with_curve {
        over_time(pen, split_top(rest, 1).1, state, &owners, predicted);
    }
    vec![
        (text::bytes(memory.total), bar::gauge_meaning(share)),
        (format!("peak {}", text::bytes(peak)), Meaning::Muted),
    ]
}

struct Owner {
    name: &'static str,
    bytes: u64,
    meaning: Meaning,
}

/// The owners of memory. A prediction counts weights whole; of a mapped file only the pages that were read are
/// resident.
fn owners(memory: &Memory, whole: Option<u64>) -> Vec<Owner> {
    let is_read = whole.is_some_and(|whole| memory.weights < whole / 100 * 99);
    let named = |name: &'static str| if name == "weights" && is_read { "weights read" } else { name };
    let owners = memory.owners().into_iter().zip(Meaning::SERIES);
    owners.map(|((name, bytes), meaning)| Owner { name: named(name), bytes, meaning }).collect()
}

fn write_owners(pen: &mut Pen, area: Rect, columns: u16, owners: &[Owner], total: u64) {
    if area.height == 0 {
        return;
    }
    // If not all fit, the smallest are dropped.
    let mut owners: Vec<&Owner> = owners.iter().collect();
    let room = usize::from(area.height * columns);
    if owners.len() > room {
        owners.sort_by_key(|owner| std::cmp::Reverse(owner.bytes));
        owners.truncate(room);
    }
    let width = area.width / columns;
    for (index, owner) in owners.into_iter().enumerate() {
        let index = index as u16;
        let (column, line) = (index / area.height, index % area.height);
        let place = Rect { x: area.x + column * width, y: area.y + line, width: width - (columns - 1), height: 1 };
        let x = pen.put(place.x, place.y, 2, "■ ", owner.meaning);
        pen.put(x, place.y, place.right().saturating_sub(x), owner.name, Meaning::Text);
        let share = owner.bytes as f64 / total.max(1) as f64 * 100.0;
        let share = if owner.bytes > 0 && share < 0.5 { " <1 %".into() } else { format!("{share:>3.0} %") };
        let x = pen.put_right(place, &share, Meaning::Muted);
        let size = Rect { x: place.x + 14, width: x.saturating_sub(place.x + 15), ..place };
        pen.put_right(size, &text::bytes(owner.bytes), Meaning::Text);
    }
}

/// Bytes by owner over the steps, stacked from zero, so that a small fluctuation does not look like a leak; above them
/// the predicted peak.
fn over_time(pen: &mut Pen, area: Rect, state: &State, owners: &[Owner], predicted: Option<u64>) {
    let past = &state.history.owners;
    let Some(span) = past.span().filter(|(first, last)| last > first) else { return };
    let peak = state.history.peak_memory;
    let top = predicted.map_or(peak, |predicted| predicted.max(peak));
    let highest = text::bytes(top);
    let (upper, scale) = split_bottom(area, 1);
    let (labels, plot) = split_left(upper, text::width(&highest) + 1);
    if plot.width < 4 || plot.height < 2 {
        return;
    }
    let label = |y: u16| Rect { y, width: labels.width - 1, height: 1, ..labels };
    pen.put_right(label(plot.y), &highest, Meaning::Axis);
    pen.put_right(label(plot.bottom() - 1), "0", Meaning::Axis);
    let window = Window::new(&View::default(), span, usize::from(plot.width) * 2);
    let rows = usize::from(plot.height) * 4;
    // The owner of each dot, from the top.
    let columns: Vec<Vec<Option<usize>>> = (0..window.dots)
        .map(|dot| {
            let step = window.start + (dot as f64 + 1.0) * window.per_dot - f64::EPSILON;
            let bytes = past.at(step).filter(|_| window.start + dot as f64 * window.per_dot <= span.1 as f64);
            stack(bytes, top, rows)
        })
        .collect();
    for (y, row) in Pen::rows(plot).enumerate() {
        for x in 0..usize::from(plot.width) {
            stacked_cell(pen, (row.x + x as u16, row.y), &columns[x * 2..x * 2 + 2], y * 4, owners);
        }
    }
    if let Some(predicted) = predicted {
        let row = Axis::between(0.0, top as f64).row(predicted as f64, usize::from(plot.height)) as u16;
        line_where_empty(pen, Rect { y: plot.y + row, height: 1, ..plot }, " predicted ");
    }
    let scale = Rect { x: plot.x, width: plot.width, ..scale };
    pen.put(scale.x, scale.y, scale.width, &format!("step {}", span.0), Meaning::Axis);
    pen.put_right(scale, &span.1.to_string(), Meaning::Axis);
}

/// The owner of each dot of a column, the highest dot first.
fn stack(bytes: Option<&[u64; OWNERS]>, top: u64, rows: usize) -> Vec<Option<usize>> {
    let mut column = vec![None; rows];
    let Some(bytes) = bytes else { return column };
    let (mut sum, mut filled) = (0u64, 0);
    for (owner, bytes) in bytes.iter().enumerate() {
        sum = sum.saturating_add(*bytes);
        let height = ((sum as f64 / top.max(1) as f64 * rows as f64).round() as usize).min(rows);
        for dot in column.iter_mut().rev().take(height).skip(filled) {
            *dot = Some(owner);
        }
        filled = filled.max(height);
    }
    column
}

/// Two columns of four dots as one cell, in the colour of the owner that has most of the dots.
fn stacked_cell(pen: &mut Pen, (x, y): (u16, u16), columns: &[Vec<Option<usize>>], from: usize, owners: &[Owner]) {
    let mut grid = Grid::new(Rect::new(0, 0, 1, 1));
    let mut counts = [0u8; OWNERS];
    for (column, dots) in columns.iter().enumerate() {
        for (row, owner) in dots[from..from + 4].iter().enumerate() {
            if let Some(owner) = owner {
                grid.dot(column, row);
                counts[*owner] += 1;
            }
        }
    }
    let most = (0..OWNERS).rev().max_by_key(|owner| counts[*owner]).unwrap_or(0);
    if counts[most] > 0 {
        let meaning = owners.get(most).map_or(Meaning::Envelope, |owner| owner.meaning);
        grid.paint(pen, Rect::new(x, y, 1, 1), meaning);
    }
}

/// Draws a line through the empty cells of a row, with a word at its right end.
fn line_where_empty(pen: &mut Pen, row: Rect, word: &str) {
    let row = row.intersection(pen.buffer.area);
    for x in row.left()..row.right() {
        if pen.buffer.cell((x, row.y)).is_some_and(|cell| cell.symbol() == " ") {
            pen.put(x, row.y, 1, "╌", Meaning::Pending);
        }
    }
    let width = text::width(word);
    if row.width > width + 8 {
        pen.put(row.right() - width - 2, row.y, width, word, Meaning::Pending);
    }
}
