//! The mapping from steps to columns of dots.

use crate::widgets::chart::{Extent, Range, View};

/// The visible range: a column of dots begins at a multiple of its width, so that points keep their columns while the
/// window moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Start of the first column.
    pub start: f64,
    /// Steps per column, or whatever the axis counts.
    pub per_dot: f64,
    /// Number of columns.
    pub dots: usize,
    /// Whether the axis counts powers of ten.
    pub log: bool,
}

impl Window {
    /// The window of a view on this many columns of dots, out of the whole range.
    #[must_use]
    pub fn new(view: &View, extent: impl Into<Extent>, dots: usize) -> Self {
        let extent = extent.into();
        let (start, steps) = view.window(extent);
        let per_dot = round_up(steps / dots.max(2) as f64).max(extent.unit / 64.0);
        let start = match view.range {
            Range::Follow { .. } => {
                let end = (extent.end / per_dot).ceil() * per_dot;
                (end - dots as f64 * per_dot).max((extent.start / per_dot).floor() * per_dot)
            }
            _ => (start / per_dot).floor() * per_dot,
        };
        Self { start, per_dot, dots, log: view.log_x }
    }

    /// End of the visible range.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.start + self.per_dot * self.dots as f64
    }

    /// Start of each column and end of the last one, on a linear axis.
    pub fn edges(&self) -> impl Iterator<Item = f64> {
        let window = *self;
        (0..=self.dots).map(move |column| window.value(window.start + column as f64 * window.per_dot))
    }

    /// The value at a position on the axis.
    #[must_use]
    pub fn value(&self, place: f64) -> f64 {
        if self.log { 10f64.powf(place) } else { place }
    }

    /// The position of a value on the axis.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        if self.log { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }

    /// The column of a value, if it is visible.
    #[must_use]
    pub fn dot(&self, value: f64) -> Option<usize> {
        let column = (self.place(value) - self.start) / self.per_dot;
        (column >= 0.0 && column < self.dots as f64).then_some(column as usize)
    }

    /// Whether a step is visible.
    #[must_use]
    #[cfg(test)]
    pub fn holds(&self, step: u64) -> bool {
        self.dot(step as f64).is_some()
    }
}

/// The next of eight widths per doubling: the scale changes rarely while a run grows, and little space is unused.
fn round_up(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let octave = 2f64.powf(least.log2().floor());
    octave * ((least / octave * 8.0) - 1e-9).ceil() / 8.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_are_in_sight_and_little_is_unused() {
        for last in [1u64, 2, 7, 100, 1000, 12_345, 1_000_000] {
            let window = Window::new(&View::default(), (1, last), 120);
            assert!(window.holds(1) && window.holds(last), "{last}: {window:?}");
            assert!(last < 10 || window.dot(last as f64).expect("in sight") > 100, "{last}: {window:?}");
        }
    }

    #[test]
    fn columns_keep_their_points_while_the_window_follows() {
        let mut view = View::default();
        view.range = Range::Follow { steps: 500.0 };
        let early = Window::new(&view, (1, 2000), 120);
        let late = Window::new(&view, (1, 2003), 120);
        let moved = (late.start - early.start) / early.per_dot;
        assert!((moved - moved.round()).abs() < 1e-9);
        assert!(late.holds(2003));
    }
}
