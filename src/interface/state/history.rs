//! What the run has done so far.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::{Evaluation, Intervention, Memory, Step};
use crate::series::{Curve, Series};

/// Steps that the pace is taken from.
const WINDOW: usize = 64;

/// Curves, evaluations and interventions.
#[derive(Debug, Clone)]
pub struct History {
    /// Training loss.
    pub loss: Curve,
    /// Validation loss.
    pub eval_loss: Series,
    /// Validation accuracy.
    pub accuracy: Series,
    /// Resident bytes.
    pub memory: Series,
    /// The largest of them.
    pub peak_memory: u64,
    /// Every evaluation.
    pub evaluations: Vec<Evaluation>,
    /// Changes by hand.
    pub interventions: Vec<Intervention>,
}

impl History {
    /// An empty history whose loss is smoothed with this weight.
    #[must_use]
    pub fn new(smoothing: f64) -> Self {
        Self {
            loss: Curve::new(smoothing),
            eval_loss: Series::default(),
            accuracy: Series::default(),
            memory: Series::default(),
            peak_memory: 0,
            evaluations: Vec::new(),
            interventions: Vec::new(),
        }
    }

    /// Takes in an evaluation.
    pub fn evaluated(&mut self, evaluation: Evaluation) {
        self.eval_loss.push(evaluation.step, evaluation.eval_loss);
        self.accuracy.push(evaluation.step, evaluation.accuracy);
        self.evaluations.push(evaluation);
    }

    /// Takes in where the memory is.
    #[expect(clippy::cast_precision_loss, reason = "a curve of bytes is drawn, not counted")]
    pub fn remembered(&mut self, memory: &Memory) {
        self.memory.push(memory.step, memory.total as f64);
        self.peak_memory = self.peak_memory.max(memory.total);
    }

    /// The best evaluation, the earliest of equals.
    #[must_use]
    pub fn best(&self) -> Option<&Evaluation> {
        let finite = |evaluation: &&Evaluation| evaluation.accuracy.is_finite() && evaluation.eval_loss.is_finite();
        self.evaluations.iter().filter(finite).reduce(|best, next| if next.is_better_than(best) { next } else { best })
    }
}

/// The newest steps, and how fast they went.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    steps: VecDeque<Step>,
}

impl Pace {
    /// Takes in a step.
    pub fn push(&mut self, step: Step) {
        if self.steps.len() == WINDOW {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// The newest step.
    #[must_use]
    pub fn latest(&self) -> Option<&Step> {
        self.steps.back()
    }

    /// Median wall time of a step.
    #[must_use]
    pub fn median_seconds(&self) -> Option<f64> {
        let mut seconds: Vec<f64> = self.steps.iter().map(|step| step.seconds).filter(|s| s.is_finite()).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }

    /// Examples and tokens a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
    pub fn rates(&self) -> Option<(f64, f64)> {
        let seconds: f64 = self.steps.iter().map(|step| step.seconds).sum();
        let examples: usize = self.steps.iter().map(|step| step.examples).sum();
        let tokens: usize = self.steps.iter().map(|step| step.tokens).sum();
        (seconds > 0.0 && seconds.is_finite()).then(|| (examples as f64 / seconds, tokens as f64 / seconds))
    }

    /// How long this many steps will take at the present pace.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate is rounded anyway")]
    pub fn time_for(&self, steps: u64) -> Option<Duration> {
        let total: f64 = self.steps.iter().map(|step| step.seconds).sum();
        let mean = total / self.steps.len().max(1) as f64;
        Duration::try_from_secs_f64(mean * steps as f64).ok().filter(|_| mean > 0.0)
    }
}
