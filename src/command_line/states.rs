//! The kept states of a run, and the one that the user names.

use std::path::PathBuf;
use std::str::FromStr;

use super::printer::score;
use spartui_adapters::about_adapter;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Evaluation;
use spartui_facts::quote::place;
use spartui_run::{Found, Journal, Metrics, PredictedRows, Predictions, RunFolder, checkpoints};
use spartui_train::{Kept, Point, Tree};

/// Most states that a message lists.
const SHOWN: usize = 12;

/// A state of a run, as the user names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateName {
    /// The state of the best evaluation.
    Best,
    /// The newest state.
    Last,
    /// The state of this step.
    Step(u64),
}

impl FromStr for StateName {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "best" => Ok(Self::Best),
            "last" => Ok(Self::Last),
            number => number.parse().map(Self::Step).map_err(|_| "give best, last, or the number of a step".into()),
        }
    }
}

/// Options that name a state of a run; without them, it is the state that its adapter holds.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct StateOptions {
    /// The state: best (of the best evaluation on any branch), last, or a step whose state is kept; default: the state
    /// that the run's adapter holds.
    #[arg(long, value_name = "STATE")]
    pub at: Option<StateName>,
    /// Search on this branch and its ancestors.
    #[arg(long, value_name = "NUMBER", requires = "at")]
    branch: Option<u32>,
}

/// A state that was found.
#[derive(Debug)]
pub struct ChosenState {
    found: Found,
    /// Its evaluation, if it was evaluated.
    evaluation: Option<Evaluation>,
    is_best: bool,
}

impl ChosenState {
    /// Reads the state.
    ///
    /// # Errors
    /// As [`Kept::read`].
    pub fn read(&self, run: &RunFolder, base: PathBuf) -> Result<Kept> {
        Kept::read(&self.found, run.recipe(), base, || labels(run))
    }

    /// A description for messages: step, branch and score.
    pub fn describe(&self) -> String {
        let moment = self.found.moment;
        let branch = if moment.branch == 0 { String::new() } else { format!(" of branch {}", moment.branch) };
        let scored = self.evaluation.map_or_else(String::new, |made| format!(", {}", score(&made)));
        let best = if self.is_best { " (the best)" } else { "" };
        format!("step {}{branch}{scored}{best}", moment.step)
    }
}

impl StateOptions {
    /// Finds the state that was named; none if none was.
    ///
    /// # Errors
    /// Refuses a state that is not kept, and lists those that are.
    pub fn find(self, run: &RunFolder) -> Result<Option<ChosenState>> {
        self.at.map(|at| States::of(run)?.find(at, self.branch)).transpose()
    }
}

/// The newest state of a run, for a run without an adapter.
///
/// # Errors
/// Refuses a run without a kept state.
pub fn newest(run: &RunFolder) -> Result<ChosenState> {
    States::of(run)?.find(StateName::Last, None)
}

/// The kept states of a run and its branches.
struct States {
    name: String,
    tree: Tree,
    /// The checkpoints, the newest first.
    kept: Vec<Found>,
}

impl States {
    fn of(run: &RunFolder) -> Result<Self> {
        let entries = Journal::read(&run.journal_path())?;
        let damaged =
            |why: String| Error::refused(format!("{} is damaged: {why}; restore its folder", place(run.path())));
        let mut tree = Tree::of_journal(&entries, u64::MAX).map_err(damaged)?;
        Metrics::read(&run.metrics_path())?.evaluations.into_iter().for_each(|made| tree.evaluated(made));
        Ok(Self { name: run.name(), tree, kept: checkpoints(&run.checkpoints_path())? })
    }

    fn find(&self, at: StateName, branch: Option<u32>) -> Result<ChosenState> {
        if let Some(branch) = branch.filter(|branch| self.tree.get(*branch).is_none()) {
            let last = self.tree.branches().len().saturating_sub(1);
            return Err(Error::refused(format!("{} has no branch {branch}; the last one is {last}", self.name)));
        }
        match at {
            StateName::Best => self.best(branch),
            StateName::Last => self.last(branch),
            StateName::Step(step) => self.of_step(step, branch),
        }
    }

