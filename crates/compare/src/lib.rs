//! Compares runs: settings with their spread over seeds, and paired tests on the same validation rows.
//!
//! The statistics know nothing of runs; [`Comparison::of`] joins both, and the writers format it as text, JSON, CSV
//! and Markdown.

mod along;
mod bootstrap;
mod cells;
mod mcnemar;
mod paired;
mod picture;
mod setting;
mod special;
mod spread;
mod subject;
mod write;

use serde::Serialize;

pub use along::{Along, Line, Tick};
pub use bootstrap::{Interval, RESAMPLES, interval, quantile};
pub use cells::{Column, Heading};
pub use mcnemar::{EXACT_BELOW, McNemar, Test, mcnemar};
pub use paired::{Paired, paired};
pub use picture::svg;
pub use special::chi_square_1;
pub use spread::Spread;
pub use subject::Subject;
pub use write::Format;

use setting::{Setting, settings};
use spartui_facts::protocol::{Class, Confusion, Evaluation};
use spartui_facts::recipe::TaskKind;

/// A comparison of settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The metric compared.
    pub metric: Metric,
    /// The settings, in the order of their first runs.
    pub settings: Vec<Row>,
    /// Index of the baseline that the others are tested against.
    pub against: usize,
    /// Notes on the numbers.
    pub notes: Vec<String>,
    /// The state of each run that the tests and the scores of labels refer to.
    #[serde(skip)]
    pub tested: Tested,
}

/// The state of a run that the validation predictions refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tested {
    /// The state of its last evaluation.
    Last,
    /// The state of its best evaluation.
    Best,
    /// The state in its adapter: of some runs the best, of others the last.
    Adapter,
}

impl Tested {
    fn of(subjects: &[Subject]) -> Self {
        let are = |of: &dyn Fn(&Subject) -> Option<Evaluation>| {
            let told = subjects.iter().filter_map(|run| Some((run, run.predictions.as_ref().ok()?)));
            told.clone().count() > 0
                && told
                    .into_iter()
                    .all(|(run, told)| of(run).is_some_and(|made| (made.branch, made.step) == (told.branch, told.step)))
        };
        match (are(&|run| run.last), are(&|run| run.best)) {
            (true, _) => Self::Last,
            (false, true) => Self::Best,
            (false, false) => Self::Adapter,
        }
    }

    /// The column name of a difference of metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Best => "best",
            Self::Adapter => "adapters",
        }
    }

    /// The same in a sentence.
    fn in_words(self) -> &'static str {
        match self {
            Self::Last => "in the state of each run's last evaluation",
            Self::Best => "in the state of each run's best evaluation",
            Self::Adapter => "in the state that each run's adapter holds, which need be neither the best nor the last",
        }
    }
}

/// The metric compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of validation rows with the right label, for classifiers.
    Accuracy,
    /// Mean loss over the target tokens of the validation rows, for language models.
    EvalLoss,
}

/// A setting: runs that differ only in their seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its label among the settings.
    pub setting: String,
    /// The fields in which settings differ, with its values.
    pub fields: Vec<(String, String)>,
    /// Its runs.
    pub runs: Vec<String>,
    /// The metric of the best evaluation.
    pub best: Option<Spread>,
    /// The metric of the last evaluation.
    pub last: Option<Spread>,
    /// Scalars that trained in the last step, head included.
    pub trainable: Option<Spread>,
    /// Sparsity.
    pub sparsity: Option<Spread>,
    /// The peak of the resident size, or of the device memory, in bytes.
    pub peak_memory: Option<Spread>,
    /// Median wall time of a step.
    pub step_seconds: Option<Spread>,
    /// Size in bytes of the adapter's or the model's files.
    pub result_bytes: Option<Spread>,
    /// Optimizer steps taken.
    pub steps: Option<Spread>,
    /// Scores of each label in the state that the adapters hold, over the rows of all runs; empty for a language
    /// model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// The mean of their F1 scores, over the labels that occur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
    /// The test against the baseline; none for the baseline itself.
    pub test: Option<Paired>,
    /// Why there is no test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untested: Option<String>,
}

impl Comparison {
    /// Compares runs; the settings are tested against that of the run with index `against`.
    ///
    /// # Errors
    /// One sentence if the runs have no common metric.
    pub fn of(subjects: &[Subject], against: usize) -> Result<Self, String> {
        let metric = metric_of(subjects)?;
        let groups = settings(subjects);
        let reference = groups.iter().position(|group| group.members.contains(&against)).unwrap_or(0);
        let members = |group: &Setting| group.members.iter().map(|&at| &subjects[at]).collect::<Vec<_>>();
        let of_reference = groups.get(reference).map(members).unwrap_or_default();
        let row = |(at, group): (usize, &Setting)| {
            let mine = members(group);
            let test = (at != reference).then(|| paired(&of_reference, &mine));
            Row::of(group, &mine, metric, test)
        };
        let rows: Vec<Row> = groups.iter().enumerate().map(row).collect();
        let notes = notes(subjects, &groups, &rows);
        Ok(Self { metric, settings: rows, against: reference, notes, tested: Tested::of(subjects) })
    }
}

