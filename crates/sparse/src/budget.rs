//! The number of trainable scalars of each weight.

use std::cmp::Ordering;

/// The size of one adapted weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Number of its scalars.
    pub scalars: u64,
    /// Share of them that trains, where it is given; else the weight takes part in the proportional allocation.
    pub density: Option<f64>,
}

/// The sizes from which the budget is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// All parameters of the model, head included.
    pub parameters: u64,
    /// Parameters that always train: the head, and rows of tokens.
    pub always: u64,
    /// Those of them that are rows of tokens.
    pub rows: u64,
    /// The weights that are adapted.
    pub weights: Vec<Share>,
}

impl Budget {
    /// The lowest and the highest sparsity that [`Budget::counts`] accepts: all adapted scalars train, or one of them.
    #[must_use]
    pub fn sparsity_bounds(&self) -> (f64, f64) {
        (self.sparsity_of(self.always + self.adapted()), self.sparsity_of(self.always + 1))
    }

    /// The sparsity for this number of trainable parameters, head included.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
    pub fn sparsity_of(&self, trainable: u64) -> f64 {
        1.0 - trainable as f64 / self.parameters as f64
    }

    /// Number of trainable scalars of each weight.
    ///
    /// The whole budget is `(1 - sparsity) * parameters`, the head included. The rest is allocated to all adapted
    /// weights in proportion to their sizes, exactly, by Webster's method (Sainte-Laguë), which is monotone: a larger
    /// budget takes nothing from any weight, so that the selections stay nested. A weight with a density of its own
    /// gets that instead; this does not change the counts of the others.
    ///
    /// # Errors
    /// One sentence that names the bound, where the sparsity is below or above what is possible.
    pub fn counts(&self, sparsity: f64) -> Result<Vec<u64>, String> {
        if self.weights.is_empty() {
            return Ok(Vec::new());
        }
        let (lowest, highest) = self.sparsity_bounds();
        // A bound that was printed with few digits and typed in again counts as the bound.
        let slack = 0.5e-6;
        if sparsity < lowest - slack {
            return Err(format!(
                "method.sparsity {sparsity} is too low: with these targets at least {:.4} % of all parameters stay frozen; \
                 take {} or more, or adapt more groups (method.targets)",
                lowest * 100.0,
                round_up(lowest),
            ));
        }
        if sparsity > highest + slack {
            return Err(format!(
                "method.sparsity {sparsity} is too high: {} {} of {} parameters; take {} or less",
                self.always_called(),
                self.always,
                self.parameters,
                round_down(highest),
            ));
        }
        Ok(self.spread(self.trainable_at(sparsity).saturating_sub(self.always).clamp(1, self.adapted())))
    }

    /// As [`Budget::counts`], for a number of trainable parameters, head included.
    ///
    /// # Errors
    /// One sentence that names the bound, where the number is too low or too high.
    pub fn counts_of(&self, trainable: u64) -> Result<Vec<u64>, String> {
        if self.weights.is_empty() {
            return Ok(Vec::new());
        }
        let (fewest, most) = (self.always + 1, self.always + self.adapted());
        if trainable < fewest {
            return Err(format!(
                "method.trainable {trainable} is too low: {} {} of {} parameters; take {fewest} or more",
                self.always_called(),
                self.always,
                self.parameters,
            ));
        }
        if trainable > most {
            return Err(format!(
                "method.trainable {trainable} is too high: head and targets have {most} parameters; take {most} or fewer, or \
                 adapt more groups (method.targets)",
            ));
        }
        Ok(self.spread(trainable - self.always))
    }

    /// What always trains, as the subject of a sentence.
    fn always_called(&self) -> &'static str {
        match (self.always == self.rows, self.rows) {
            (_, 0) => "the head alone has",
            (true, _) => "the tokens that train in full have",
            (false, _) => "the head and the tokens that train in full have",
        }
    }

    /// Number of scalars of all adapted weights.
    fn adapted(&self) -> u64 {
        self.weights.iter().map(|weight| weight.scalars).sum()
    }

    /// Allocates `scalars` to all weights by size; a weight with a density of its own gets that instead.
    fn spread(&self, scalars: u64) -> Vec<u64> {
        let even = spread(&self.weights, scalars);
        let own = |(weight, even): (&Share, u64)| weight.density.map_or(even, |density| part(weight.scalars, density));
        self.weights.iter().zip(even).map(own).collect()
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "parameters are below 2^53, a share of them is not negative"
    )]
    fn trainable_at(&self, sparsity: f64) -> u64 {
        ((1.0 - sparsity) * self.parameters as f64).round() as u64
    }
}

/// The share `density` of `scalars`, at least one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "scalars are below 2^53, a density is not negative"
)]
fn part(scalars: u64, density: f64) -> u64 {
    ((density * scalars as f64).round() as u64).clamp(1, scalars.max(1))
}

