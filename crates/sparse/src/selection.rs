//! Random selection of the trainable scalars of one weight.

use std::ops::Range;

use super::{sorted, wide};
use spartui_facts::permutation::{Permutation, derive_key};

/// A keyed permutation of all scalars of one weight, of which the first `count` train.
///
/// The sets are nested: that of a smaller count is a subset of that of a larger one. Seed and count determine them, so
/// that nothing else has to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    order: Permutation,
}

impl Selection {
    /// The permutation of a seed, a weight (by name) and its number of scalars.
    #[must_use]
    pub fn new(seed: u64, weight: &str, scalars: u64) -> Self {
        Self::keyed(derive_key(seed, "selection", weight), scalars)
    }

    /// The permutation of a key.
    #[must_use]
    pub fn keyed(key: u64, scalars: u64) -> Self {
        Self { order: Permutation::new(key, scalars) }
    }

    /// The first `count` scalars of the permutation that are not in `without` (sorted). The result is sorted; if there
    /// are fewer scalars, all of them.
    #[must_use]
    pub fn first_without(&self, count: usize, without: &[i64]) -> Vec<i64> {
        let count = count.min(usize::try_from(self.order.len()).unwrap_or(usize::MAX) - without.len());
        let (mut found, mut ranks) = (Vec::new(), 0);
        while found.len() < count {
            // This never takes more than are missing.
            let next = ranks + (count - found.len()) as u64;
            let some = self.indices(ranks..next);
            found.extend(some.into_iter().filter(|index| without.binary_search(index).is_err()));
            ranks = next;
        }
        found.sort_unstable();
        found
    }

    /// Flat indices of the scalars at these ranks, sorted.
    #[must_use]
    pub fn indices(&self, ranks: Range<u64>) -> Vec<i64> {
        let elements = wide::run(Elements { order: &self.order, ranks });
        sorted::sort(elements, self.order.len()).into_iter().map(u64::cast_signed).collect()
    }

    /// Whether the scalar at this flat index is among the first `count`.
    #[must_use]
    pub fn contains(&self, index: i64, count: u64) -> bool {
        self.order.rank_of(index.cast_unsigned()) < count
    }
}

/// The elements of a permutation at these ranks.
struct Elements<'a> {
    order: &'a Permutation,
    ranks: Range<u64>,
}

impl wide::Work for Elements<'_> {
    type Output = Vec<u64>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as `wide::Work` requires")]
    fn run(self) -> Vec<u64> {
        self.order.elements(self.ranks)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exact_sorted_and_distinct(seed: u64, scalars in 1_u64..5000, share in 0.0..=1.0) {
            let count = part(scalars, share);
            let indices = Selection::new(seed, "w", scalars).indices(0..count);
            prop_assert_eq!(indices.len() as u64, count);
            prop_assert!(indices.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(indices.iter().all(|&index| (0..scalars.cast_signed()).contains(&index)));
        }

        #[test]
        fn a_smaller_count_is_a_subset(seed: u64, scalars in 1_u64..5000, share in 0.0..=1.0, smaller in 0.0..=1.0) {
            let selection = Selection::new(seed, "w", scalars);
            let count = part(scalars, share);
            let large = selection.indices(0..count);
            let small = selection.indices(0..part(count, smaller));
            prop_assert!(small.iter().all(|index| large.binary_search(index).is_ok()));
        }

        #[test]
        fn what_is_left_out_makes_room_for_the_next(
            seed: u64, scalars in 1_u64..500, count in 0_usize..500, without in prop::collection::btree_set(0_i64..500, 0..200),
        ) {
            let selection = Selection::new(seed, "w", scalars);
            let without: Vec<i64> = without.into_iter().filter(|at| *at < scalars.cast_signed()).collect();
            let mut expected: Vec<i64> = (0..scalars)
                .map(|rank| selection.order.at(rank).cast_signed())
                .filter(|at| without.binary_search(at).is_err())
                .take(count)
                .collect();
            expected.sort_unstable();
            prop_assert_eq!(selection.first_without(count, &without), expected);
        }

        #[test]
        fn membership_agrees_with_the_list(seed: u64, scalars in 1_u64..2000, share in 0.0..=1.0) {
            let selection = Selection::new(seed, "w", scalars);
            let count = part(scalars, share);
            let list = selection.indices(0..count);
            for index in 0..scalars.cast_signed() {
                prop_assert_eq!(selection.contains(index, count), list.binary_search(&index).is_ok());
            }
        }
    }

    /// Adapters without indices, checkpoints and replays rest on this.
    #[test]
    fn the_same_seed_selects_the_same_scalars_for_ever() {
        let weight = Selection::new(10605, "model.layers.0.self_attn.v_proj.weight", 262_144);
        assert_eq!(weight.indices(0..6), [1_629, 3_922, 51_406, 68_467, 205_351, 206_794]);
        let odd = Selection::new(7, "bert.encoder.layer.3.output.dense.weight", 1_408_000);
        assert_eq!(odd.indices(1_000..1_006), [367_348, 868_198, 877_194, 1_022_622, 1_274_870, 1_288_543]);
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    fn part(of: u64, share: f64) -> u64 {
        (of as f64 * share) as u64
    }
}
