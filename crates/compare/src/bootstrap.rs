//! A bootstrap interval for a difference (Efron, 1979), with deterministic resamples.

use rand_distr::{Distribution, Uniform};
use rayon::prelude::*;
use serde::Serialize;

use spartui_facts::random::Source;

/// Number of resamples.
pub const RESAMPLES: usize = 10_000;
/// The share of resamples outside the interval at each end.
const TAIL: f64 = 0.025;

/// A difference and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The difference.
    pub difference: f64,
    /// 2.5 % of the resamples are below.
    pub low: f64,
    /// 2.5 % of the resamples are above.
    pub high: f64,
}

/// The sum of `differences` over the sum of `weights`, and its percentile interval over [`RESAMPLES`] resamples of the
/// rows, drawn from `source`; a row is drawn with its difference and its weight. None if there is no row or no
/// weight, or if a number is not finite.
#[must_use]
pub fn interval(differences: &[f64], weights: &[f64], source: &Source) -> Option<Interval> {
    let rows = differences.len().min(weights.len());
    let ratio = |(difference, weight): (f64, f64)| if weight > 0.0 { difference / weight } else { 0.0 };
    let all: (f64, f64) = (differences.iter().sum(), weights.iter().sum());
    let any_row = Uniform::new(0, u32::try_from(rows).ok()?).ok()?;
    if !(all.0.is_finite() && all.1.is_finite() && all.1 > 0.0) {
        return None;
    }
    let resample = |number: usize| {
        let mut sums = (0.0, 0.0);
        let mut generator = source.sequence(number as u64);
        for _ in 0..rows {
            let row = any_row.sample(&mut generator) as usize;
            sums.0 += differences[row];
            sums.1 += weights[row];
        }
        ratio(sums)
    };
    let mut found: Vec<f64> = (0..RESAMPLES).into_par_iter().map(resample).collect();
    found.sort_by(f64::total_cmp);
    Some(Interval { difference: ratio(all), low: quantile(&found, TAIL), high: quantile(&found, 1.0 - TAIL) })
}

/// A quantile of sorted numbers, of which there is at least one, with linear interpolation. `share` is from 0 to 1.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there are 10,000 numbers, and a share of them is no less than 0"
)]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = (place.floor() as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    let (a, b, t) = (sorted[below], sorted[above], place - below as f64);
    // From the nearer end, so that both tails are treated alike.
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn it_holds_together(rows in prop::collection::vec((-3.0_f64..3.0, 0.5_f64..4.0), 1..60), seed: u64) {
            let (differences, weights): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
            let source = Source::new(seed, "test", "");
            let one = interval(&differences, &weights, &source).unwrap();
            prop_assert!(one.low <= one.high);
            let turned: Vec<f64> = differences.iter().map(|difference| -difference).collect();
            let other = interval(&turned, &weights, &source).unwrap();
            prop_assert_eq!(other.difference, -one.difference);
            prop_assert!((other.low + one.high).abs() < 1e-12 && (other.high + one.low).abs() < 1e-12);
            prop_assert_eq!(interval(&differences, &weights, &source), Some(one));
        }
    }

    fn source() -> Source {
        Source::new(7, "test", "")
    }

    #[test]
    fn no_difference_has_no_width() {
        let none = Interval { difference: 0.0, low: 0.0, high: 0.0 };
        assert_eq!(interval(&[0.0; 30], &[1.0; 30], &source()), Some(none));
    }

    #[test]
    fn no_rows_and_no_weight_have_no_interval() {
        assert_eq!(interval(&[], &[], &source()), None);
        assert_eq!(interval(&[1.0], &[0.0], &source()), None);
        assert_eq!(interval(&[f64::NAN, 1.0], &[1.0, 1.0], &source()), None);
    }

    /// The interval of a mean of many rows is that of the normal distribution.
    #[test]
    fn it_is_as_wide_as_the_theory_says() {
        let rows: Vec<f64> = (0..2000_u32).map(|row| f64::from(row % 7) - 3.0).collect();
        let mean = rows.iter().sum::<f64>() / 2000.0;
        let error = (rows.iter().map(|row| (row - mean).powi(2)).sum::<f64>() / 2000.0 / 2000.0).sqrt();
        let found = interval(&rows, &vec![1.0; 2000], &source()).unwrap();
        // The ends of 10,000 resamples scatter by 2.7 % of the error.
        for (end, expected) in [(found.low, mean - 1.96 * error), (found.high, mean + 1.96 * error)] {
            assert!((end - expected).abs() < 0.12 * error, "{end} {expected} {error}");
        }
    }
}
