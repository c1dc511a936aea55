//! The cursor of a chart, and the position to compare with.

use ratatui::layout::Rect;

use super::{Chart, Look};
use crate::pen::Pen;
use crate::theme::Meaning;
use crate::widgets::axis::Axis;
use crate::widgets::window::Window;

/// Draws both, with a dot on each line that has a value there.
pub fn draw(pen: &mut Pen, plot: Rect, at: (f64, Option<f64>), chart: &Chart, window: &Window, axis: &Axis) {
    for (value, symbol) in at.1.map(|value| (value, '╎')).into_iter().chain([(at.0, '│')]) {
        let Some(dot) = window.dot(value) else { continue };
        let x = plot.x + (dot / 2) as u16;
        pen.fill(Rect { x, width: 1, ..plot }, symbol, Meaning::Cursor);
        for line in chart.lines.iter().filter(|line| line.look == Look::Whole) {
            let series = line.shape.raw();
            let step = line.measure.step(value);
            let inside = series.span().is_some_and(|(first, last)| (first..=last).contains(&step));
            let Some((_, value)) = series.nearest(step).filter(|(_, value)| inside && value.is_finite()) else {
                continue;
            };
            let y = plot.y + (axis.row(value, usize::from(plot.height) * 4) / 4) as u16;
            pen.put(x, y, 1, "●", Meaning::Cursor);
        }
    }
}
