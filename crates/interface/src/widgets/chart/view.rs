//! The visible range of a chart, and how it is shown.

use std::fmt;

/// The weights of the smoothing that the keys step through.
const SMOOTHINGS: [f64; 8] = [0.0, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995];

/// The fewest visible steps.
const NEAREST: f64 = 8.0;

/// The view of charts.
#[expect(clippy::struct_excessive_bools, reason = "switches of the user's, each its own")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// The visible steps.
    pub range: Range,
    /// Whether the value axis is logarithmic.
    pub log: bool,
    /// The quantity on the horizontal axis.
    pub along: Along,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
    /// Whether raw values are shown behind the smoothed line.
    pub envelope: bool,
    /// Whether outliers far above nearly all values are left out of the axis.
    pub outlier_proof: bool,
    smoothing: usize,
}

/// The quantity on the horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Along {
    /// Optimizer steps.
    #[default]
    Steps,
    /// Epochs.
    Epochs,
    /// Tokens seen.
    Tokens,
    /// Seconds of training.
    Time,
}

impl Along {
    /// All, in the order of the key that cycles through them.
    pub const ALL: [Self; 4] = [Self::Steps, Self::Epochs, Self::Tokens, Self::Time];

    /// The next one, cyclic.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

impl fmt::Display for Along {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Steps => "step",
            Self::Epochs => "epoch",
            Self::Tokens => "tokens",
            Self::Time => "time",
        })
    }
}

/// The visible steps. New points move the first two variants and never the third.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// All steps.
    Fit,
    /// This many steps, up to the newest.
    Follow {
        /// Number of steps.
        steps: f64,
    },
    /// A fixed range.
    Fixed {
        /// The first step.
        start: f64,
        /// Number of steps.
        steps: f64,
    },
}

/// The whole range of a chart along its axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Its start.
    pub start: f64,
    /// Its end.
    pub end: f64,
    /// The length of one step.
    pub unit: f64,
}

impl From<(u64, u64)> for Extent {
    /// The range from the first to the last step.
    fn from((first, last): (u64, u64)) -> Self {
        Self { start: first as f64, end: last as f64 + 1.0, unit: 1.0 }
    }
}

impl Extent {
    fn all(self) -> f64 {
        (self.end - self.start).max(self.unit)
    }

    /// The same on a logarithmic axis; a start at or below zero becomes the length of one step.
    #[must_use]
    pub fn logarithmic(self) -> Self {
        let unit = self.unit.max(f64::MIN_POSITIVE);
        let start = self.start.max(unit).log10();
        let end = self.end.max(2.0 * unit).log10().max(start + 1e-6);
        Self { start, end, unit: (end - start) / 1000.0 }
    }
}

impl Default for View {
    fn default() -> Self {
        Self {
            range: Range::Fit,
            log: false,
            along: Along::Steps,
            log_x: false,
            envelope: true,
            outlier_proof: true,
            smoothing: 3,
        }
    }
}

impl View {
    /// Weight of the smoothing.
    #[must_use]
    pub fn smoothing(&self) -> f64 {
        SMOOTHINGS[self.smoothing.min(SMOOTHINGS.len() - 1)]
    }

    /// Increases the smoothing, or decreases it if negative; returns whether it changed.
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

    /// Start and length of the visible range, out of the whole range.
    #[must_use]
    pub fn window(&self, extent: impl Into<Extent>) -> (f64, f64) {
        let extent = extent.into();
        match self.range {
            Range::Fit => (extent.start, extent.all()),
            Range::Follow { steps } => {
                let steps = steps.clamp(extent.unit, extent.all().max(NEAREST * extent.unit));
                ((extent.end - steps).max(extent.start), steps)
            }
            Range::Fixed { start, steps } => (start, steps),
        }
    }