    fn best(&self, branch: Option<u32>) -> Result<ChosenState> {
        let best = match branch {
            Some(branch) => self.tree.best_on(&self.tree.lineage(self.tree.tip(branch))),
            None => self.tree.best(),
        };
        let best = best.ok_or_else(|| {
            Error::refused(format!(
                "{} was never evaluated, so none of its states is the best; {}",
                self.name,
                self.list_kept()
            ))
        })?;
        let is_best = |found: &&Found| {
            let at = point(found);
            (at.branch, at.step) == (best.branch, best.step) && self.tree.is_as_evaluated(at)
        };
        let found = self.kept.iter().find(is_best).ok_or_else(|| {
            Error::refused(format!(
                "the best evaluation of {} is that of step {} of branch {} ({}), and its state is not kept; {}",
                self.name,
                best.step,
                best.branch,
                score(&best),
                self.list_kept()
            ))
        })?;
        Ok(self.chosen(found))
    }

    fn last(&self, branch: Option<u32>) -> Result<ChosenState> {
        let found = match branch {
            None => self.kept.first(),
            Some(branch) => {
                let lineage = self.tree.lineage(self.tree.tip(branch));
                let on_branch =
                    self.kept.iter().filter_map(|found| Some((self.tree.place_of(&lineage, point(found))?, found)));
                on_branch.max_by_key(|(place, _)| *place).map(|(_, found)| found)
            }
        };
        found.map(|found| self.chosen(found)).ok_or_else(|| self.not_kept("no state"))
    }

    fn of_step(&self, step: u64, branch: Option<u32>) -> Result<ChosenState> {
        let lineage = self.tree.lineage(branch.map_or_else(|| self.tree.here(), |branch| self.tree.tip(branch)));
        let of_step: Vec<&Found> = self.kept.iter().filter(|found| found.moment.step == step).collect();
        let on_branch = of_step.iter().filter(|found| self.tree.place_of(&lineage, point(found)).is_some());
        if let Some(found) = on_branch.max_by_key(|found| found.moment.journal) {
            return Ok(self.chosen(found));
        }
        match of_step.first() {
            Some(other) => Err(Error::refused(format!(
                "the state of step {step} that {} keeps is not on {}; add --branch {}",
                self.name,
                branch.map_or_else(|| "the branch where it stands".to_owned(), |branch| format!("branch {branch}")),
                other.moment.branch
            ))),
            None => Err(self.not_kept(&format!("no state of step {step}"))),
        }
    }

    fn chosen(&self, found: &Found) -> ChosenState {
        let at = point(found);
        let evaluation = self.tree.evaluation(at.branch, at.step).filter(|_| self.tree.is_as_evaluated(at));
        let best = self.tree.best().map(|best| (best.branch, best.step));
        let is_best = evaluation.is_some() && best == Some((at.branch, at.step));
        ChosenState { found: found.clone(), evaluation, is_best }
    }

    fn not_kept(&self, what: &str) -> Error {
        Error::refused(format!("{} keeps {what}; {}", self.name, self.list_kept()))
    }

    /// The kept states, as the rest of a message.
    fn list_kept(&self) -> String {
        let shown = self.kept.iter().take(SHOWN).map(|found| match found.moment.branch {
            0 => format!("step {}", found.moment.step),
            branch => format!("step {} of branch {branch}", found.moment.step),
        });
        match self.kept.len() {
            0 => "it has no checkpoint".into(),
            count if count > SHOWN => {
                format!("its kept states are {} and {} more", shown.collect::<Vec<_>>().join(", "), count - SHOWN)
            }
            _ => format!("its kept states are {}", shown.collect::<Vec<_>>().join(", ")),
        }
    }
}

fn point(found: &Found) -> Point {
    Point { branch: found.moment.branch, step: found.moment.step, until: found.moment.journal }
}

/// The labels of a run whose checkpoints do not have them.
fn labels(run: &RunFolder) -> Result<Vec<String>> {
    let of_adapter = || {
        let labels = about_adapter(&run.adapter_path()).ok()?.labels;
        (!labels.is_empty()).then_some(labels)
    };
    let of_predictions = || match Predictions::read(&run.predictions_path()).ok()??.rows {
        PredictedRows::Labels { names, .. } => Some(names),
        PredictedRows::Tokens(_) => None,
    };
    let of_recipe = || Some(run.recipe().task.labels.clone()).filter(|labels| !labels.is_empty());
    of_adapter().or_else(of_predictions).or_else(of_recipe).ok_or_else(|| {
        Error::refused(format!(
            "{}: its checkpoints are of an earlier version and do not contain its labels; `spartui resume {}` writes one that does",
            place(run.path()),
            run.name()
        ))
    })
}
