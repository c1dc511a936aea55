//! Which steps a chart shows on which dots.

use crate::interface::state::{Range, View};

/// The steps in sight: a column of dots begins at a multiple of its width, so that points keep their columns while
/// the window moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Step at which the first column begins.
    pub start: f64,
    /// Steps on a column.
    pub per_dot: f64,
    /// Columns.
    pub dots: usize,
}

impl Window {
    /// The window of a view on so many columns of dots.
    #[must_use]
    pub fn new(view: &View, span: (u64, u64), dots: usize) -> Self {
        let (start, steps) = view.window(span);
        let per_dot = round_up(steps / dots.max(2) as f64);
        let start = match view.range {
            Range::Follow { .. } => {
                let end = ((span.1 as f64 + 1.0) / per_dot).ceil() * per_dot;
                (end - dots as f64 * per_dot).max((span.0 as f64 / per_dot).floor() * per_dot)
            }
            _ => (start / per_dot).floor() * per_dot,
        };
        Self { start, per_dot, dots }
    }

    /// The step after the last one in sight.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.start + self.per_dot * self.dots as f64
    }

    /// The column of a step, if it is in sight.
    #[must_use]
    pub fn dot(&self, step: u64) -> Option<usize> {
        let place = (step as f64 - self.start) / self.per_dot;
        (place >= 0.0 && place < self.dots as f64).then_some(place as usize)
    }

    /// Whether a step is in sight.
    #[must_use]
    pub fn holds(&self, step: u64) -> bool {
        self.dot(step).is_some()
    }
}

/// The next of eight widths to each doubling: the scale changes seldom while a run grows, and little is left unused.
fn round_up(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let octave = 2f64.powf(least.log2().floor());
    (octave * ((least / octave * 8.0) - 1e-9).ceil() / 8.0).max(1.0 / 64.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_are_in_sight_and_little_is_unused() {
        for last in [1u64, 2, 7, 100, 1000, 12_345, 1_000_000] {
            let window = Window::new(&View::default(), (1, last), 120);
            assert!(window.holds(1) && window.holds(last), "{last}: {window:?}");
            assert!(last < 10 || window.dot(last).expect("in sight") > 100, "{last}: {window:?}");
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
