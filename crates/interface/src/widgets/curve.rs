//! A downsampled series on a grid of dots.

use super::axis::Axis;
use super::braille::Grid;
use super::window::Window;
use spartui_facts::series::{Column, Series};

/// The first step of each column of a window, if it counts steps.
#[must_use]
pub fn step_edges(window: &Window) -> Vec<u64> {
    window.edges().map(|edge| edge.ceil().max(0.0) as u64).collect()
}

/// Draws the points of a series on their columns.
pub fn draw(grid: &mut Grid, series: &Series, window: &Window, axis: &Axis) {
    let edges = step_edges(window);
    trace(grid, &series.columns(&edges), &series.gaps_in_columns(&edges), axis);
}

/// Draws columns: each from the smallest to the largest value, connected from last to first, never across a gap. A
/// column wholly above the axis is a gap too, rather than a line along the edge.
pub fn trace(grid: &mut Grid, columns: &[Option<Column>], gaps: &[usize], axis: &Axis) {
    let rows = grid.size().1;
    let mut before: Option<(usize, usize)> = None;
    for (x, (column, gaps)) in columns.iter().zip(gaps).enumerate() {
        if *gaps > 0 {
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
        before = (*gaps == 0).then(|| (x, row(column.last)));
    }
}

/// Columns without height, for a smoothed line: otherwise it would be thicker.
#[must_use]
pub fn flat(values: Vec<Option<f64>>) -> Vec<Option<Column>> {
    let flat = |value| Column { first: value, min: value, max: value, last: value };
    values.into_iter().map(|value| value.map(flat)).collect()
}
