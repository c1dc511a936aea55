//! Mean and spread over several runs.

use serde::Serialize;

/// Mean and spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation over the runs (n - 1 in the denominator); none for a single run.
    pub deviation: Option<f64>,
    /// Runs with such a number.
    pub runs: usize,
}

impl Spread {
    /// Of these numbers; none without numbers.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "runs are few")]
    pub fn of(values: &[f64]) -> Option<Self> {
        let runs = values.len();
        let count = runs as f64;
        // As differences from the first, so that equal numbers have no spread at all.
        let first = *values.first()?;
        let mean = first + values.iter().map(|value| value - first).sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (runs > 1).then(|| (squares / (count - 1.0)).sqrt());
        Some(Self { mean, deviation, runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_none_one_and_three() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[0.1]), Some(Spread { mean: 0.1, deviation: None, runs: 1 }));
        assert_eq!(Spread::of(&[0.1; 3]), Some(Spread { mean: 0.1, deviation: Some(0.0), runs: 3 }));
        assert_eq!(Spread::of(&[1.0, 2.0, 3.0]), Some(Spread { mean: 2.0, deviation: Some(1.0), runs: 3 }));
    }
}
