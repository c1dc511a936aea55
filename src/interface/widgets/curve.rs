//! A thinned series on a grid of dots.

use super::axis::Axis;
use super::braille::Grid;
use super::window::Window;
use crate::series::{Column, Series};

/// Draws columns: upright from the smallest to the largest value, joined from last to first, but never over a gap.
/// What lies wholly above the axis is a gap too, not a line along the edge.
pub fn trace(grid: &mut Grid, series: &Series, columns: &[Option<Column>], window: &Window, axis: &Axis) {
    let rows = grid.size().1;
    let gaps = series.gaps_in_columns(window.start, window.per_dot, window.dots);
    let mut before: Option<(usize, usize)> = None;
    for (x, (column, gaps)) in columns.iter().zip(gaps).enumerate() {
        if gaps > 0 {
            before = None;
        }
        let Some(column) = column else { continue };
        if axis.is_above(column.min) {
            before = None;
            continue;
        }
        let row = |value: f64| axis.row(value, rows);
        if let Some(before) = before {
            grid.line(before, (x, row(column.first)));
        }
        grid.vertical(x, row(column.max), row(column.min));
        before = (gaps == 0).then(|| (x, row(column.last)));
    }
}
