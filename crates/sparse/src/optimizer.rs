//! How a gradient becomes an update.

use tch::Tensor;

/// Which rule an optimizer goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// AdamW (Loshchilov and Hutter, 2019): decay decoupled from the gradient.
    AdamW,
}

/// A rule and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// Decay of the first and second moment.
    pub betas: [f64; 2],
    /// Keeps the update from dividing by zero.
    pub epsilon: f64,
    /// Share of the value, times the rate, that is taken off at each step.
    pub weight_decay: f64,
}

impl Optimizer {
    /// Moves `value` by one update. All tensors are `f32` and of one shape; `age` counts the updates of these scalars,
    /// this one included, so the first is 1.
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
        }
    }

    /// What a moment of this age is divided by, since it started from zero.
    pub(super) fn correction(beta: f64, age: u64) -> f64 {
        1.0 - beta.powf(exponent(age))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 steps")]
pub(super) fn exponent(age: u64) -> f64 {
    age as f64
}
