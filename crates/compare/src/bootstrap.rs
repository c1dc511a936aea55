//! A bootstrap interval for a difference (Efron, 1979), with deterministic resamples.

use rayon::prelude::*;
use serde::Serialize;

use spartui_facts::permutation::mix;

/// Number of resamples.
pub const RESAMPLES: usize = 10_000;
/// The share of resamples outside the interval at each end.
const TAIL: f64 = 0.025;
/// Increment of the counter between draws (Steele et al., 2014).
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

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
/// rows, which depend on `key`; a row is drawn with its difference and its weight. None if there is no row or no
/// weight, or if a number is not finite.
#[must_use]
pub fn interval(differences: &[f64], weights: &[f64], key: u64) -> Option<Interval> {
    let rows = differences.len().min(weights.len());
    let ratio = |(difference, weight): (f64, f64)| if weight > 0.0 { difference / weight } else { 0.0 };
    let all: (f64, f64) = (differences.iter().sum(), weights.iter().sum());
    // A draw has half the bits of a counter.
    if rows == 0 || u32::try_from(rows).is_err() || !all.0.is_finite() || !(all.1.is_finite() && all.1 > 0.0) {
        return None;
    }
    let resample = |number: usize| {
        let mut sums = (0.0, 0.0);
        for draw in 0..rows {
            let row = drawn(key, (number * rows + draw) as u64, rows);
            sums.0 += differences[row];
            sums.1 += weights[row];
        }
        ratio(sums)
    };
    let mut found: Vec<f64> = (0..RESAMPLES).into_par_iter().map(resample).collect();
    found.sort_by(f64::total_cmp);
    Some(Interval { difference: ratio(all), low: quantile(&found, TAIL), high: quantile(&found, 1.0 - TAIL) })
}

/// The row of a draw.
#[inline]
fn drawn(key: u64, draw: u64, rows: usize) -> usize {
    let bits = mix(key.wrapping_add(draw.wrapping_add(1).wrapping_mul(STRIDE)));
    usize::try_from(((bits >> 32) * rows as u64) >> 32).unwrap_or(0)
}

/// A quantile of sorted numbers, with linear interpolation.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there are 10,000 numbers, and a share of them is no less than 0"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
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
        fn it_holds_together(rows in prop::collection::vec((-3.0_f64..3.0, 0.5_f64..4.0), 1..60), key: u64) {
            let (differences, weights): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
            let one = interval(&differences, &weights, key).unwrap();
            prop_assert!(one.low <= one.high);
            let turned: Vec<f64> = differences.iter().map(|difference| -difference).collect();
            let other = interval(&turned, &weights, key).unwrap();
            prop_assert_eq!(other.difference, -one.difference);
            prop_assert!((other.low + one.high).abs() < 1e-12 && (other.high + one.low).abs() < 1e-12);
            prop_assert_eq!(interval(&differences, &weights, key), Some(one));
        }
    }

    #[test]
    fn no_difference_has_no_width() {
        let none = Interval { difference: 0.0, low: 0.0, high: 0.0 };
        assert_eq!(interval(&[0.0; 30], &[1.0; 30], 7), Some(none));
    }

    #[test]
    fn no_rows_and_no_weight_have_no_interval() {
        assert_eq!(interval(&[], &[], 1), None);
        assert_eq!(interval(&[1.0], &[0.0], 1), None);
        assert_eq!(interval(&[f64::NAN, 1.0], &[1.0, 1.0], 1), None);
    }

    #[test]
    fn every_row_is_drawn_as_often_as_the_others() {
        let mut counts = [0_u32; 7];
        (0..70_000).for_each(|draw| counts[drawn(3, draw, 7)] += 1);
        // Chi-square with 6 degrees of freedom: above 22.5 once in a thousand keys.
        let chi_square: f64 = counts.iter().map(|&count| (f64::from(count) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi_square < 22.5, "{counts:?}");
    }
}
