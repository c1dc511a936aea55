//! Changing the trainable set by given indices, and choosing them by value, score or delta.

use tch::{Device, Kind, Tensor};

use super::super::rank::{self, First};
use super::{Delta, Resized, to_vec};

/// A change of the trainable set of one weight. Flat indices, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Scalars that become trainable.
    pub joining: Vec<i64>,
    /// Scalars that cease to be trainable.
    pub leaving: Vec<i64>,
}

impl Delta {
    /// Applies a change of the trainable set; [`Delta::resize`] describes what happens to scalars that join or leave.
    pub fn alter(&mut self, change: &Change, step: u64, revert: bool, betas: [f64; 2]) -> Resized {
        let Change { joining, leaving } = change;
        if !leaving.is_empty() {
            self.deactivate(leaving, false, revert);
        }
        if !joining.is_empty() {
            self.merge_mature(betas, step);
            self.join(joining, step);
        }
        self.count = self.cohorts.iter().map(super::Cohort::len).sum();
        Resized { joined: joining.len() as u64, left: leaving.len() as u64 }
    }

    /// The indices of the trainable scalars, sorted.
    #[must_use]
    pub fn training(&self) -> Vec<i64> {
        let mut all: Vec<i64> = self.cohorts.iter().flat_map(|cohort| to_vec(&cohort.indices)).collect();
        all.sort_unstable();
        all
    }

    /// The change after which the first `count` scalars by magnitude of the original value train.
    #[must_use]
    pub fn to_count_by_value(&self, count: u64, first: First) -> Change {
        self.to_count(
            count,
            |missing| {
                let (at, values) = self.retired_values();
                rank::first_of(&self.weight, first, missing, &self.training(), (&at, &values))
            },
            || self.keyed(first, |cohort| cohort.original.to_kind(Kind::Float)),
        )
    }

    /// As [`Delta::to_count_by_value`], with scalars ranked by the magnitude of their `scores` (flat, one for each
    /// scalar of the weight), largest first.
    #[must_use]
    pub fn to_count_by_score(&self, count: u64, scores: &Tensor) -> Change {
        let first = First::Largest;
        self.to_count(
            count,
            |missing| rank::first_of(scores, first, missing, &self.training(), (&[], &[])),
            || self.keyed(first, |cohort| scores.index_select(0, &cohort.indices)),
        )
    }

    /// The change after which `count` scalars train, by deltas: the scalars with the smallest deltas leave; the retired
    /// scalars with the largest deltas join first, and then those that `others` returns. `others` takes the number of
    /// missing scalars and the sorted indices that it must not return.
    #[must_use]
    pub fn to_count_by_delta(&self, count: u64, others: impl FnOnce(usize, &[i64]) -> Vec<i64>) -> Change {
        let join = |missing: usize| {
            let (retired_indices, deltas) = match &self.retired {
                Some(retired) => (to_vec::<i64>(&retired.indices), to_vec::<f32>(&retired.delta)),
                None => (Vec::new(), Vec::new()),
            };
            let keyed =
                retired_indices.iter().zip(&deltas).map(|(&at, &delta)| (First::Largest.key(delta), at)).collect();
            let mut joining = rank::first_among(keyed, missing);
            if joining.len() < missing {
                let mut known = [self.training(), retired_indices].concat();
                known.sort_unstable();
                joining.extend(others(missing - joining.len(), &known));
                joining.sort_unstable();
            }
            joining
        };
        self.to_count(count, join, || self.keyed(First::Largest, |cohort| cohort.delta.shallow_clone()))
    }

    /// The `count` scalars with the smallest deltas, of those that train since step `born` or longer, sorted. If there
    /// are fewer, all of them.
    #[must_use]
    pub fn smallest(&self, count: usize, born: u64) -> Vec<i64> {
        let old = self.cohorts.iter().filter(|cohort| cohort.born <= born);
        let keyed = old.flat_map(|cohort| {
            let keys = to_vec::<f32>(&cohort.delta).into_iter().map(|delta| First::Smallest.key(delta));
            keys.zip(to_vec::<i64>(&cohort.indices)).collect::<Vec<_>>()
        });
        rank::first_among(keyed.collect(), count)
    }