    /// Shows `factor` times as many steps; the step at the share `anchor` of the width stays in place. Zooming stops
    /// at the limit, so that zooming out again restores the view.
    pub fn zoom(&mut self, factor: f64, anchor: Option<f64>, extent: impl Into<Extent>) {
        let extent = extent.into();
        let (start, steps) = self.window(extent);
        let wanted = steps * factor;
        if wanted < NEAREST * extent.unit && factor < 1.0 {
            return;
        }
        if wanted >= extent.all() {
            self.range = Range::Fit;
            return;
        }
        self.range = match (self.range, anchor) {
            (Range::Fit | Range::Follow { .. }, None) => Range::Follow { steps: wanted },
            (Range::Fixed { .. }, None) => Self::fixed(start + (steps - wanted) * 0.5, wanted, extent),
            (_, Some(share)) => Self::fixed(start + (steps - wanted) * share.clamp(0.0, 1.0), wanted, extent),
        };
    }

    /// Moves by this share of the width; at the newest step the view follows again.
    pub fn pan(&mut self, share: f64, extent: impl Into<Extent>) {
        if self.range == Range::Fit {
            return;
        }
        let extent = extent.into();
        let (start, steps) = self.window(extent);
        let moved = start + share * steps;
        self.range = if moved + steps >= extent.end && share > 0.0 {
            Range::Follow { steps }
        } else {
            Self::fixed(moved, steps, extent)
        };
    }

    /// From following or a fixed range to all, from all to following the newest quarter.
    pub fn toggle_follow(&mut self, extent: impl Into<Extent>) {
        let extent = extent.into();
        self.range = match self.range {
            Range::Fit => Range::Follow { steps: ((extent.all() - extent.unit) / 4.0).max(100.0 * extent.unit) },
            Range::Fixed { steps, .. } => Range::Follow { steps },
            Range::Follow { .. } => Range::Fit,
        };
    }

    /// Moves so that a position is visible.
    pub fn reveal(&mut self, place: f64, extent: impl Into<Extent>) {
        let extent = extent.into();
        let (start, steps) = self.window(extent);
        if place < start || place >= start + steps {
            self.range = Self::fixed(place - steps * 0.5, steps, extent);
        }
    }

    /// Shows the range between two positions.
    pub fn show(&mut self, from: f64, to: f64, extent: impl Into<Extent>) {
        let extent = extent.into();
        let (from, to) = (from.min(to), from.max(to));
        let steps = (to - from).max(NEAREST * extent.unit);
        self.range = if steps >= extent.all() { Range::Fit } else { Self::fixed(from, steps, extent) };
    }

    fn fixed(start: f64, steps: f64, extent: Extent) -> Range {
        let latest = (extent.end - steps).max(extent.start);
        Range::Fixed { start: start.clamp(extent.start, latest), steps }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn zooming_in_then_out_is_the_identity(
            first in 0u64..1000,
            all in 20u64..1_000_000,
            range in 0u8..3,
            place in (0.0..1.0f64, 0.01..1.0f64),
            anchor in prop::option::of(0.0..=1.0f64),
            log in any::<bool>(),
        ) {
            let extent = Extent::from((first, first + all));
            let extent = if log { extent.logarithmic() } else { extent };
            let width = extent.end - extent.start;
            let steps = (place.1 * width).max(NEAREST * extent.unit);
            let range = match range {
                0 => Range::Fit,
                1 => Range::Follow { steps },
                _ => View::fixed(extent.start + place.0 * width, steps, extent),
            };
            let before = View { range, ..View::default() };
            let mut view = before;
            view.zoom(0.5, anchor, extent);
            if view == before {
                return Ok(());
            }
            view.zoom(2.0, anchor, extent);
            let (was, is) = (before.window(extent), view.window(extent));
            prop_assert!((was.0 - is.0).abs() <= 1e-9 * width && (was.1 - is.1).abs() <= 1e-9 * width, "{was:?} {is:?}");
            prop_assert!(range != Range::Fit || view.range == Range::Fit);
        }
    }
}
