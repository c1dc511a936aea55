//! Scores of multi-label classifiers and of regression models.

use tch::{Kind, Reduction, Tensor};

/// Scores of a multi-label classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnyLabelScores {
    /// Mean binary cross-entropy over rows and labels, in nats.
    pub loss: f64,
    /// Subset accuracy: share of rows with exactly the right labels.
    pub accuracy: f64,
    /// F1 over all rows and labels (micro average); 0 where no label is true or predicted.
    pub f1: f64,
}

/// Scores of a regression model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberScores {
    /// Mean squared error.
    pub loss: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Coefficient of determination, the mean over the outputs; none where the targets of an output are all equal.
    pub r2: Option<f64>,
}

impl AnyLabelScores {
    /// From logits and targets of 0 and 1, `[rows, labels]` both. A label is predicted where its probability is at
    /// least 1/2.
    #[must_use]
    pub fn of(logits: &Tensor, answers: &Tensor) -> Self {
        let (logits, answers) = (logits.to_kind(Kind::Double), answers.to_kind(Kind::Double));
        let loss = logits.binary_cross_entropy_with_logits::<Tensor>(&answers, None, None, Reduction::Mean);
        let (found, right) = (logits.ge(0.0), answers.ge(0.5));
        let exact = found.eq_tensor(&right).all_dim(1, false).to_kind(Kind::Double).mean(Kind::Double);
        let hits = sum(&found.logical_and(&right));
        let all = sum(&found) + sum(&right);
        Self { loss: number(&loss), accuracy: number(&exact), f1: if all > 0.0 { 2.0 * hits / all } else { 0.0 } }
    }
}

impl NumberScores {
    /// From predictions and targets, `[rows, outputs]` both.
    #[must_use]
    pub fn of(numbers: &Tensor, answers: &Tensor) -> Self {
        let (numbers, answers) = (numbers.to_kind(Kind::Double), answers.to_kind(Kind::Double));
        let apart = &numbers - &answers;
        let spread = &answers - answers.mean_dim(0, true, Kind::Double);
        let squares = |x: &Tensor| x.square().sum_dim_intlist([0_i64].as_slice(), false, Kind::Double);
        let (missed, spread) = (squares(&apart), squares(&spread));
        let is_defined = number(&spread.min()) > 0.0;
        Self {
            loss: number(&apart.square().mean(Kind::Double)),
            mae: number(&apart.abs().mean(Kind::Double)),
            r2: is_defined.then(|| 1.0 - number(&(missed / spread).mean(Kind::Double))),
        }
    }
}

fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

fn sum(flags: &Tensor) -> f64 {
    number(&flags.to_kind(Kind::Double).sum(Kind::Double))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_all_the_same_explain_nothing() {
        let (numbers, answers) = (Tensor::from_slice(&[1.0, 3.0]), Tensor::from_slice(&[2.0, 2.0]));
        let scores = NumberScores::of(&numbers.view([2, 1]), &answers.view([2, 1]));
        assert_eq!(scores, NumberScores { loss: 1.0, mae: 1.0, r2: None });
        let none = Tensor::zeros([2, 2], (Kind::Float, tch::Device::Cpu));
        assert_eq!(AnyLabelScores::of(&(&none - 1.0), &none).f1, 0.0);
    }
}
