//! The optimizer's update rule.

use tch::Tensor;

/// The update rule of an optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// AdamW (Loshchilov and Hutter, 2019): decay decoupled from the gradient.
    AdamW,
    /// Adam-atan2 (Everett et al., arXiv 2407.05872): the arc tangent of the moments' quotient in place of the quotient,
    /// so that there is no epsilon, and a gradient of another scale gives the same update. Decay as in AdamW.
    AdamAtan2,
}

/// Factor of Adam-atan2's arc tangent, with which a steady gradient moves a value by 0.9975 of the rate.
pub(super) const ATAN2: f64 = 1.27;

/// An update rule and its hyperparameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// Decay rates of the first and second moment.
    pub betas: [f64; 2],
    /// Added to the denominator for numerical stability.
    pub epsilon: f64,
    /// Decoupled weight decay: each step subtracts `rate * weight_decay * value`.
    pub weight_decay: f64,
}

impl Optimizer {
    /// Applies one update to `value`. All tensors are `f32` and of one shape; `age` counts the updates of these
    /// scalars, this one included, so the first is 1.
    pub fn update(&self, value: &mut Tensor, moments: [&mut Tensor; 2], gradient: &Tensor, rate: f64, age: u64) {
        let [first, second] = moments;
        let [beta1, beta2] = self.betas;
        let _ = first.lerp_(gradient, 1.0 - beta1);
        let _ = second.lerp_(&gradient.square(), 1.0 - beta2);
        if self.weight_decay > 0.0 {
            let _ = value.g_mul_scalar_(1.0 - rate * self.weight_decay);
        }
        match self.rule {
            Rule::AdamW => {
                let denominator = second.sqrt() / Self::correction(beta2, age).sqrt() + self.epsilon;
                *value -= &*first / denominator * (rate / Self::correction(beta1, age));
            }
            Rule::AdamAtan2 => {
                let mean = &*first / Self::correction(beta1, age);
                let root = second.sqrt() / Self::correction(beta2, age).sqrt();
                *value -= mean.atan2(&root) * (ATAN2 * rate);
            }
        }
    }

    /// Adam's bias correction: the divisor of a moment of this age, which started from zero.
    pub(super) fn correction(beta: f64, age: u64) -> f64 {
        1.0 - beta.powf(exponent(age))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 steps")]
pub(super) fn exponent(age: u64) -> f64 {
    age as f64
}