    fn to_count(
        &self,
        count: u64,
        join: impl FnOnce(usize) -> Vec<i64>,
        keyed: impl FnOnce() -> Vec<(u32, i64)>,
    ) -> Change {
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Change {
            joining: if count > self.count { join(size(count - self.count)) } else { Vec::new() },
            leaving: if count < self.count { rank::last_among(keyed(), size(self.count - count)) } else { Vec::new() },
        }
    }

    /// The trainable scalars, each with the ranking key of a number that `number` takes from its cohort.
    fn keyed(&self, first: First, number: impl Fn(&super::Cohort) -> Tensor) -> Vec<(u32, i64)> {
        let keyed = self.cohorts.iter().flat_map(|cohort| {
            let numbers: Vec<f32> = to_vec(&number(cohort).to_device(Device::Cpu));
            numbers.into_iter().map(|number| first.key(number)).zip(to_vec::<i64>(&cohort.indices)).collect::<Vec<_>>()
        });
        keyed.collect()
    }

    /// Indices and original values of the retired scalars.
    fn retired_values(&self) -> (Vec<i64>, Vec<f32>) {
        match &self.retired {
            Some(retired) => (to_vec(&retired.indices), to_vec(&retired.original.to_kind(Kind::Float))),
            None => (Vec::new(), Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Cast, Optimizer, Rule, Selection};

    const ADAMW: Optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1 };

    fn train(delta: &mut Delta, step: u64) {
        let gradients: Vec<Tensor> =
            delta.indices().map(|indices| (indices.to_kind(Kind::Float) * 0.37).sin() + 0.1).collect();
        delta.update(&ADAMW, &gradients, (1e-2, 1.0), step + 1, |_| Cast::Nearest);
    }

    fn first_by_value(start: &Tensor, first: First, count: usize) -> Vec<i64> {
        let numbers: Vec<f32> = to_vec(&start.to_kind(Kind::Float));
        rank::first_among((0..).zip(numbers).map(|(at, number)| (first.key(number), at)).collect(), count)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn by_value_a_count_names_one_set_on_whatever_way_it_is_reached(
            counts in prop::collection::vec((0_usize..=60, any::<bool>()), 1..8), bfloat16: bool, largest: bool, equal: bool,
        ) {
            let kind = if bfloat16 { Kind::BFloat16 } else { Kind::Float };
            let first = if largest { First::Largest } else { First::Smallest };
            let start = Tensor::randn([60], (kind, Device::Cpu));
            let start = if equal { start.sign() } else { start };
            let weight = start.copy();
            let mut delta = Delta::new(&weight, Selection::new(3, "w", 60));
            for (step, (count, revert)) in (0_u64..).zip(counts) {
                let change = delta.to_count_by_value(count as u64, first);
                delta.alter(&change, step, revert, ADAMW.betas);
                prop_assert_eq!(delta.training(), first_by_value(&start, first, count));
                prop_assert_eq!(delta.count(), count as u64);
                train(&mut delta, step);
                let saved = delta.save();
                let mut touched: Vec<i64> = saved.iter().flat_map(|part| part.indices.clone()).collect();
                touched.sort_unstable();
                prop_assert!(touched.windows(2).all(|pair| pair[0] < pair[1]));
                // Decay moves what trains and nothing else.
                let others: Vec<i64> = (0..60).filter(|at| touched.binary_search(at).is_err()).collect();
                let others = Tensor::from_slice(&others);
                prop_assert_eq!(weight.index_select(0, &others), start.index_select(0, &others));
            }
            delta.remove();
            prop_assert_eq!(weight, start);
        }

        #[test]
        fn any_series_of_changes_keeps_counts_ages_and_the_weight(
            rounds in prop::collection::vec((0_usize..20, 0_usize..20, any::<bool>()), 1..10), seed: u64,
        ) {
            let start = Tensor::randn([80], (Kind::Float, Device::Cpu));
            let weight = start.copy();
            let mut delta = Delta::new(&weight, Selection::new(seed, "w", 80));
            delta.resize(30, 0, true, ADAMW.betas);
            let mut born: std::collections::BTreeMap<i64, u64> = delta.training().into_iter().map(|at| (at, 0)).collect();
            for (step, (leave, join, revert)) in (1_u64..).zip(rounds) {
                train(&mut delta, step - 1);
                let training = delta.training();
                let leaving = delta.smallest(leave, u64::MAX);
                let joining: Vec<i64> =
                    (0..80).filter(|at| training.binary_search(at).is_err()).take(join).collect();
                let change = Change { joining: joining.clone(), leaving: leaving.clone() };
                let count = delta.count();
                delta.alter(&change, step, revert, ADAMW.betas);
                prop_assert_eq!(delta.count(), count + joining.len() as u64 - leaving.len() as u64);
                born.retain(|at, _| !leaving.contains(at));
                born.extend(joining.iter().map(|&at| (at, step)));
                let now: std::collections::BTreeMap<i64, u64> = delta
                    .save()
                    .into_iter()
                    .filter_map(|part| part.born.map(|born| (born, part.indices)))
                    .flat_map(|(born, indices)| indices.into_iter().map(move |at| (at, born)))
                    .collect();
                prop_assert_eq!(&now, &born);
                for part in delta.save().into_iter().filter(|part| part.born == Some(step)) {
                    prop_assert!(part.first.iter().chain(&part.second).all(|moment| *moment == 0.0));
                }
                if revert {
                    let left = Tensor::from_slice(&leaving);
                    prop_assert_eq!(weight.index_select(0, &left), start.index_select(0, &left));
                }
            }
            delta.remove();
            prop_assert_eq!(weight, start);
        }
    }

    #[test]
    fn by_delta_the_smallest_leave_and_the_retired_come_back_first() {
        let weight = Tensor::zeros([10], (Kind::Float, Device::Cpu));
        let mut delta = Delta::new(&weight, Selection::new(3, "w", 10));
        delta.alter(&Change { joining: vec![1, 3, 5, 7], leaving: vec![] }, 0, false, ADAMW.betas);
        let gradient = Tensor::from_slice(&[1.0_f32, 1e-9, 1.0, -2e-9]);
        delta.update(&Optimizer { weight_decay: 0.0, ..ADAMW }, &[gradient], (1e-2, 1.0), 1, |_| Cast::Nearest);
        assert_eq!(delta.smallest(2, 0), [3, 7]);
        let fewer = delta.to_count_by_delta(2, |_, _| Vec::new());
        assert_eq!(fewer, Change { joining: vec![], leaving: vec![3, 7] });
        delta.alter(&fewer, 1, false, ADAMW.betas);
        assert_eq!(delta.to_count_by_delta(3, |_, _| Vec::new()).joining, [7]);
        let more = delta.to_count_by_delta(5, |missing, known| {
            assert_eq!((missing, known), (1, &[1_i64, 3, 5, 7][..]));
            vec![0]
        });
        assert_eq!(more.joining, [0, 3, 7]);
        assert_eq!(delta.smallest(9, 0), [1, 5]);
        delta.alter(&more, 2, false, ADAMW.betas);
        assert_eq!(delta.smallest(9, 1), [1, 5], "those that joined since are not looked at");
    }

    #[test]
    fn by_score_equal_scores_rank_by_position() {
        let weight = Tensor::randn([50], (Kind::Float, Device::Cpu));
        let mut delta = Delta::new(&weight, Selection::new(3, "w", 50));
        let scores = Tensor::zeros([50], (Kind::Float, Device::Cpu));
        for count in [0, 7, 50, 3, 3, 20] {
            let change = delta.to_count_by_score(count, &scores);
            delta.alter(&change, 0, true, ADAMW.betas);
            assert_eq!(delta.training(), (0..count.cast_signed()).collect::<Vec<_>>());
        }
        let scores = Tensor::arange(50, (Kind::Float, Device::Cpu)) - 25.0;
        delta.alter(&delta.to_count_by_score(0, &scores), 0, true, ADAMW.betas);
        delta.alter(&delta.to_count_by_score(3, &scores), 0, true, ADAMW.betas);
        assert_eq!(delta.training(), [0, 1, 49]);
    }
}
