//! The run's history.

mod owners;
mod tree;

pub use owners::{OWNERS, Owners};
pub use tree::{BranchPath, Tree};

use std::collections::VecDeque;
use std::time::Duration;

use crate::metric::{Metric, Source};
use crate::widgets::Shape;
use spartui_facts::protocol::{self, Confusion, Evaluation, Intervention, Memory, Step};
use spartui_facts::series::{Curve, Series, median};

/// Number of steps that the pace is computed from.
const WINDOW: usize = 64;

/// Curves, evaluations and changes by hand up to the current state; those of abandoned branches are kept for when the
/// run goes back there.
#[derive(Debug, Clone)]
pub struct History {
    /// The branches.
    pub tree: Tree,
    /// Training loss.
    pub loss: Curve,
    /// The other step metrics, in the order of [`Metric::STEPS`] after the loss.
    others: [Curve; Metric::OF_STEPS - 1],
    /// Smoothed losses of abandoned branches, each from the step at which it leaves the current path.
    pub abandoned: Vec<Series>,
    /// Validation loss.
    pub eval_loss: Series,
    /// Validation accuracy.
    pub accuracy: Series,
    /// Matthews correlation on the validation rows.
    mcc: Series,
    /// Resident memory in bytes.
    pub memory: Series,
    /// Memory by owner.
    pub owners: Owners,
    /// Peak of the resident memory in bytes.
    pub peak_memory: u64,
    /// Every evaluation.
    pub evaluations: Vec<Evaluation>,
    /// The confusion matrix of the last evaluation, for a classifier.
    pub confusion: Option<Confusion>,
    /// Changes by hand.
    pub interventions: Vec<Intervention>,
    weight: f64,
    all_evaluations: Vec<Evaluation>,
    /// All changes by hand, each with its branch.
    all_interventions: Vec<(u32, Intervention)>,
}

impl History {
    /// An empty history whose loss is smoothed with this weight.
    #[must_use]
    pub fn new(smoothing: f64) -> Self {
        Self {
            tree: Tree::default(),
            loss: Curve::new(smoothing),
            others: empty(smoothing),
            abandoned: Vec::new(),
            eval_loss: Series::default(),
            accuracy: Series::default(),
            mcc: Series::default(),
            memory: Series::default(),
            owners: Owners::default(),
            peak_memory: 0,
            evaluations: Vec::new(),
            confusion: None,
            interventions: Vec::new(),
            weight: smoothing,
            all_evaluations: Vec::new(),
            all_interventions: Vec::new(),
        }
    }

    /// Adds a step.
    pub fn add_step(&mut self, step: &Step) {
        if step.branch != self.tree.current {
            self.go_to(step.branch, step.step.saturating_sub(1));
        }
        self.tree.push(step);
        self.loss.push(step.step, step.loss);
        for (curve, value) in self.others.iter_mut().zip(&Metric::of_step(step)[1..]) {
            curve.push(step.step, *value);
        }
    }

