//! ID3 (arXiv 2408.14470): step by step more scalars train, those with the best scores `|gradient| / (|weight| + e)^x`
//! among those that do not train yet, over all weights. A scalar is updated in the step in which it joins, and stays.
//!
//! As in the authors' code Adam's bias correction follows the steps of the run, not those since a scalar joined. Adam's
//! moments of a scalar start at zero when it joins.

use tch::{Kind, Tensor};

use super::Chosen;
use crate::Method;
use spartui_sparse::rank::{self, First};

impl Chosen {
    /// Lets the best scalars join before step `step` of `of`, and gathers the gradients of all that train.
    pub(super) fn unmask(&mut self, step: u64, of: u64) {
        let left = of.saturating_sub(step.saturating_sub(1)).max(1);
        let missing = self.budget().unwrap_or(0).saturating_sub(self.trainable());
        // The first steps take one more each, until the remainder is spent.
        let count = usize::try_from(missing.div_ceil(left)).unwrap_or(usize::MAX);
        let recipe = &self.settings.id3;
        let score = |weight: &Tensor, gradient: &Tensor| {
            let size = (weight.view(-1).to_kind(Kind::Float).abs() + recipe.epsilon).pow_tensor_scalar(recipe.exponent);
            gradient.abs() / size
        };
        let joining = tch::no_grad(|| {
            let mut best: Vec<(u32, usize, i64)> = Vec::new();
            for (at, weight) in self.weights.iter().enumerate().filter(|_| count > 0) {
                let Some(gradient) = &weight.dense else { continue };
                let scores = score(&weight.values, gradient).to_device(tch::Device::Cpu);
                let first = rank::first_of(&scores, First::Largest, count, &weight.delta.training(), (&[], &[]));
                let values = Vec::<f32>::try_from(scores.index_select(0, &Tensor::from_slice(&first)));
                let keys = values.unwrap_or_default().into_iter().map(|value| First::Largest.key(value));
                best.extend(keys.zip(first).map(|(key, index)| (key, at, index)));
                // Ties go to the earlier weight and position. No more are held than those of two weights.
                best.sort_unstable();
                best.truncate(count);
            }
            best
        });
        for (at, weight) in self.weights.iter_mut().enumerate() {
            let mut of_weight: Vec<i64> =
                joining.iter().filter(|(_, of, _)| *of == at).map(|(.., index)| *index).collect();
            of_weight.sort_unstable();
            tch::no_grad(|| weight.delta.join_at(&of_weight, 0));
            if let Some(dense) = weight.dense.take().filter(|_| weight.delta.count() > 0) {
                weight.gradients = Some(tch::no_grad(|| weight.gather(&dense)));
            }
        }
    }
}
