//! Which of the kept states of a run a user means.

use std::path::PathBuf;
use std::str::FromStr;

use super::printer::score;
use spartui_adapters::about_adapter;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Evaluation;
use spartui_facts::quote::place;
use spartui_run::{Found, Journal, Metrics, PredictedRows, Predictions, RunFolder, checkpoints};
use spartui_train::{Kept, Point, Tree};

/// States that a message names.
const SHOWN: usize = 12;

/// A state of a run, as the user says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// That of the best evaluation.
    Best,
    /// The newest one.
    Last,
    /// That of this step.
    Step(u64),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "best" => Ok(Self::Best),
            "last" => Ok(Self::Last),
            number => number.parse().map(Self::Step).map_err(|_| "give best, last, or the number of a step".into()),
        }
    }
}

/// Which state of a run is meant; without either, what its adapter holds.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Choice {
    /// The state: best (of the best evaluation, on whichever branch), last, or a step whose state is kept; without it, what the
    /// run's adapter holds.
    #[arg(long, value_name = "STATE")]
    pub at: Option<At>,
    /// Look on this branch, and on those that it came from.
    #[arg(long, value_name = "NUMBER", requires = "at")]
    branch: Option<u32>,
}

/// A state that was found.
#[derive(Debug)]
pub struct Chosen {
    found: Found,
    /// How it was evaluated, if it was.
    evaluation: Option<Evaluation>,
    is_best: bool,
}

impl Chosen {
    /// Reads it.
    ///
    /// # Errors
    /// As [`Kept::read`].
    pub fn read(&self, run: &RunFolder, base: PathBuf) -> Result<Kept> {
        Kept::read(&self.found, run.recipe(), base, || labels(run))
    }

    /// What it is, for people.
    pub fn told(&self) -> String {
        let moment = self.found.moment;
        let branch = if moment.branch == 0 { String::new() } else { format!(" of branch {}", moment.branch) };
        let scored = self.evaluation.map_or_else(String::new, |made| format!(", {}", score(&made)));
        let best = if self.is_best { " (the best)" } else { "" };
        format!("step {}{branch}{scored}{best}", moment.step)
    }
}

impl Choice {
    /// The state that is meant, if one is.
    ///
    /// # Errors
    /// Refuses what is not kept, and says what is.
    pub fn find(self, run: &RunFolder) -> Result<Option<Chosen>> {
        self.at.map(|at| States::of(run)?.find(at, self.branch)).transpose()
    }
}

/// The newest state of a run, for one that ended without an adapter.
///
/// # Errors
/// Refuses a run that has none.
pub fn newest(run: &RunFolder) -> Result<Chosen> {
    States::of(run)?.find(At::Last, None)
}

/// What a run's folder says of its states.
struct States {
    name: String,
    tree: Tree,
    /// The newest first.
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

    fn find(&self, at: At, branch: Option<u32>) -> Result<Chosen> {
        if let Some(branch) = branch.filter(|branch| self.tree.get(*branch).is_none()) {
            let last = self.tree.branches().len().saturating_sub(1);
            return Err(Error::refused(format!("{} has no branch {branch}; the last one is {last}", self.name)));
        }
        match at {
            At::Best => self.best(branch),
            At::Last => self.last(branch),
            At::Step(step) => self.of_step(step, branch),
        }
    }

    fn best(&self, branch: Option<u32>) -> Result<Chosen> {
        let best = match branch {
            Some(branch) => self.tree.best_on(&self.tree.lineage(self.tree.tip(branch))),
            None => self.tree.best(),
        };
        let best = best.ok_or_else(|| {
            Error::refused(format!(
                "{} was never evaluated, so that none of its states is the best; {}",
                self.name,
                self.listed()
            ))
        })?;
        let is_it = |found: &&Found| {
            let at = point(found);
            (at.branch, at.step) == (best.branch, best.step) && self.tree.is_as_evaluated(at)
        };
        let found = self.kept.iter().find(is_it).ok_or_else(|| {
            Error::refused(format!(
                "the best evaluation of {} is that of step {} of branch {} ({}), and its state is not kept; {}",
                self.name,
                best.step,
                best.branch,
                score(&best),
                self.listed()
            ))
        })?;
        Ok(self.chosen(found))
    }

