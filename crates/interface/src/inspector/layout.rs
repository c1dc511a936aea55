//! The layout of the inspector, used by drawing and mouse alike.

use ratatui::layout::Rect;

use super::Inspector;
use crate::layout::{SMALLEST, split_bottom, split_left, split_top};
use crate::metric::Metric;

/// The least size of a chart, with its border.
const LEAST: (u16, u16) = (36, 9);

/// The areas of the screen.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// The header: what is shown, and how.
    pub header: Rect,
    /// The list of runs; empty if a chart fills the screen.
    pub runs: Rect,
    /// The list of metrics.
    pub metrics: Rect,
    /// The charts.
    pub charts: Vec<(Rect, Metric)>,
    /// The latest notice, or the values at the cursor.
    pub strip: Rect,
    /// Key hints.
    pub footer: Rect,
}

/// The layout for this terminal size; none if it is too small.
#[must_use]
pub fn arrange(inspector: &Inspector) -> Option<Layout> {
    let (width, height) = inspector.env.size;
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let (header, rest) = split_top(Rect::new(0, 0, width, height), 1);
    let (rest, footer) = split_bottom(rest, 1);
    let (body, strip) = split_bottom(rest, 1);
    let list = if inspector.maximised { 0 } else { (width * 28 / 100).clamp(24, 46) };
    let (list, area) = split_left(body, list);
    let metrics = (metrics().count() as u16 + 2).min(list.height / 2);
    let (runs, metrics) = split_bottom(list, metrics);
    Some(Layout { header, runs, metrics, charts: charts(inspector, area), strip, footer })
}

/// The metrics in a run's files.
pub fn metrics() -> impl Iterator<Item = Metric> {
    Metric::ALL.into_iter().filter(|metric| *metric != Metric::Memory)
}

/// The areas of the charts: of all, in columns that give each a good width; or of one, if all would be too small.
fn charts(inspector: &Inspector, area: Rect) -> Vec<(Rect, Metric)> {
    let shown: Vec<Metric> = metrics().filter(|metric| inspector.charts.contains(metric)).collect();
    let count = shown.len() as u16;
    let rows = |columns: u16| count.div_ceil(columns);
    let fits = |columns: &u16| area.width / columns >= LEAST.0 && area.height / rows(*columns) >= LEAST.1;
    let ratio = |columns: &u16| {
        let (width, height) = (area.width / columns, area.height / rows(*columns));
        ((f64::from(width) / f64::from(height)) / 4.0).ln().abs()
    };
    let columns = (1..=count).filter(fits).min_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let Some(columns) = columns.filter(|_| !inspector.maximised && count > 1) else {
        return vec![(area, inspector.chart)];
    };
    let rows = rows(columns);
    let edge = |length: u16, parts: u16, at: u16| (u32::from(length) * u32::from(at) / u32::from(parts)) as u16;
    let place = |at: u16| {
        let (row, column) = (at / columns, at % columns);
        let (left, top) = (edge(area.width, columns, column), edge(area.height, rows, row));
        // The last row may have fewer charts; they share its width.
        let alone = if row + 1 == rows { count - row * columns } else { columns };
        let left = if alone < columns { edge(area.width, alone, column) } else { left };
        let right = edge(area.width, alone, column + 1);
        let bottom = edge(area.height, rows, row + 1);
        Rect::new(area.x + left, area.y + top, right - left, bottom - top)
    };
    (0..count).map(place).zip(shown).collect()
}

/// Approximate columns of dots of the focused chart.
#[must_use]
pub fn dots(inspector: &Inspector) -> usize {
    let layout = arrange(inspector).unwrap_or_default();
    let place = layout.charts.iter().find(|(_, metric)| *metric == inspector.chart).or(layout.charts.first());
    usize::from(place.map_or(100, |(area, _)| area.width.saturating_sub(9))) * 2
}
