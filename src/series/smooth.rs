//! Smoothing, on the raw points and before any thinning.

use super::Series;

/// `TensorBoard`'s smoothing: an exponential moving average, divided by the weight that it has seen so far, so that
/// the first values are not drawn towards zero.
#[derive(Debug, Clone, Copy)]
pub struct Smoother {
    weight: f64,
    average: f64,
    seen: f64,
}

impl Smoother {
    /// A smoother that keeps `weight` (0 to below 1) of what it has and takes the rest from each new value.
    #[must_use]
    pub fn new(weight: f64) -> Self {
        Self { weight: weight.clamp(0.0, 0.9999), average: 0.0, seen: 0.0 }
    }

    /// The smoothed value after this one; a value that is no number is handed through and forgotten.
    pub fn push(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        self.average = self.weight * self.average + (1.0 - self.weight) * value;
        self.seen = self.weight * self.seen + (1.0 - self.weight);
        self.average / self.seen
    }
}

/// A series and its smoothed form, side by side.
#[derive(Debug, Clone)]
pub struct Curve {
    raw: Series,
    smoothed: Series,
    smoother: Smoother,
}

impl Curve {
    /// An empty curve that smooths with this weight.
    #[must_use]
    pub fn new(weight: f64) -> Self {
        Self { raw: Series::default(), smoothed: Series::default(), smoother: Smoother::new(weight) }
    }

    /// Adds a point; as [`Series::push`].
    pub fn push(&mut self, step: u64, value: f64) {
        let before = self.raw.len();
        self.raw.push(step, value);
        if self.raw.len() > before {
            self.smoothed.push(step, self.smoother.push(value));
        }
    }

    /// Smooths all again with another weight.
    pub fn set_weight(&mut self, weight: f64) {
        self.smoother = Smoother::new(weight);
        self.smoothed = Series::default();
        for (step, value) in self.raw.points() {
            self.smoothed.push(step, self.smoother.push(value));
        }
    }

    /// The points as they came.
    #[must_use]
    pub fn raw(&self) -> &Series {
        &self.raw
    }

    /// The smoothed points.
    #[must_use]
    pub fn smoothed(&self) -> &Series {
        &self.smoothed
    }
}
