//! A chart: any number of lines over steps, epochs, tokens or time. A frame costs what its columns cost, however long
//! the lines are.

use ratatui::layout::Rect;

use super::axis::{Axis, outlier_proof};
use super::braille::Grid;
use super::curve;
use super::window::Window;
use crate::interface::layout::{split_bottom, split_left};
use crate::interface::pen::Pen;
use crate::interface::state::{Extent, View};
use crate::interface::text;
use crate::interface::theme::Meaning;

mod cursor;
mod line;
mod marks;
mod scale;
mod unit;

pub use line::{Line, Look, MARK, Measure, Shape};
pub use marks::Change;
pub use scale::ticks as scale_ticks;
pub use unit::Unit;

/// What a chart shows.
#[derive(Debug)]
pub struct Chart<'a> {
    /// Which part, and how.
    pub view: &'a View,
    /// All that could be shown, without logarithms.
    pub extent: Extent,
    /// What the values are.
    pub unit: Unit,
    /// The lines, each over those before it.
    pub lines: Vec<Line<'a>>,
    /// Changes by hand, each with its place on the axis.
    pub changes: &'a [Change],
    /// The place on the axis of the cursor, and that of what it is compared with.
    pub cursor: Option<(f64, Option<f64>)>,
}

/// Where everything of a chart stands.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The dots.
    pub plot: Rect,
    /// What is in sight.
    pub window: Window,
    /// The values.
    pub axis: Axis,
    labels: Rect,
    scale: Rect,
    ticks: Vec<(f64, String)>,
}

/// What a chart says of itself once it is drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drawn {
    /// Whether the values are on a logarithmic axis.
    pub log: bool,
    /// Columns with something above the axis.
    pub above: usize,
}

impl Chart<'_> {
    /// All that could be shown, as the axis counts.
    #[must_use]
    pub fn extent(&self) -> Extent {
        if self.view.log_x { self.extent.logarithmic() } else { self.extent }
    }

    /// Where everything stands in a place; nowhere where that is too small.
    #[must_use]
    pub fn plan(&self, area: Rect) -> Option<Plan> {
        let (upper, scale) = split_bottom(area, 1);
        let window = |width: u16| Window::new(self.view, self.extent(), usize::from(width) * 2);
        // The width of the labels depends on the values in sight, and those on the width that is left; a guess of the
        // first gives the second.
        let axis = self.axis(&window(area.width.saturating_sub(7)));
        let ticks = axis.ticks(usize::from(upper.height / 3).clamp(2, 8));
        let ticks: Vec<_> = ticks.into_iter().map(|(value, label)| (value, self.unit.label(value, label))).collect();
        let label_width = ticks.iter().map(|(_, label)| text::width(label)).max().unwrap_or(0).clamp(3, 9) + 1;
        let (labels, plot) = split_left(upper, label_width);
        if plot.width < 4 || plot.height < 2 {
            return None;
        }
        let scale = Rect { x: plot.x, width: plot.width, ..scale };
        Some(Plan { plot, window: window(plot.width), axis, labels, scale, ticks })
    }

    /// The axis of the values in sight.
    #[must_use]
    pub fn axis(&self, window: &Window) -> Axis {
        let values = self.lines.iter().filter(|line| line.look != Look::Behind).flat_map(|line| line.values(window));
        let (low, high) = if self.view.outlier_proof {
            outlier_proof(values)
        } else {
            values.filter(|value| value.is_finite()).fold(None, |ends, value| match ends {
                None => Some((value, value)),
                Some((low, high)) => Some((value.min(low), value.max(high))),
            })
        }
        .unwrap_or((0.0, 1.0));
        Axis::around(low, high, self.view.log)
    }

    /// Draws it; what it says of itself, where there is room for it.
    pub fn draw(&self, pen: &mut Pen, area: Rect) -> Option<Drawn> {
        let plan = self.plan(area)?;
        let Plan { plot, window, axis, .. } = &plan;
        let plot = *plot;
        for (value, label) in &plan.ticks {
            let y = plot.y + (axis.row(*value, usize::from(plot.height) * 4) / 4) as u16;
            let row = Rect { y, height: 1, width: plan.labels.width - 1, ..plan.labels };
            pen.put_right(row, label, Meaning::Axis);
            pen.fill(Rect { y, height: 1, ..plot }, '┈', Meaning::Border);
        }
        scale::draw(pen, plan.scale, window, self.view.along);
        let smoothed = self.view.smoothing() > 0.0;
        let mut drawn = Drawn { log: axis.is_log(), above: 0 };
        for line in self.lines.iter().filter(|line| line.look == Look::Behind) {
            line.draw_thin(pen, plot, window, axis, Meaning::Branch);
        }
        let whole = || self.lines.iter().filter(|line| line.look == Look::Whole);
        for line in whole() {
            match line.smooths() && smoothed {
                true if self.view.envelope => line.draw_raw(pen, plot, window, axis, line.envelope()),
                true => {}
                false => line.draw_raw(pen, plot, window, axis, line.meaning),
            }
        }
        marks::lines(pen, plot, self.changes, window);
        for line in whole().filter(|line| line.smooths() && smoothed) {
            line.draw_thin(pen, plot, window, axis, line.meaning);
        }
        for line in self.lines.iter().filter(|line| line.look == Look::Marks) {
            line.draw_marks(pen, plot, window, axis);
        }
        for line in whole() {
            drawn.above += line.draw_outside(pen, plot, window, axis);
        }
        if let Some((at, anchor)) = self.cursor {
            cursor::draw(pen, plot, (at, anchor), self, window, axis);
        }
        marks::list(pen, plot, self.changes, window);
        Some(drawn)
    }
}

impl Plan {
    /// The place on the axis that a cell's left edge stands for, as the axis counts without logarithms.
    #[must_use]
    pub fn value_at(&self, column: u16) -> f64 {
        let dots = f64::from(column.saturating_sub(self.plot.x)) * 2.0;
        self.window.value(self.window.start + dots * self.window.per_dot)
    }
}

/// Draws a curve without any axis into a place: how something went, at a glance.
pub fn sparkline(pen: &mut Pen, area: Rect, line: &Line, extent: Extent) {
    let view = View::default();
    let window = Window::new(&view, extent, usize::from(area.width) * 2);
    let Some((low, high)) = outlier_proof(line.values(&window)) else { return };
    let mut grid = Grid::new(area);
    curve::trace(&mut grid, &line.thin_columns(&window), &line.gaps(&window), &Axis::around(low, high, false));
    grid.paint(pen, area, line.meaning);
}
