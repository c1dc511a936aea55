//! Changing the number of trainable scalars of a weight.

use tch::{Kind, Tensor};

use super::super::{sorted, threads};
use super::{Cohort, Delta, Resized, Retired, to_vec};

impl Delta {
    /// Makes the first `count` scalars of the selection train. `step` counts the optimizer steps taken.
    ///
    /// Scalars that join start with zero moments, at age 0, and with a zero delta, or with the delta that they had
    /// when they were retired, so that the weight does not change. Scalars that leave are retired with their
    /// delta, or, with `revert`, get their original value back.
    pub fn resize(&mut self, count: u64, step: u64, revert: bool, betas: [f64; 2]) -> Resized {
        let before = std::mem::replace(&mut self.count, count);
        if count < before {
            self.shrink(before, revert);
        } else if count > before {
            self.merge_mature(betas, step);
            self.grow(before, step);
        }
        Resized { joined: count.saturating_sub(before), left: before.saturating_sub(count) }
    }

    /// As [`Delta::resize`], for many weights at once, each with its count.
    pub fn resize_together<'a>(
        deltas: impl IntoIterator<Item = (&'a mut Self, u64)>,
        step: u64,
        revert: bool,
        betas: [f64; 2],
    ) -> Vec<Resized> {
        struct Change<'a> {
            delta: &'a mut Delta,
            count: u64,
            done: Resized,
        }
        let change = |(delta, count)| Change { delta, count, done: Resized::default() };
        let mut changes: Vec<_> = deltas.into_iter().map(change).collect();
        threads::each(&mut changes, threads::count(), |Change { delta, count, done }| {
            *done = delta.resize(*count, step, revert, betas);
        });
        changes.into_iter().map(|change| change.done).collect()
    }

    fn shrink(&mut self, before: u64, revert: bool) {
        // The smaller set is looked up: the scalars that leave or those that stay.
        let few_stay = self.count < before - self.count;
        let few = self.selection.indices(if few_stay { 0..self.count } else { self.count..before });
        self.deactivate(&few, few_stay, revert);
    }

    /// Retires or reverts trainable scalars: with `few_stay` all but `few` (sorted), else those of `few`.
    pub(super) fn deactivate(&mut self, few: &[i64], few_stay: bool, revert: bool) {
        for cohort in std::mem::take(&mut self.cohorts) {
            let [among, others] = sorted::split(&to_vec(&cohort.indices), few).map(|places| self.on_device(&places));
            let (stays, leaves) = if few_stay { (among, others) } else { (others, among) };
            let gone = Retired {
                indices: cohort.indices.index_select(0, &leaves),
                original: cohort.original.index_select(0, &leaves),
                delta: cohort.delta.index_select(0, &leaves),
            };
            if revert {
                let _ = self.weight.index_copy_(0, &gone.indices, &gone.original);
            } else {
                self.retired = Some(gone.merge(self.retired.take()));
            }
            if stays.numel() > 0 {
                self.cohorts.push(cohort.pick(&stays));
            }
        }
    }

    /// Makes frozen scalars (sorted) trainable as if they had been so since `born` steps were taken, with zero moments:
    /// they join the cohort of that age, if there is one.
    pub fn join_at(&mut self, joining: &[i64], born: u64) {
        if joining.is_empty() {
            return;
        }
        self.join(joining, born);
        let (same, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.cohorts).into_iter().partition(|cohort| cohort.born == born);
        self.cohorts = others.into_iter().chain(Cohort::merge(same)).collect();
        self.count = self.cohorts.iter().map(Cohort::len).sum();
    }

    fn grow(&mut self, before: u64, step: u64) {
        let joining = self.selection.indices(before..self.count);
        self.join(&joining, step);
    }

    /// Makes frozen scalars (sorted) trainable.
    pub(super) fn join(&mut self, joining: &[i64], step: u64) {
        let indices = self.on_device(joining);
        let mut original = self.weight.index_select(0, &indices);
        let mut delta = Tensor::zeros(indices.size(), (Kind::Float, indices.device()));
        if let Some(retired) = self.retired.take() {
            let retired_indices = to_vec(&retired.indices);
            let [returning, _] = sorted::split(joining, &retired_indices).map(|places| self.on_device(&places));
            let [returns, stays] = sorted::split(&retired_indices, joining).map(|places| self.on_device(&places));
            let _ = original.index_copy_(0, &returning, &retired.original.index_select(0, &returns));
            let _ = delta.index_copy_(0, &returning, &retired.delta.index_select(0, &returns));
            self.retired = (stays.numel() > 0).then(|| retired.pick(&stays));
        }
        self.cohorts.push(Cohort::newborn(step, indices, original, delta));
    }

    /// Merges the cohorts whose ages no longer matter, so that the number of cohorts stays small however often the
    /// sparsity changes.
    pub(super) fn merge_mature(&mut self, betas: [f64; 2], step: u64) {
        let (mature, young): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.cohorts).into_iter().partition(|cohort| cohort.is_mature(betas, step));
        self.cohorts = Cohort::merge(mature).into_iter().chain(young).collect();
    }

    fn on_device(&self, indices: &[i64]) -> Tensor {
        Tensor::from_slice(indices).to_device(self.weight.device())
    }
}

impl Cohort {
    /// The scalars at these positions.
    fn pick(&self, places: &Tensor) -> Self {
        let pick = |all: &Tensor| all.index_select(0, places);
        Self {
            born: self.born,
            indices: pick(&self.indices),
            original: pick(&self.original),
            delta: pick(&self.delta),
            first: pick(&self.first),
            second: pick(&self.second),
        }
    }

    /// Merges cohorts into one with the age of the youngest; none for an empty list.
    fn merge(mut cohorts: Vec<Self>) -> Option<Self> {
        let born = cohorts.iter().map(|cohort| cohort.born).max()?;
        if cohorts.len() == 1 {
            return cohorts.pop();
        }
        let joined = |part: fn(&Self) -> &Tensor| Tensor::cat(&cohorts.iter().map(part).collect::<Vec<_>>(), 0);
        let joined = Self {
            born,
            indices: joined(|cohort| &cohort.indices),
            original: joined(|cohort| &cohort.original),
            delta: joined(|cohort| &cohort.delta),
            first: joined(|cohort| &cohort.first),
            second: joined(|cohort| &cohort.second),
        };
        let lists: Vec<Vec<i64>> = cohorts.iter().map(|cohort| to_vec(&cohort.indices)).collect();
        Some(joined.pick(&Tensor::from_slice(&sorted::order(&lists)).to_device(joined.indices.device())))
    }
}

impl Retired {
    /// The scalars at these positions.
    fn pick(&self, places: &Tensor) -> Self {
        let pick = |all: &Tensor| all.index_select(0, places);
        Self { indices: pick(&self.indices), original: pick(&self.original), delta: pick(&self.delta) }
    }

    fn merge(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        let order = sorted::order(&[to_vec(&self.indices), to_vec(&other.indices)]);
        let joined = Self {
            indices: Tensor::cat(&[self.indices, other.indices], 0),
            original: Tensor::cat(&[self.original, other.original], 0),
            delta: Tensor::cat(&[self.delta, other.delta], 0),
        };
        joined.pick(&Tensor::from_slice(&order).to_device(joined.indices.device()))
    }
}
