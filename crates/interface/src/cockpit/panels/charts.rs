//! The grid of small charts with the other metrics.

use ratatui::layout::Rect;

use super::loss;
use crate::cockpit::State;
use crate::keys::Panel;
use crate::layout::{split_bottom, split_left, split_top};
use crate::metric::Metric;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::chart::{Chart, Line, Look, Measure};
use crate::widgets::{Facts, nothing};

/// The least size of a chart in the grid, with its title.
const LEAST: (u16, u16) = (24, 5);

/// Splits the area of the large chart into that of the chart and that of the grid below; the latter is empty if there
/// is no room.
#[must_use]
pub fn place(area: Rect) -> (Rect, Rect) {
    let height = if area.height >= 20 { area.height * 2 / 5 } else { 0 };
    split_bottom(area, if area.width < 2 * LEAST.0 { 0 } else { height })
}

/// The areas of the charts inside the panel, row by row.
#[must_use]
pub fn cells(area: Rect) -> Vec<Rect> {
    let columns = (area.width / LEAST.0).clamp(1, 3);
    let rows = (area.height / LEAST.1).clamp(1, 2);
    let (width, height) = (area.width / columns, area.height / rows);
    let place = |at: u16| {
        let (column, row) = (at % columns, at / columns);
        let rest = split_left(area, column * width).1;
        let rest = if column + 1 == columns { rest } else { split_left(rest, width.saturating_sub(1)).0 };
        let rest = split_top(rest, row * height).1;
        if row + 1 == rows { rest } else { split_top(rest, height).0 }
    };
    (0..columns * rows).map(place).collect()
}

/// Draws as many charts as fit; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    if state.span().is_none() {
        nothing(pen, area, "the first step is under way");
        return Facts::new();
    }
    let places = cells(area);
    let focused = state.focus == Panel::Charts;
    // On a small screen only the selected chart fits.
    let first = if places.len() == 1 { state.charts.selected } else { 0 };
    for (at, (place, metric)) in places.iter().zip(state.charts.cells.iter().skip(first)).enumerate() {
        cell(pen, *place, *metric, focused && at + first == state.charts.selected, state);
    }
    Facts::new()
}

fn cell(pen: &mut Pen, area: Rect, metric: Metric, selected: bool, state: &State) {
    let (title, area) = split_top(area, 1);
    let meaning = if selected { Meaning::Selection } else { Meaning::Muted };
    let series = state.history.curve(metric).raw();
    let x = pen.put(title.x, title.y, title.width, metric.title(), meaning);
    if let Some((_, value)) = series.last() {
        let value = metric.unit().value(value);
        let room = title.right().saturating_sub(x);
        // For noisy metrics the header shows a median; this is the last value.
        let last = format!("last {value}");
        let value = if metric.is_noisy() && text::width(&last) < room { last } else { value };
        if text::width(&value) < room {
            pen.put_right(Rect { x, width: room, ..title }, &value, loss::meaning(metric));
        }
    }
    if series.is_empty() {
        nothing(pen, area, "not measured yet");
        return;
    }
    let shape = state.history.curve(metric);
    let line = Line { shape, measure: Measure::Steps, meaning: loss::meaning(metric), look: Look::Whole };
    let Some(span) = state.span() else { return };
    let cursor = state.cursor.map(|cursor| (cursor.step as f64, cursor.anchor.map(|step| step as f64)));
    let mut view = state.view;
    view.log = false;
    let chart =
        Chart { view: &view, extent: span.into(), unit: metric.unit(), lines: vec![line], changes: &[], cursor };
    chart.draw(pen, area);
}
