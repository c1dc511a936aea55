//! Which part of the loss is shown, and how.

/// Weights of the smoothing that the keys walk through.
const SMOOTHINGS: [f64; 8] = [0.0, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995];

/// The fewest steps that a view can hold.
const NEAREST: f64 = 8.0;

/// How the loss is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Which steps.
    pub range: Range,
    /// Whether the values are on a logarithmic axis.
    pub log: bool,
    smoothing: usize,
}

/// Which steps a chart shows. New points move the first two and never the third.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// All.
    Fit,
    /// This many, up to the newest.
    Follow {
        /// How many.
        steps: f64,
    },
    /// These.
    Fixed {
        /// The first.
        start: f64,
        /// How many.
        steps: f64,
    },
}

impl Default for View {
    fn default() -> Self {
        Self { range: Range::Fit, log: false, smoothing: 3 }
    }
}

impl View {
    /// Weight of the smoothing.
    #[must_use]
    pub fn smoothing(&self) -> f64 {
        SMOOTHINGS[self.smoothing.min(SMOOTHINGS.len() - 1)]
    }

    /// Smooths more, or less where negative; whether that changed anything.
    pub fn smooth(&mut self, by: isize) -> bool {
        let next = self.smoothing.saturating_add_signed(by).min(SMOOTHINGS.len() - 1);
        std::mem::replace(&mut self.smoothing, next) != next
    }

    /// Its name in the title.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.range {
            Range::Fit => "fit",
            Range::Follow { .. } => "follow",
            Range::Fixed { .. } => "fixed",
        }
    }

    /// First step and number of steps in sight, out of those from `first` to `last`.
    #[must_use]
    pub fn window(&self, (first, last): (u64, u64)) -> (f64, f64) {
        let (first, last) = (first as f64, last as f64);
        let all = (last - first + 1.0).max(1.0);
        match self.range {
            Range::Fit => (first, all),
            Range::Follow { steps } => {
                let steps = steps.clamp(1.0, all.max(NEAREST));
                ((last + 1.0 - steps).max(first), steps)
            }
            Range::Fixed { start, steps } => (start, steps),
        }
    }

    /// Shows `factor` times as many steps; the step at the share `anchor` of the width stays where it is.
    pub fn zoom(&mut self, factor: f64, anchor: Option<f64>, span: (u64, u64)) {
        let (start, steps) = self.window(span);
        let all = (span.1 - span.0 + 1) as f64;
        let wanted = (steps * factor).max(NEAREST);
        if wanted >= all {
            self.range = Range::Fit;
            return;
        }
        self.range = match (self.range, anchor) {
            (Range::Fit | Range::Follow { .. }, None) => Range::Follow { steps: wanted },
            (Range::Fixed { .. }, None) => Self::fixed(start + (steps - wanted) * 0.5, wanted, span),
            (_, Some(share)) => Self::fixed(start + (steps - wanted) * share.clamp(0.0, 1.0), wanted, span),
        };
    }

    /// Moves by this share of the width; at the newest step the view follows again.
    pub fn pan(&mut self, share: f64, span: (u64, u64)) {
        if self.range == Range::Fit {
            return;
        }
        let (start, steps) = self.window(span);
        let moved = start + share * steps;
        self.range = if moved + steps >= span.1 as f64 + 1.0 && share > 0.0 {
            Range::Follow { steps }
        } else {
            Self::fixed(moved, steps, span)
        };
    }

    /// From following or a fixed stretch to all, from all to following the newest quarter.
    pub fn toggle_follow(&mut self, span: (u64, u64)) {
        self.range = match self.range {
            Range::Fit => Range::Follow { steps: ((span.1 - span.0) as f64 / 4.0).max(100.0) },
            Range::Fixed { steps, .. } => Range::Follow { steps },
            Range::Follow { .. } => Range::Fit,
        };
    }

    fn fixed(start: f64, steps: f64, (first, last): (u64, u64)) -> Range {
        let latest = (last as f64 + 1.0 - steps).max(first as f64);
        Range::Fixed { start: start.clamp(first as f64, latest), steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_in_and_out_again_shows_the_same() {
        let span = (1, 1000);
        let mut view = View { range: Range::Fixed { start: 200.0, steps: 400.0 }, ..View::default() };
        let before = view;
        view.zoom(0.5, Some(0.25), span);
        assert_eq!(view.range, Range::Fixed { start: 250.0, steps: 200.0 });
        view.zoom(2.0, Some(0.25), span);
        assert_eq!(view, before);
    }

    #[test]
    fn new_steps_do_not_move_a_fixed_view() {
        let mut view = View::default();
        view.zoom(0.25, None, (1, 100));
        assert_eq!(view.window((1, 100)), (76.0, 25.0));
        assert_eq!(view.window((1, 200)), (176.0, 25.0));
        view.pan(-1.0, (1, 200));
        assert_eq!(view.window((1, 300)), (151.0, 25.0));
        view.pan(9.0, (1, 300));
        assert_eq!(view.name(), "follow");
    }
}
