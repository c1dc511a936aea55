//! A chart with any number of lines over steps, epochs, tokens or time. The cost of a frame depends on its columns,
//! not on the length of the lines.

use ratatui::layout::Rect;

use super::axis::{Axis, ends, outlier_proof};
use super::window::Window;
use crate::layout::{split_bottom, split_left};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;

mod cursor;
mod line;
mod marks;
mod scale;
mod view;

pub use line::{Line, Look, MARK, Measure, Shape, mark};
pub use marks::{Change, change};
pub use scale::ticks as scale_ticks;
pub use view::{Along, Extent, Range, View};

use crate::metric::Unit;

/// The content of a chart.
#[derive(Debug)]
pub struct Chart<'a> {
    /// The visible range, and how it is shown.
    pub view: &'a View,
    /// The whole range, on a linear axis.
    pub extent: Extent,
    /// The unit of the values.
    pub unit: Unit,
    /// The lines, later ones on top.
    pub lines: Vec<Line<'a>>,
    /// Changes by hand, each with its position on the axis.
    pub changes: &'a [Change],
    /// Positions on the axis of the cursor, and of the position to compare with.
    pub cursor: Option<(f64, Option<f64>)>,
}

/// The layout of a chart.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The plot area.
    pub plot: Rect,
    /// The visible range.
    pub window: Window,
    /// The value axis.
    pub axis: Axis,
    labels: Rect,
    scale: Rect,
    ticks: Vec<(f64, String)>,
}

/// Facts of a drawn chart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drawn {
    /// Whether the value axis is logarithmic.
    pub log: bool,
    /// Columns with a value above the axis.
    pub above: usize,
}

impl Chart<'_> {
    /// The whole range in the unit of the axis.
    #[must_use]
    pub fn extent(&self) -> Extent {
        if self.view.log_x { self.extent.logarithmic() } else { self.extent }
    }

    /// The layout in an area; none if it is too small.
    #[must_use]
    pub fn plan(&self, area: Rect) -> Option<Plan> {
        self.plan_with_columns(area).map(|(plan, _)| plan)
    }

    /// As [`Chart::plan`], with the lines on its columns.
    fn plan_with_columns(&self, area: Rect) -> Option<(Plan, Vec<line::Drawn>)> {
        let (upper, scale) = split_bottom(area, 1);
        let window = |width: u16| Window::new(self.view, self.extent(), usize::from(width) * 2);
        // The width of the labels depends on the visible values, and those on the width that is left; a guess of the
        // first gives the second.
        let guessed = window(area.width.saturating_sub(7));
        let columns = self.columns(&guessed);
        let axis = self.axis_of(&columns);
        let ticks = axis.ticks(usize::from(upper.height / 3).clamp(2, 8));
        let ticks: Vec<_> = ticks.into_iter().map(|(value, label)| (value, self.unit.label(value, label))).collect();
        let label_width = ticks.iter().map(|(_, label)| text::width(label)).max().unwrap_or(0).clamp(3, 9) + 1;
        let (labels, plot) = split_left(upper, label_width);
        if plot.width < 4 || plot.height < 2 {
            return None;
        }
        let scale = Rect { x: plot.x, width: plot.width, ..scale };
        let window = window(plot.width);
        let columns = if window == guessed { columns } else { self.columns(&window) };
        Some((Plan { plot, window, axis, labels, scale, ticks }, columns))
    }

    /// The lines on the columns of a window.
    fn columns(&self, window: &Window) -> Vec<line::Drawn> {
        let (smoothed, envelope) = (self.view.smoothing() > 0.0, self.view.envelope);
        self.lines.iter().map(|line| line.drawn(window, smoothed, envelope)).collect()
    }

    /// The axis of the visible values.
    #[must_use]
    pub fn axis(&self, window: &Window) -> Axis {
        self.axis_of(&self.columns(window))
    }

    fn axis_of(&self, columns: &[line::Drawn]) -> Axis {
        let counted = self.lines.iter().zip(columns).filter(|(line, _)| line.look != Look::Behind);
        let values: Vec<f64> =
            counted.flat_map(|(_, drawn)| drawn.values()).filter(|value| value.is_finite()).collect();
        let range = if self.view.outlier_proof { outlier_proof(values) } else { ends(&values) };
        let (low, high) = range.unwrap_or((0.0, 1.0));
        Axis::around(low, high, self.view.log)
    }

    /// Draws the chart; returns its facts if there was room for it.
    pub fn draw(&self, pen: &mut Pen, area: Rect) -> Option<Drawn> {
        let (plan, columns) = self.plan_with_columns(area)?;
        let Plan { plot, window, axis, .. } = &plan;
        let plot = *plot;
        for (value, label) in &plan.ticks {
            let y = plot.y + (axis.row(*value, usize::from(plot.height) * 4) / 4) as u16;
            let row = Rect { y, height: 1, width: plan.labels.width - 1, ..plan.labels };
            pen.put_right(row, label, Meaning::Axis);
            pen.fill(Rect { y, height: 1, ..plot }, '┈', Meaning::Border);
        }
        scale::draw(pen, plan.scale, window, self.view.along);
        let envelope = self.view.envelope;
        let mut facts = Drawn { log: axis.is_log(), above: 0 };
        let drawn: Vec<_> = self.lines.iter().zip(&columns).collect();
        for (_, drawn) in drawn.iter().filter(|(line, _)| line.look == Look::Behind) {
            drawn.draw_thin(pen, plot, axis, Meaning::Branch);
        }
        let whole = || drawn.iter().filter(|(line, _)| line.look == Look::Whole);
        for (line, drawn) in whole() {
            match drawn.is_smoothed() {
                true if envelope => drawn.draw_raw(pen, plot, axis, Meaning::Envelope),
                true => {}
                false => drawn.draw_raw(pen, plot, axis, line.meaning),
            }
        }
        marks::lines(pen, plot, self.changes, window);
        for (line, drawn) in whole() {
            drawn.draw_thin(pen, plot, axis, line.meaning);
        }
        for (line, drawn) in drawn.iter().filter(|(line, _)| line.look == Look::Marks) {
            drawn.draw_marks(pen, plot, axis, line.meaning);
        }
        for (_, drawn) in whole() {
            facts.above += drawn.draw_outside(pen, plot, axis, envelope);
        }
        if let Some((at, anchor)) = self.cursor {
            cursor::draw(pen, plot, (at, anchor), self, window, axis);
        }
        marks::list(pen, plot, self.changes, window);
        Some(facts)
    }
}

impl Plan {
    /// The position on the axis at a cell's left edge, on a linear axis.
    #[must_use]
    pub fn value_at(&self, column: u16) -> f64 {
        let dots = f64::from(column.saturating_sub(self.plot.x)) * 2.0;
        self.window.value(self.window.start + dots * self.window.per_dot)
    }
}
