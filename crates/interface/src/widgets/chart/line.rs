//! A line of a chart.

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::theme::Meaning;
use crate::widgets::axis::Axis;
use crate::widgets::braille::Grid;
use crate::widgets::curve::{flat, step_edges, trace};
use crate::widgets::window::Window;
use spartui_facts::series::{Column, Curve, Ruler, Series};

/// A line of a chart.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its points.
    pub shape: Shape<'a>,
    /// Their mapping to the axis.
    pub measure: Measure<'a>,
    /// Its style.
    pub meaning: Meaning,
    /// The way it is drawn.
    pub look: Look,
}

/// The points of a line.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'a> {
    /// With a smoothed form, which is drawn if the view smooths.
    Curve(&'a Curve),
    /// Without a smoothed form.
    Series(&'a Series),
}

/// The mapping from steps to the axis.
#[derive(Debug, Clone, Copy)]
pub enum Measure<'a> {
    /// The steps themselves.
    Steps,
    /// The positions of a series' steps according to a ruler.
    Ruled(&'a Series, &'a Ruler),
}

/// The way a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Raw values behind the smoothed ones.
    Whole,
    /// Thin, below all others, and ignored for the range of the axis.
    Behind,
    /// A mark for each point.
    Marks,
}

/// The mark of a point.
pub const MARK: &str = "◆";

impl<'a> Shape<'a> {
    /// The raw points.
    #[must_use]
    pub fn raw(self) -> &'a Series {
        match self {
            Self::Curve(curve) => curve.raw(),
            Self::Series(series) => series,
        }
    }

    /// The smoothed value near a step; the raw one without a smoothed form.
    #[must_use]
    pub fn smoothed_near(self, step: u64) -> f64 {
        match self {
            Self::Curve(curve) => curve.smoothed_near(step),
            Self::Series(series) => series.nearest(step).map_or(f64::NAN, |(_, value)| value),
        }
    }
}

impl Measure<'_> {
    /// The position of a step.
    #[must_use]
    pub fn value(self, step: u64) -> f64 {
        match self {
            Self::Steps => step as f64,
            Self::Ruled(steps, ruler) => match steps.before(step.saturating_add(1)) {
                0 => ruler.begin(),
                count => ruler.at(count - 1),
            },
        }
    }

    /// The first step at or after a position.
    #[must_use]
    pub fn step(self, value: f64) -> u64 {
        match self {
            Self::Steps => value.ceil().max(0.0) as u64,
            Self::Ruled(steps, ruler) => Self::ruled_step(steps, ruler, value, ruler.before(value)),
        }
    }

    fn edges(self, window: &Window) -> Vec<u64> {
        match self {
            Self::Steps => step_edges(window),
            Self::Ruled(steps, ruler) => {
                let edges: Vec<f64> = window.edges().collect();
                let places = ruler.places(edges.iter().copied());
                edges.iter().zip(places).map(|(edge, place)| Self::ruled_step(steps, ruler, *edge, place)).collect()
            }
        }
    }

    /// The first step that a ruler puts at or after a value: the one of a place among its points.
    fn ruled_step(steps: &Series, ruler: &Ruler, value: f64, place: usize) -> u64 {
        // Points that a line shares with its parent come before its own points.
        if value <= ruler.begin() {
            return 0;
        }
        if place < steps.len() { steps.at(place).0 } else { steps.last().map_or(0, |(step, _)| step + 1) }
    }
}

