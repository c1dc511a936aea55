//! McNemar's test (McNemar, 1947): two classifiers on the same rows, of which only those count that exactly one of
//! them has right.

use serde::Serialize;

use super::special::{binomial_half, chi_square_1};

/// From this many discordant rows on, the chi-square distribution replaces the binomial one.
pub const EXACT_BELOW: u64 = 25;

/// The distribution of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Two-sided binomial test at one half.
    ExactBinomial,
    /// Chi-square with one degree of freedom, with continuity correction.
    ChiSquareCorrected,
}

/// The result of the test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Rows that only the first has right.
    pub only_first: u64,
    /// Rows that only the second has right.
    pub only_second: u64,
    /// The distribution used.
    pub test: Test,
    /// The chi-square statistic, if used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<f64>,
    /// Probability of a difference at least as large if both were equally good.
    pub p: f64,
}

/// The test for these numbers of rows that only the first, and only the second, has right.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "rows are below 2^53")]
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let discordant = only_first + only_second;
    if discordant < EXACT_BELOW {
        let p = binomial_half(only_first.min(only_second), discordant);
        return McNemar { only_first, only_second, test: Test::ExactBinomial, statistic: None, p };
    }
    // The correction cannot exceed the difference.
    let difference = only_first.abs_diff(only_second).saturating_sub(1) as f64;
    let statistic = difference * difference / discordant as f64;
    let (test, p) = (Test::ChiSquareCorrected, chi_square_1(statistic));
    McNemar { only_first, only_second, test, statistic: Some(statistic), p }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_probability_and_the_same_from_both_sides(a in 0_u64..3000, b in 0_u64..3000) {
            let one = mcnemar(a, b);
            prop_assert!((0.0..=1.0).contains(&one.p), "{one:?}");
            prop_assert_eq!(one.p, mcnemar(b, a).p);
            prop_assert_eq!(one.test == Test::ExactBinomial, a + b < 25);
        }

        #[test]
        fn a_larger_difference_is_less_likely(n in 1_u64..400, less in 0_u64..400) {
            let less = less % (n / 2 + 1);
            let p = |less: u64| mcnemar(less, n - less).p;
            prop_assert!(less == 0 || p(less - 1) <= p(less));
        }

        #[test]
        fn no_difference_is_no_evidence(n in 0_u64..1000) {
            prop_assert_eq!(mcnemar(n, n).p, 1.0);
        }
    }
}