    /// The curve of a metric.
    #[must_use]
    pub fn curve(&self, metric: Metric) -> Shape<'_> {
        let curve = match metric.source() {
            Source::Step(0) => &self.loss,
            Source::Step(at) => &self.others[at - 1],
            Source::Evaluation(0) => return Shape::Series(&self.eval_loss),
            Source::Evaluation(1) => return Shape::Series(&self.accuracy),
            Source::Evaluation(_) => return Shape::Series(&self.mcc),
            Source::Memory => return Shape::Series(&self.memory),
        };
        if metric.is_noisy() { Shape::Curve(curve) } else { Shape::Series(curve.raw()) }
    }

    /// Continues after this step on this branch, which may be new; returns whether it is.
    pub fn go_to(&mut self, branch: u32, step: u64) -> bool {
        let new = self.tree.go_to(branch, step);
        self.memory = self.memory.until(step);
        self.owners.cut(step);
        self.follow_path();
        new
    }

    /// Stores the engine's list of branches.
    pub fn set_branches(&mut self, branches: Vec<protocol::Branch>) {
        let before = self.tree.path();
        self.tree.list(branches);
        if self.tree.path() != before {
            self.follow_path();
        }
    }

    /// Changes the weight of the smoothing.
    pub fn smooth(&mut self, weight: f64) {
        self.weight = weight;
        self.loss.set_weight(weight);
        self.others.iter_mut().for_each(|curve| curve.set_weight(weight));
        self.abandoned = self.tree.abandoned(weight);
    }

    fn follow_path(&mut self) {
        let path = self.tree.path();
        (self.loss, self.others) = (Curve::new(self.weight), empty(self.weight));
        for (metric, curve) in std::iter::once(&mut self.loss).chain(&mut self.others).enumerate() {
            for (_, step, value) in self.tree.along(metric, &path) {
                curve.push(step, value);
            }
        }
        self.abandoned = self.tree.abandoned(self.weight);
        (self.eval_loss, self.accuracy, self.mcc) = (Series::default(), Series::default(), Series::default());
        self.evaluations.clear();
        let mut evaluations: Vec<Evaluation> = self.all_evaluations.clone();
        evaluations.retain(|evaluation| path.holds(evaluation.branch, evaluation.step));
        evaluations.sort_by_key(|evaluation| evaluation.step);
        for evaluation in evaluations {
            self.show(evaluation);
        }
        let changes = self.all_interventions.iter().filter(|(branch, change)| path.holds_change(*branch, change.step));
        self.interventions = changes.map(|(_, change)| change.clone()).collect();
        self.interventions.sort_by_key(|change| change.step);
    }

    /// Adds a change by hand.
    pub fn add_intervention(&mut self, intervention: Intervention) {
        self.all_interventions.push((self.tree.current, intervention.clone()));
        self.interventions.push(intervention);
    }

    /// Adds an evaluation.
    pub fn add_evaluation(&mut self, evaluation: Evaluation) {
        self.all_evaluations.push(evaluation);
        if self.tree.path().holds(evaluation.branch, evaluation.step) {
            self.show(evaluation);
        }
    }

    fn show(&mut self, evaluation: Evaluation) {
        self.eval_loss.push(evaluation.step, evaluation.eval_loss);
        self.accuracy.push(evaluation.step, evaluation.accuracy);
        if let Some(mcc) = evaluation.mcc {
            self.mcc.push(evaluation.step, mcc);
        }
        self.evaluations.push(evaluation);
    }

    /// Every evaluation of every branch.
    #[must_use]
    pub fn all_evaluations(&self) -> &[Evaluation] {
        &self.all_evaluations
    }

    /// Every change by hand, each with its branch.
    #[must_use]
    pub fn all_interventions(&self) -> &[(u32, Intervention)] {
        &self.all_interventions
    }

    /// Adds a memory report.
    #[expect(clippy::cast_precision_loss, reason = "a curve of bytes is drawn, not counted")]
    pub fn add_memory(&mut self, memory: &Memory) {
        self.memory.push(memory.step, memory.total as f64);
        self.owners.push(memory);
        self.peak_memory = self.peak_memory.max(memory.total).max(memory.peak);
    }

    /// The best evaluation; the earliest of equal ones.
    #[must_use]
    pub fn best(&self) -> Option<&Evaluation> {
        let finite = |evaluation: &&Evaluation| evaluation.accuracy.is_finite() && evaluation.eval_loss.is_finite();
        self.evaluations.iter().filter(finite).reduce(|best, next| if next.is_better_than(best) { next } else { best })
    }
}

fn empty(weight: f64) -> [Curve; Metric::OF_STEPS - 1] {
    std::array::from_fn(|_| Curve::new(weight))
}

/// The newest steps, for the speed.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    steps: VecDeque<Step>,
    /// Number of other lanes that alternate with this run.
    pub others: usize,
}

impl Pace {
    /// Adds a step.
    pub fn push(&mut self, step: Step) {
        if self.steps.len() == WINDOW {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// Forgets all steps, after a jump to another state.
    pub fn clear(&mut self) {
        self.steps.clear();
    }

    /// The newest step.
    #[must_use]
    pub fn latest(&self) -> Option<&Step> {
        self.steps.back()
    }

    /// Median wall time of a step.
    #[must_use]
    pub fn median_seconds(&self) -> Option<f64> {
        median(self.steps.iter().map(|step| step.seconds).filter(|s| s.is_finite()))
    }

    /// Examples and tokens per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
    pub fn rates(&self) -> Option<(f64, f64)> {
        let seconds: f64 = self.steps.iter().map(|step| step.seconds).sum();
        let examples: usize = self.steps.iter().map(|step| step.examples).sum();
        let tokens: usize = self.steps.iter().map(|step| step.tokens).sum();
        (seconds > 0.0 && seconds.is_finite()).then(|| (examples as f64 / seconds, tokens as f64 / seconds))
    }

    /// Time for this many steps at the present pace.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate is rounded anyway")]
    pub fn time_for(&self, steps: u64) -> Option<Duration> {
        let total: f64 = self.steps.iter().map(|step| step.seconds).sum();
        let mean = total / self.steps.len().max(1) as f64 * (1 + self.others) as f64;
        Duration::try_from_secs_f64(mean * steps as f64).ok().filter(|_| mean > 0.0)
    }
}
