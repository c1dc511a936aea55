//! `SaRA` (arXiv 2409.06633): the scalars with small weights train, those below a threshold or the smallest ones of all
//! targets together. With `progressive` those that have left the range stop after half of the steps and keep their
//! values. The loss takes up the nuclear norm of the trained part of one weight, whose gradient is its polar factor.
//!
//! The authors draw the weight of the nuclear norm at random; here the weights take turns, so that a run is repeated.

use tch::{Device, Kind, Tensor};

use super::{Chosen, Weight};
use spartui_sparse::Change;
use spartui_sparse::rank::{self, First};

impl Chosen {
    pub(super) fn choose_small(&mut self) -> Result<(), String> {
        let threshold = self.settings.sara.threshold;
        let chosen = if threshold > 0.0 { self.below(threshold) } else { self.smallest(self.budget()?) };
        if chosen.iter().all(Vec::is_empty) {
            return Err(format!(
                "method.sara.threshold {threshold}: no weight of the targets is smaller; give a larger one, or 0 to train as many \
                 as method.sparsity says"
            ));
        }
        for (weight, indices) in self.weights.iter_mut().zip(chosen) {
            tch::no_grad(|| weight.delta.join_at(&indices, 0));
        }
        Ok(())
    }

    /// Scalars of each weight that are smaller than a threshold.
    fn below(&self, threshold: f64) -> Vec<Vec<i64>> {
        let below = |weight: &Weight| {
            let values = weight.values.view(-1).to_kind(Kind::Float).abs();
            Vec::try_from(values.lt(threshold).nonzero().view(-1).to_device(Device::Cpu)).unwrap_or_default()
        };
        self.weights.iter().map(below).collect()
    }

    /// The scalars of each weight that are among the smallest of all.
    fn smallest(&self, count: u64) -> Vec<Vec<i64>> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut keyed: Vec<(u32, usize, i64)> = Vec::new();
        for (at, weight) in self.weights.iter().enumerate() {
            let flat = weight.values.view(-1);
            let first = rank::first_of(&flat, First::Smallest, count, &[], (&[], &[]));
            let values = flat.index_select(0, &Tensor::from_slice(&first).to_device(flat.device()));
            let values = Vec::<f32>::try_from(values.to_kind(Kind::Float).to_device(Device::Cpu)).unwrap_or_default();
            let keys = values.into_iter().map(|value| First::Smallest.key(value));
            keyed.extend(keys.zip(first).map(|(key, index)| (key, at, index)));
            // No more are held than those of two weights.
            keyed.sort_unstable();
            keyed.truncate(count);
        }
        let mut chosen: Vec<Vec<i64>> = vec![Vec::new(); self.weights.len()];
        for (_, at, index) in keyed {
            chosen[at].push(index);
        }
        for indices in &mut chosen {
            indices.sort_unstable();
        }
        chosen
    }

    /// The threshold, or the largest of the weights that began to train.
    fn range(&self) -> f64 {
        let threshold = self.settings.sara.threshold;
        if threshold > 0.0 {
            return threshold;
        }
        let largest = |weight: &Weight| {
            let of_part = |original: &Tensor| original.abs().max().double_value(&[]);
            weight.delta.originals().filter(|original| original.numel() > 0).map(of_part).fold(0.0, f64::max)
        };
        // The largest one itself is in the range.
        self.weights.iter().map(largest).fold(0.0, f64::max).next_up()
    }

    /// Lets scalars go that have left the range, after half of the steps.
    pub(super) fn choose_again(&mut self, step: u64, of: u64, betas: [f64; 2]) {
        if !self.settings.sara.progressive || of < 2 || step != of / 2 {
            return;
        }
        let range = self.range();
        let small = tch::no_grad(|| self.below(range));
        for (weight, small) in self.weights.iter_mut().zip(small) {
            let training = weight.delta.training();
            let leaving: Vec<i64> = training.into_iter().filter(|index| small.binary_search(index).is_err()).collect();
            tch::no_grad(|| weight.delta.alter(&Change { joining: Vec::new(), leaving }, step, false, betas));
        }
    }

    /// Adds the gradient of the nuclear norm of the trained part of the weight whose turn it is. Returns its value.
    pub(super) fn add_nuclear_norm(&mut self, step: u64) -> f64 {
        let (strength, every) = (self.settings.sara.nuclear, self.settings.sara.nuclear_every.max(1));
        if strength <= 0.0 || !(step.saturating_sub(1)).is_multiple_of(every) {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
        let strength = strength * every as f64;
        let turn = usize::try_from((step.saturating_sub(1) / every) % self.weights.len().max(1) as u64).unwrap_or(0);
        let weight = &mut self.weights[turn];
        let Some(gradients) = weight.gradients.take() else { return 0.0 };
        tch::no_grad(|| {
            let flat = weight.values.view(-1).to_kind(Kind::Float);
            let trained = flat.zeros_like();
            for indices in weight.delta.indices() {
                let _ = trained.shallow_clone().index_copy_(0, indices, &flat.index_select(0, indices));
            }
            let trained = trained.view(weight.values.size().as_slice());
            let (u, values, v) = trained.svd(true, true);
            let polar = u.matmul(&v.tr()).view(-1) * strength;
            let with = gradients.into_iter().zip(weight.delta.indices());
            weight.gradients =
                Some(with.map(|(gradient, indices)| gradient + polar.index_select(0, indices)).collect());
            values.sum(Kind::Double).double_value(&[]) * strength
        })
    }
}