/// Webster's apportionment of `seats` to weights by size. `seats` is at most the sum of the sizes.
fn spread(weights: &[Share], seats: u64) -> Vec<u64> {
    let total: u128 = weights.iter().map(|weight| u128::from(weight.scalars)).sum();
    let rounded = |size: u64| {
        let share = (2 * u128::from(size) * u128::from(seats) + total) / (2 * total);
        u64::try_from(share).unwrap_or(u64::MAX)
    };
    let mut counts: Vec<u64> = weights.iter().map(|weight| rounded(weight.scalars)).collect();
    // Seats are ranked by size / (2 n - 1), n counting a weight's seats from 1, ties by position. This order does not
    // depend on the total, which makes the result monotone in it.
    let ranks_before = |(a, nth_a): (usize, u64), (b, nth_b): (usize, u64)| {
        let left = u128::from(weights[a].scalars) * u128::from(2 * nth_b - 1);
        let right = u128::from(weights[b].scalars) * u128::from(2 * nth_a - 1);
        left > right || (left == right && a < b)
    };
    loop {
        let given: u64 = counts.iter().sum();
        let candidates = 0..weights.len();
        match given.cmp(&seats) {
            Ordering::Less => {
                let next = candidates.reduce(|best, i| {
                    if ranks_before((i, counts[i] + 1), (best, counts[best] + 1)) { i } else { best }
                });
                if let Some(i) = next {
                    counts[i] += 1;
                }
            }
            Ordering::Greater => {
                let last = candidates
                    .filter(|&i| counts[i] > 0)
                    .reduce(|worst, i| if ranks_before((worst, counts[worst]), (i, counts[i])) { i } else { worst });
                if let Some(i) = last {
                    counts[i] -= 1;
                }
            }
            Ordering::Equal => return counts,
        }
    }
}

fn round_up(share: f64) -> f64 {
    (share * 1e6).ceil() / 1e6
}

fn round_down(share: f64) -> f64 {
    (share * 1e6).floor() / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(sizes: &[u64], frozen: u64, head: u64) -> Budget {
        let weights = sizes.iter().map(|&scalars| Share { scalars, density: None }).collect();
        Budget { parameters: sizes.iter().sum::<u64>() + frozen + head, always: head, rows: 0, weights }
    }

    proptest! {
        #[test]
        fn the_spread_is_exact_monotone_and_within_each_weight(
            sizes in prop::collection::vec(1_u64..400, 1..9), a in 0.0..=1.0, b in 0.0..=1.0,
        ) {
            let shares: Vec<Share> = sizes.iter().map(|&scalars| Share { scalars, density: None }).collect();
            let total: u64 = sizes.iter().sum();
            let (few, many) = (part(total, f64::min(a, b)), part(total, f64::max(a, b)));
            let (small, large) = (spread(&shares, few), spread(&shares, many));
            prop_assert_eq!(small.iter().sum::<u64>(), few);
            prop_assert_eq!(large.iter().sum::<u64>(), many);
            for ((small, large), size) in small.iter().zip(&large).zip(&sizes) {
                prop_assert!(small <= large && large <= size);
            }
        }
    }

    #[test]
    fn the_head_is_inside_the_budget() {
        let counts = budget(&[400, 400], 9_190, 10).counts(0.99).unwrap();
        assert_eq!(counts, [45, 45]);
    }

    #[test]
    fn a_density_of_its_own_leaves_the_others_alone() {
        let mut budget = budget(&[400, 400], 9_190, 10);
        budget.weights[1].density = Some(0.5);
        assert_eq!(budget.counts(0.99).unwrap(), [45, 200]);
    }

    #[test]
    fn a_count_is_met_exactly_and_its_bounds_are_named() {
        let budget = budget(&[400, 300], 9_290, 10);
        for trainable in [11, 12, 57, 709, 710] {
            assert_eq!(budget.counts_of(trainable).unwrap().iter().sum::<u64>(), trainable - 10);
            assert_eq!(budget.counts(budget.sparsity_of(trainable)).unwrap(), budget.counts_of(trainable).unwrap());
        }
        let low = budget.counts_of(10).unwrap_err();
        assert!(low.contains("too low") && low.contains("take 11 or more"), "{low}");
        let high = budget.counts_of(711).unwrap_err();
        assert!(high.contains("too high") && high.contains("take 710 or fewer"), "{high}");
    }

    #[test]
    fn bounds_are_named_and_can_be_taken() {
        let budget = budget(&[400, 400], 9_190, 10);
        let low = budget.counts(0.5).unwrap_err();
        assert!(low.contains("0.919") && low.contains("too low"), "{low}");
        let high = budget.counts(0.99999).unwrap_err();
        assert!(high.contains("0.998") && high.contains("too high"), "{high}");
        assert_eq!(budget.counts(budget.sparsity_bounds().0).unwrap(), [400, 400]);
        assert_eq!(budget.counts(budget.sparsity_bounds().1).unwrap().iter().sum::<u64>(), 1);
    }
}
