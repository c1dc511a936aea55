//! The scalars of one weight that became trainable at the same step.

use tch::{Kind, Tensor};

use super::optimizer::exponent;
use super::{Cast, Optimizer};

/// The scalars of one weight that became trainable at the same step, so that all have the same age.
///
/// All tensors have the cohort's length and are on the weight's device.
#[derive(Debug)]
pub struct Cohort {
    /// Optimizer steps taken when these scalars became trainable.
    pub born: u64,
    /// Flat indices into the weight, sorted, `i64`.
    pub indices: Tensor,
    /// Their values before any training, in the weight's dtype.
    pub original: Tensor,
    /// Their deltas, `f32`.
    pub delta: Tensor,
    /// Adam's first moment, `f32`.
    pub first: Tensor,
    /// Adam's second moment, `f32`.
    pub second: Tensor,
}

impl Cohort {
    /// A new cohort, with zero moments.
    #[must_use]
    pub fn newborn(born: u64, indices: Tensor, original: Tensor, delta: Tensor) -> Self {
        let (first, second) = (delta.zeros_like(), delta.zeros_like());
        Self { born, indices, original, delta, first, second }
    }

    /// Number of scalars.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.indices.numel() as u64
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One update from `gradient` (`f32`, the cohort's length). `step` counts the optimizer's steps, this one
    /// included.
    pub fn update(&mut self, optimizer: &Optimizer, gradient: &Tensor, rate: f64, step: u64) {
        optimizer.update(&mut self.delta, [&mut self.first, &mut self.second], gradient, rate, step - self.born);
    }

    /// The trained values of the weight: `cast(original + delta)`, in the weight's dtype.
    pub fn values(&self, cast: Cast) -> Tensor {
        sum(&self.original, &self.delta, cast)
    }

    /// Whether Adam's bias correction is exactly 1 at this age, so that the cohort can be merged with others of which
    /// the same holds.
    #[must_use]
    pub fn is_mature(&self, betas: [f64; 2], step: u64) -> bool {
        betas.iter().all(|beta| 1.0 - beta.powf(exponent(step.saturating_sub(self.born))) == 1.0)
    }
}

/// `cast(original + delta)`, in the dtype of `original`.
pub(super) fn sum(original: &Tensor, delta: &Tensor, cast: Cast) -> Tensor {
    cast.apply(&(original.to_kind(Kind::Float) + delta), original.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rule;

    const ADAMW: Optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 };

    #[test]
    fn the_first_update_has_the_size_of_the_rate_at_any_step() {
        for born in [0, 1000] {
            let zeros = Tensor::zeros([3], (Kind::Float, tch::Device::Cpu));
            let mut cohort = Cohort::newborn(born, Tensor::from_slice(&[1_i64, 4, 7]), zeros.copy(), zeros);
            cohort.update(&ADAMW, &Tensor::from_slice(&[0.3_f32, -2e-3, 50.0]), 1e-3, born + 1);
            let delta: Vec<f32> = Vec::try_from(&cohort.delta).unwrap();
            for (delta, expected) in delta.into_iter().zip([-1e-3, 1e-3, -1e-3]) {
                assert!((delta - expected).abs() < 1e-7, "born at {born}: {delta}");
            }
        }
    }

    #[test]
    fn decay_shrinks_the_value_apart_from_the_gradient() {
        let mut value = Tensor::from_slice(&[2.0_f32]);
        let [mut first, mut second] = [value.zeros_like(), value.zeros_like()];
        let optimizer = Optimizer { weight_decay: 0.5, ..ADAMW };
        optimizer.update(&mut value, [&mut first, &mut second], &Tensor::from_slice(&[0.0_f32]), 0.1, 1);
        assert!((value.double_value(&[0]) - 1.9).abs() < 1e-6);
    }
}
