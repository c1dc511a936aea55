//! Saved values of a weight at the scalars that training has changed.

use tch::Tensor;

use super::super::Cast;
use super::super::cohort::sum;
use super::{Delta, Saved};

/// Values of a weight at one step. Applying the patch writes them; reverting it restores the original values. Both are
/// exact to the bit.
#[derive(Debug)]
pub struct Patch {
    /// Flat; shares its memory with the model's.
    weight: Tensor,
    /// Flat indices and original values; none for a patch of the whole weight, whose original values are not kept.
    sparse: Option<(Tensor, Tensor)>,
    value: Tensor,
}

impl Patch {
    /// A patch of the whole weight with the values of `value`.
    #[must_use]
    pub fn whole(weight: &Tensor, value: &Tensor) -> Self {
        let weight = weight.detach().view(-1);
        let value = value.detach().reshape(-1).to_device(weight.device()).to_kind(weight.kind());
        // A value that shares the weight's memory would change with it.
        let value = if value.data_ptr() == weight.data_ptr() { value.copy() } else { value };
        Self { weight, sparse: None, value }
    }

    /// Writes the saved values into the weight.
    pub fn apply(&self) {
        let mut weight = self.weight.shallow_clone();
        match &self.sparse {
            Some((indices, _)) => drop(weight.index_copy_(0, indices, &self.value)),
            None => weight.copy_(&self.value),
        }
    }

    /// Writes the original values into the weight, where they are kept.
    pub fn revert(&self) {
        if let Some((indices, original)) = &self.sparse {
            let _ = self.weight.shallow_clone().index_copy_(0, indices, original);
        }
    }
}

impl Delta {
    /// The current values of all trainable and retired scalars.
    #[must_use]
    pub fn patches(&self) -> Vec<Patch> {
        let patch = |(indices, original, _): (&Tensor, &Tensor, &Tensor)| Patch {
            weight: self.weight.shallow_clone(),
            value: self.weight.index_select(0, indices),
            sparse: Some((indices.shallow_clone(), original.shallow_clone())),
        };
        self.parts().map(patch).collect()
    }

    /// The values of a part of a saved state: `original + delta` rounded to nearest, or `written` where it is given.
    /// The weight must hold its original values.
    #[must_use]
    pub fn patch_of(&self, saved: &Saved, written: Option<Tensor>) -> Patch {
        let device = self.weight.device();
        let indices = Tensor::from_slice(&saved.indices).to_device(device);
        let original = self.weight.index_select(0, &indices);
        let value = match written {
            Some(written) => written.to_device(device),
            None => sum(&original, &Tensor::from_slice(&saved.delta).to_device(device), Cast::Nearest),
        };
        Patch { weight: self.weight.shallow_clone(), sparse: Some((indices, original)), value }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::{Optimizer, Rule, Selection};

    #[test]
    fn lifting_and_laying_are_exact_and_a_saved_state_gives_the_same() {
        let start = Tensor::randn([30, 20], (Kind::BFloat16, Device::Cpu));
        let weight = start.copy();
        let mut delta = Delta::new(&weight, Selection::new(3, "w", 600));
        let optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };
        let train = |delta: &mut Delta, step: u64| {
            let gradients: Vec<Tensor> =
                delta.indices().map(|at| (at.to_kind(Kind::Float) * 0.37).sin() + 0.1).collect();
            delta.update(&optimizer, &gradients, (1e-2, 1.0), step, |_| Cast::Nearest);
        };
        delta.resize(300, 0, false, optimizer.betas);
        (1..4).for_each(|step| train(&mut delta, step));
        delta.resize(100, 3, false, optimizer.betas);
        train(&mut delta, 4);
        let (early, saved) = (weight.copy(), delta.save());
        delta.resize(400, 4, false, optimizer.betas);
        (5..8).for_each(|step| train(&mut delta, step));
        let late = weight.copy();
        assert_ne!(early, late);
        let now = delta.patches();
        now.iter().for_each(Patch::revert);
        assert_eq!(weight, start);
        let then: Vec<Patch> = saved.iter().map(|part| delta.patch_of(part, None)).collect();
        then.iter().for_each(Patch::apply);
        assert_eq!(weight, early);
        then.iter().for_each(Patch::revert);
        now.iter().for_each(Patch::apply);
        assert_eq!(weight, late);
    }

    #[test]
    fn a_whole_weight_is_copied() {
        let weight = Tensor::randn([4, 5], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let now = Patch::whole(&weight, &weight);
        let before = weight.detach().copy();
        tch::no_grad(|| {
            Patch::whole(&weight, &Tensor::zeros([20], (Kind::Float, Device::Cpu))).apply();
            assert_eq!(weight.abs().max().double_value(&[]), 0.0);
            now.revert();
            now.apply();
        });
        assert_eq!(weight.detach(), before);
    }
}
