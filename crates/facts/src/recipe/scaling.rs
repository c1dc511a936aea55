//! Learning rates by class of parameter, by the exponents of "Scaling exponents across parameterizations and optimizers"
//! (arXiv 2407.05872): `rate (n / base)^(-c)` for a model of width n, where the rate was tuned at the width `base`. A
//! pretrained model's own parameterization is given; the exponents c say how the rate that was found on a smaller model
//! carries over to it.

use serde::{Deserialize, Serialize};

use super::Optimizer;

/// A parameterization, of which the exponents are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// Every class has the learning rate.
    None,
    /// The standard parameterization.
    Standard,
    /// That of the neural tangent kernel.
    Ntk,
    /// The maximal update parameterization.
    Mup,
    /// The mean-field parameterization.
    MeanField,
}

impl Scaling {
    /// The names in a recipe.
    pub const NAMES: [&str; 5] = ["none", "standard", "ntk", "mup", "mean_field"];
}

/// How far updates are assumed to be aligned with the activations that they meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// Fully.
    Full,
    /// Not at all.
    None,
}

impl Alignment {
    /// The names in a recipe.
    pub const NAMES: [&str; 2] = ["full", "none"];
}

/// A factor of the learning rate for each class of parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassFactors {
    /// Embeddings, and every vector: norms and biases.
    pub embedding: f64,
    /// Weights of the blocks, and what a method adds to them.
    pub hidden: f64,
    /// The classification head and the language-model head.
    pub readout: f64,
}

impl Optimizer {
    /// The factors for a model of this width.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a width is small")]
    pub fn class_factors(&self, width: i64) -> ClassFactors {
        // The exponents of Adam and its relatives.
        let [embedding, hidden, readout] = match (self.scaling, self.alignment) {
            (Scaling::None, _) | (Scaling::Ntk, Alignment::None) => [0.0; 3],
            (Scaling::Standard, Alignment::Full) => [0.0, 1.0, 1.0],
            (Scaling::Ntk, Alignment::Full) | (Scaling::Standard, Alignment::None) => [0.0, 0.5, 0.5],
            (Scaling::Mup, Alignment::Full) => [0.5, 1.0, 0.5],
            (Scaling::MeanField, Alignment::Full) => [0.0, 0.5, 0.0],
            (Scaling::Mup, Alignment::None) => [0.5, 0.5, 0.0],
            (Scaling::MeanField, Alignment::None) => [0.0, 0.0, 0.5],
        };
        let ratio = width.max(1) as f64 / self.base_width.max(1) as f64;
        let factor = |exponent: f64| ratio.powf(-exponent);
        ClassFactors { embedding: factor(embedding), hidden: factor(hidden), readout: factor(readout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factors_are_those_of_the_exponents() {
        let factors = |scaling, alignment| {
            let optimizer = Optimizer { scaling, alignment, base_width: 256, ..Optimizer::default() };
            let ClassFactors { embedding, hidden, readout } = optimizer.class_factors(4096);
            [embedding, hidden, readout]
        };
        // Sixteen times the base width: the factor of the exponent 1/2 is a quarter, that of 1 a sixteenth.
        let (half, one) = (0.25, 0.0625);
        let cases = [
            (Scaling::None, [1.0; 3], [1.0; 3]),
            (Scaling::Standard, [1.0, one, one], [1.0, half, half]),
            (Scaling::Ntk, [1.0, half, half], [1.0; 3]),
            (Scaling::Mup, [half, one, half], [half, half, 1.0]),
            (Scaling::MeanField, [1.0, half, 1.0], [1.0, 1.0, half]),
        ];
        for (scaling, full, none) in cases {
            assert_eq!(factors(scaling, Alignment::Full), full, "{scaling:?}");
            assert_eq!(factors(scaling, Alignment::None), none, "{scaling:?}");
        }
    }
}
