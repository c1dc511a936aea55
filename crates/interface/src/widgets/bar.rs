//! Bars with a resolution of an eighth of a cell.

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::theme::Meaning;

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A gauge filled up to a share of its length; any share above zero is visible.
pub fn gauge(pen: &mut Pen, row: Rect, share: f64, meaning: Meaning) {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let least = u16::from(share > 0.0);
    let filled = ((f64::from(row.width) * share).round() as u16).max(least).min(row.width);
    pen.fill(Rect { height: row.height.min(1), ..row }, '─', Meaning::Border);
    pen.fill(Rect { width: filled, height: row.height.min(1), ..row }, '━', meaning);
}

/// The style of a gauge, by how close it is to its limit.
#[must_use]
pub fn gauge_meaning(share: f64) -> Meaning {
    match share {
        share if share >= 0.9 => Meaning::GaugeHigh,
        share if share >= 0.7 => Meaning::GaugeMid,
        _ => Meaning::GaugeLow,
    }
}

/// One vertical bar for each share, 0 to 1; any share above zero is visible.
#[must_use]
pub fn uprights(shares: impl IntoIterator<Item = f64>) -> String {
    let symbol = |share: f64| {
        let eighths = (share.clamp(0.0, 1.0) * 8.0).round() as usize;
        EIGHTHS[if share > 0.0 { eighths.max(1) } else { 0 }]
    };
    shares.into_iter().map(symbol).collect()
}

/// A row divided among parts in proportion to their sizes; a part above zero gets at least one cell, as long as there
/// are cells.
pub fn stacked(pen: &mut Pen, row: Rect, parts: &[(u64, Meaning)], whole: u64) {
    let mut x = row.x;
    let mut sum = 0u64;
    for &(size, meaning) in parts.iter().filter(|(size, _)| *size > 0) {
        sum = sum.saturating_add(size);
        let end = (sum as f64 / whole.max(1) as f64 * f64::from(row.width)).round() as u16;
        let end = (row.x + end.min(row.width)).max(x + 1).min(row.right());
        pen.fill(Rect { x, width: end.saturating_sub(x), height: 1, ..row }, '█', meaning);
        x = end;
    }
    pen.fill(Rect { x, width: row.right().saturating_sub(x), height: 1, ..row }, '░', Meaning::Border);
}