impl Line<'_> {
    /// Whether it has a smoothed form.
    #[must_use]
    pub fn smooths(&self) -> bool {
        matches!(self.shape, Shape::Curve(_))
    }

    /// The points in each column.
    #[must_use]
    pub fn raw_columns(&self, window: &Window) -> Vec<Option<Column>> {
        self.shape.raw().columns(&self.measure.edges(window))
    }

    /// The gaps in each column.
    #[must_use]
    pub fn gaps(&self, window: &Window) -> Vec<usize> {
        self.shape.raw().gaps_in_columns(&self.measure.edges(window))
    }

    /// The last value of each column, smoothed if there is a smoothed form.
    #[must_use]
    pub fn thin_columns(&self, window: &Window) -> Vec<Option<Column>> {
        self.thin(&self.measure.edges(window))
    }

    fn thin(&self, edges: &[u64]) -> Vec<Option<Column>> {
        flat(match self.shape {
            Shape::Curve(curve) => curve.smoothed_columns(edges),
            Shape::Series(series) => {
                series.columns(edges).into_iter().map(|column| column.map(|column| column.last)).collect()
            }
        })
    }

    /// Everything that is drawn of it: its smoothed form if the view smooths, and beside it the raw values if the view
    /// shows those too.
    pub(super) fn drawn(&self, window: &Window, smoothed: bool, envelope: bool) -> Drawn {
        let edges = self.measure.edges(window);
        let series = self.shape.raw();
        let is_thin = self.look == Look::Behind || (self.look == Look::Whole && self.smooths() && smoothed);
        let is_raw = self.look != Look::Behind && (envelope || !is_thin);
        Drawn {
            raw: if is_raw { series.columns(&edges) } else { Vec::new() },
            gaps: series.gaps_in_columns(&edges),
            thin: is_thin.then(|| self.thin(&edges)),
        }
    }
}

/// Marks a value in a column of dots.
pub fn mark(pen: &mut Pen, plot: Rect, axis: &Axis, dot: usize, value: f64, meaning: Meaning) {
    let y = plot.y + (axis.row(value, usize::from(plot.height) * 4) / 4) as u16;
    pen.put(plot.x + (dot / 2) as u16, y, 1, MARK, meaning);
}

/// A line on the columns of a chart, computed once for several uses.
#[derive(Debug)]
pub struct Drawn {
    raw: Vec<Option<Column>>,
    gaps: Vec<usize>,
    /// The smoothed line, if there is one.
    thin: Option<Vec<Option<Column>>>,
}

impl Drawn {
    /// Whether there is a smoothed line over the raw values.
    pub fn is_smoothed(&self) -> bool {
        self.thin.is_some()
    }

    /// The extremes of the columns; of the raw values if those are drawn.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let columns = if self.raw.is_empty() { self.thin.as_deref().unwrap_or_default() } else { &self.raw };
        columns.iter().flatten().flat_map(|column| [column.min, column.max])
    }

    pub fn draw_marks(&self, pen: &mut Pen, plot: Rect, axis: &Axis, meaning: Meaning) {
        for (dot, column) in self.raw.iter().enumerate() {
            if let Some(column) = column {
                mark(pen, plot, axis, dot, column.last, meaning);
            }
        }
    }

    pub fn draw_raw(&self, pen: &mut Pen, plot: Rect, axis: &Axis, meaning: Meaning) {
        let mut grid = Grid::new(plot);
        trace(&mut grid, &self.raw, &self.gaps, axis);
        grid.paint(pen, plot, meaning);
        // A single point makes no line, and one dot is easily overlooked.
        let mut points = self.raw.iter().enumerate().filter_map(|(dot, column)| Some((dot, (*column)?)));
        if let (Some((dot, column)), None) = (points.next(), points.next())
            && !axis.is_above(column.min)
        {
            mark(pen, plot, axis, dot, column.last, meaning);
        }
    }

    pub fn draw_thin(&self, pen: &mut Pen, plot: Rect, axis: &Axis, meaning: Meaning) {
        if let Some(thin) = &self.thin {
            let mut grid = Grid::new(plot);
            trace(&mut grid, thin, &self.gaps, axis);
            grid.paint(pen, plot, meaning);
        }
    }

    /// Marks values above the axis at the top and gaps at the bottom; returns the number of columns with values above.
    pub fn draw_outside(&self, pen: &mut Pen, plot: Rect, axis: &Axis, envelope: bool) -> usize {
        let columns = self.thin.as_ref().filter(|_| !envelope).unwrap_or(&self.raw);
        let mut count = 0;
        for (dot, _) in columns.iter().enumerate().filter(|(_, at)| at.is_some_and(|at| axis.is_above(at.max))) {
            count += 1;
            pen.put(plot.x + (dot / 2) as u16, plot.y, 1, "▲", Meaning::Warn);
        }
        for (dot, _) in self.gaps.iter().enumerate().filter(|(_, gaps)| **gaps > 0) {
            pen.put(plot.x + (dot / 2) as u16, plot.bottom() - 1, 1, "×", Meaning::Error);
        }
        count
    }
}
