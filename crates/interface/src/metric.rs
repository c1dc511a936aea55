//! The metrics of a run.

mod unit;

pub use unit::Unit;

use spartui_facts::protocol::{Evaluation, Step};

/// A metric of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Training loss.
    Loss,
    /// Norm of the gradient.
    Gradient,
    /// Learning rate.
    Rate,
    /// Sparsity.
    Sparsity,
    /// Trainable scalars.
    Trainable,
    /// Time of a step.
    StepTime,
    /// Tokens per second.
    Speed,
    /// Validation loss.
    EvalLoss,
    /// Validation accuracy.
    Accuracy,
    /// Matthews correlation on the validation rows.
    Mcc,
    /// Resident memory in bytes.
    Memory,
}

impl Metric {
    /// Number of step metrics; they come first.
    pub const OF_STEPS: usize = 7;

    /// Number of evaluation metrics; they come next.
    pub const OF_EVALUATIONS: usize = 3;

    /// All metrics, in the order of display.
    pub const ALL: [Self; 11] = [
        Self::Loss,
        Self::EvalLoss,
        Self::Accuracy,
        Self::Mcc,
        Self::Gradient,
        Self::Rate,
        Self::Speed,
        Self::StepTime,
        Self::Sparsity,
        Self::Trainable,
        Self::Memory,
    ];

    /// The step metrics, in the order of [`Metric::of_step`].
    pub const STEPS: [Self; Self::OF_STEPS] =
        [Self::Loss, Self::Gradient, Self::Rate, Self::Sparsity, Self::Trainable, Self::StepTime, Self::Speed];

    /// The step metrics of a step.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a curve is drawn, not counted")]
    pub fn of_step(step: &Step) -> [f64; Self::OF_STEPS] {
        let speed = if step.seconds > 0.0 { step.tokens as f64 / step.seconds } else { f64::NAN };
        [step.loss, step.grad_norm, step.learning_rate, step.sparsity, step.trainable as f64, step.seconds, speed]
    }

    /// The evaluation metrics of an evaluation; none where it has no value.
    #[must_use]
    pub fn of_evaluation(evaluation: &Evaluation) -> [Option<f64>; Self::OF_EVALUATIONS] {
        [Some(evaluation.eval_loss), Some(evaluation.accuracy), evaluation.mcc]
    }

    /// Its index among the step or evaluation metrics.
    #[must_use]
    pub fn source(self) -> Source {
        match self as usize {
            at if at < Self::OF_STEPS => Source::Step(at),
            at if at < Self::OF_STEPS + Self::OF_EVALUATIONS => Source::Evaluation(at - Self::OF_STEPS),
            _ => Source::Memory,
        }
    }

    /// Its title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Gradient => "gradient norm",
            Self::Rate => "learning rate",
            Self::Sparsity => "sparsity",
            Self::Trainable => "trainable scalars",
            Self::StepTime => "time of a step",
            Self::Speed => "tokens a second",
            Self::EvalLoss => "validation loss",
            Self::Accuracy => "validation accuracy",
            Self::Mcc => "validation mcc",
            Self::Memory => "memory",
        }
    }

    /// Its column name in a file.
    #[must_use]
    pub fn column(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Gradient => "grad_norm",
            Self::Rate => "learning_rate",
            Self::Sparsity => "sparsity",
            Self::Trainable => "trainable",
            Self::StepTime => "seconds",
            Self::Speed => "tokens_per_second",
            Self::EvalLoss => "eval_loss",
            Self::Accuracy => "accuracy",
            Self::Mcc => "mcc",
            Self::Memory => "memory_bytes",
        }
    }

    /// The unit of its values.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Sparsity | Self::Accuracy => Unit::Share,
            Self::StepTime => Unit::Seconds,
            Self::Trainable | Self::Speed => Unit::Count,
            Self::Memory => Unit::Bytes,
            Self::Loss | Self::Gradient | Self::Rate | Self::EvalLoss | Self::Mcc => Unit::Plain,
        }
    }

    /// Whether smoothing is useful: values set by hand have no noise.
    #[must_use]
    pub fn is_noisy(self) -> bool {
        matches!(self, Self::Loss | Self::Gradient | Self::StepTime | Self::Speed)
    }

    /// The metric this many places further in [`Metric::ALL`], cyclic.
    #[must_use]
    pub fn moved(self, by: isize) -> Self {
        let count = Self::ALL.len().cast_signed();
        let at = Self::ALL.iter().position(|metric| *metric == self).unwrap_or(0).cast_signed();
        Self::ALL[usize::try_from((at + by).rem_euclid(count)).unwrap_or(0)]
    }
}

/// The source of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A step metric, by index.
    Step(usize),
    /// An evaluation metric, by index.
    Evaluation(usize),
    /// The memory report.
    Memory,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_its_source() {
        for (at, metric) in Metric::STEPS.into_iter().enumerate() {
            assert_eq!(metric.source(), Source::Step(at));
        }
        assert_eq!(Metric::EvalLoss.source(), Source::Evaluation(0));
        assert_eq!(Metric::Mcc.source(), Source::Evaluation(2));
        assert_eq!(Metric::Memory.source(), Source::Memory);
        assert!(Metric::ALL.iter().enumerate().all(|(at, metric)| !Metric::ALL[..at].contains(metric)));
        assert_eq!(Metric::Memory.moved(1), Metric::Loss);
        assert_eq!(Metric::Loss.moved(-12), Metric::Memory);
    }
}
