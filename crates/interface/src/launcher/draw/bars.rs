//! Small curves and distributions.

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::theme::Meaning;

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Vertical bars over several rows, one per column; no value is a gap, and any other one is visible.
pub fn draw(pen: &mut Pen, area: Rect, values: &[Option<f64>], meaning: Meaning) {
    let eighths = u32::from(area.height) * 8;
    for (x, value) in (area.x..area.right()).zip(values) {
        let Some(value) = value.filter(|value| value.is_finite()) else { continue };
        let filled = ((value.clamp(0.0, 1.0) * f64::from(eighths)).round() as u32).max(1);
        for (row, y) in (area.y..area.bottom()).rev().enumerate() {
            let left = filled.saturating_sub(row as u32 * 8).min(8);
            pen.fill(Rect::new(x, y, 1, 1), EIGHTHS[left as usize], meaning);
        }
    }
}

/// Counts as fractions of the largest one.
#[must_use]
pub fn shares(counts: &[usize]) -> Vec<Option<f64>> {
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    counts.iter().map(|&count| (count > 0).then_some(count as f64 / most)).collect()
}

/// As many values as columns, each the sum of the counts in its range.
#[must_use]
pub fn fitted(counts: &[usize], columns: u16) -> Vec<usize> {
    let columns = usize::from(columns).min(counts.len());
    (0..columns)
        .map(|column| counts[column * counts.len() / columns..(column + 1) * counts.len() / columns].iter().sum())
        .collect()
}