impl Row {
    fn of(group: &Setting, subjects: &[&Subject], metric: Metric, test: Option<Result<Paired, String>>) -> Self {
        let spread = |value: &dyn Fn(&Subject) -> Option<f64>| {
            Spread::of(&subjects.iter().filter_map(|subject| value(subject)).collect::<Vec<_>>())
        };
        let (test, untested) = match test {
            Some(Ok(test)) => (Some(test), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let confusion = confusion(subjects);
        Self {
            setting: group.label.clone(),
            fields: group.fields.clone(),
            runs: subjects.iter().map(|subject| subject.name.clone()).collect(),
            best: spread(&|subject| subject.best.map(|best| metric.of(&best))),
            last: spread(&|subject| subject.last.map(|last| metric.of(&last))),
            trainable: spread(&|subject| subject.trainable.map(number)),
            sparsity: spread(&|subject| subject.sparsity),
            peak_memory: spread(&|subject| subject.peak_memory.map(number)),
            step_seconds: spread(&|subject| subject.step_seconds),
            result_bytes: spread(&|subject| subject.result_bytes.map(number)),
            steps: spread(&|subject| Some(number(subject.steps))),
            classes: confusion.as_ref().map_or_else(Vec::new, Confusion::classes),
            macro_f1: confusion.as_ref().map(|confusion| confusion.macro_mean().f1),
            test,
            untested,
        }
    }
}

/// The confusion matrix of all runs of a setting together; none if they have different labels.
fn confusion(subjects: &[&Subject]) -> Option<Confusion> {
    let told = subjects.iter().filter_map(|subject| subject.predictions.as_ref().ok()?.confusion());
    told.map(Some).reduce(|sum, one| sum?.with(&one?)).flatten()
}

#[expect(clippy::cast_precision_loss, reason = "parameters, bytes and steps are below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

impl Metric {
    /// Its value in an evaluation.
    #[must_use]
    pub fn of(self, evaluation: &spartui_facts::protocol::Evaluation) -> f64 {
        match self {
            Self::Accuracy => evaluation.accuracy,
            Self::EvalLoss => evaluation.eval_loss,
        }
    }

    /// Its name in `metrics.jsonl`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::EvalLoss => "eval_loss",
        }
    }
}

/// The common metric of the runs.
fn metric_of(subjects: &[Subject]) -> Result<Metric, String> {
    let kind = |subject: &Subject| subject.recipe.task.kind;
    let Some(first) = subjects.first() else { return Err("there is no run to compare".into()) };
    if let Some(other) = subjects.iter().find(|other| kind(other) != kind(first)) {
        return Err(format!(
            "{} and {} have different tasks, and so no metric in common; compare classifiers with classifiers and \
             language models with language models",
            first.name, other.name
        ));
    }
    Ok(match kind(first) {
        TaskKind::SequenceClassification => Metric::Accuracy,
        TaskKind::CausalLm => Metric::EvalLoss,
    })
}

/// Notes on the numbers.
fn notes(subjects: &[Subject], groups: &[Setting], rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for group in groups {
        let mut seen = std::collections::BTreeMap::new();
        for subject in group.members.iter().map(|&at| &subjects[at]) {
            if let Some(other) = seen.insert(subject.seeds(), &subject.name) {
                notes.push(format!("{other} and {} have the same seeds: they are no two samples", subject.name));
            }
        }
    }
    for subject in subjects {
        use spartui_run::State;
        let state = match subject.state {
            Some(State::Completed | State::StoppedEarly | State::Stopped) => continue,
            Some(State::Running) => "is still training".to_owned(),
            Some(state) => format!("has ended as {state}"),
            None => "is damaged".to_owned(),
        };
        notes.push(format!("{} {state}", subject.name));
    }
    notes.extend(rows.iter().filter_map(|row| Some(format!("{}: no test, {}", row.setting, row.untested.as_ref()?))));
    if rows.iter().any(|row| row.test.as_ref().is_some_and(|test| !test.same_seeds)) {
        notes.push("where no seeds are equal, runs are paired in the order of their seeds".into());
    }
    notes
}

// What the tests share with those of other crates names this crate from outside.
#[cfg(test)]
extern crate self as spartui_compare;

#[cfg(test)]
mod tests;