    fn last(&self, branch: Option<u32>) -> Result<Chosen> {
        let found = match branch {
            None => self.kept.first(),
            Some(branch) => {
                let lineage = self.tree.lineage(self.tree.tip(branch));
                let on_it =
                    self.kept.iter().filter_map(|found| Some((self.tree.place_of(&lineage, point(found))?, found)));
                on_it.max_by_key(|(place, _)| *place).map(|(_, found)| found)
            }
        };
        found.map(|found| self.chosen(found)).ok_or_else(|| self.nothing("no state"))
    }

    fn of_step(&self, step: u64, branch: Option<u32>) -> Result<Chosen> {
        let lineage = self.tree.lineage(branch.map_or_else(|| self.tree.here(), |branch| self.tree.tip(branch)));
        let of_step: Vec<&Found> = self.kept.iter().filter(|found| found.moment.step == step).collect();
        let on_it = of_step.iter().filter(|found| self.tree.place_of(&lineage, point(found)).is_some());
        if let Some(found) = on_it.max_by_key(|found| found.moment.journal) {
            return Ok(self.chosen(found));
        }
        match of_step.first() {
            Some(other) => Err(Error::refused(format!(
                "the state of step {step} that {} keeps is not on {}; add --branch {}",
                self.name,
                branch.map_or_else(|| "the branch where it stands".to_owned(), |branch| format!("branch {branch}")),
                other.moment.branch
            ))),
            None => Err(self.nothing(&format!("no state of step {step}"))),
        }
    }

    fn chosen(&self, found: &Found) -> Chosen {
        let at = point(found);
        let evaluation = self.tree.evaluation(at.branch, at.step).filter(|_| self.tree.is_as_evaluated(at));
        let best = self.tree.best().map(|best| (best.branch, best.step));
        let is_best = evaluation.is_some() && best == Some((at.branch, at.step));
        Chosen { found: found.clone(), evaluation, is_best }
    }

    fn nothing(&self, what: &str) -> Error {
        Error::refused(format!("{what} is kept of {}; {}", self.name, self.listed()))
    }

    /// What there is to choose from.
    fn listed(&self) -> String {
        let shown = self.kept.iter().take(SHOWN).map(|found| match found.moment.branch {
            0 => format!("step {}", found.moment.step),
            branch => format!("step {} of branch {branch}", found.moment.step),
        });
        match self.kept.len() {
            0 => "it has no checkpoint".into(),
            count if count > SHOWN => {
                format!("kept are {} and {} more", shown.collect::<Vec<_>>().join(", "), count - SHOWN)
            }
            _ => format!("kept are {}", shown.collect::<Vec<_>>().join(", ")),
        }
    }
}

fn point(found: &Found) -> Point {
    Point { branch: found.moment.branch, step: found.moment.step, until: found.moment.journal }
}

/// The labels of a run whose checkpoints do not tell them.
fn labels(run: &RunFolder) -> Result<Vec<String>> {
    let of_adapter = || {
        let told = about_adapter(&run.adapter_path()).ok()?.labels;
        (!told.is_empty()).then_some(told)
    };
    let of_predictions = || match Predictions::read(&run.predictions_path()).ok()??.rows {
        PredictedRows::Labels { names, .. } => Some(names),
        PredictedRows::Tokens(_) => None,
    };
    let of_recipe = || Some(run.recipe().task.labels.clone()).filter(|labels| !labels.is_empty());
    of_adapter().or_else(of_predictions).or_else(of_recipe).ok_or_else(|| {
        Error::refused(format!(
            "{}: an earlier version made its checkpoints, which do not tell its labels; `spartui resume {}` makes one that does",
            place(run.path()),
            run.name()
        ))
    })
}
