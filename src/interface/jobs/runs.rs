//! Watches a folder of runs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Desk, Done, Spark};
use crate::protocol::Evaluation;
use crate::run::{Followed, Follower, ListedRun, Reading, State, run_folders};

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// A run as the launcher lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownRun {
    /// What recipe and status say.
    pub run: ListedRun,
    /// Share of the parameters that stayed frozen at the last step.
    pub sparsity: Option<f64>,
    /// The last loss.
    pub loss: Option<f64>,
    /// The best evaluation.
    pub best: Option<Evaluation>,
    /// The loss.
    pub spark: Spark,
}

/// Tells of the runs whenever they change, until something else is wanted.
pub(super) fn watch(folder: &Path, desk: &Desk) {
    let mut seen: HashMap<PathBuf, Seen> = HashMap::new();
    let mut told = None;
    loop {
        let now = look(folder, &mut seen);
        if told.as_ref() != Some(&now) {
            if !desk.tell(Done::Runs(now.clone())) {
                return;
            }
            told = Some(now);
        }
        if !desk.pause(EVERY) {
            return;
        }
    }
}

/// What is known of a folder from looking at it before.
#[derive(Debug)]
struct Seen {
    /// When its files were written last.
    written: [Option<SystemTime>; 2],
    follower: Follower,
    known: KnownRun,
}

fn look(folder: &Path, seen: &mut HashMap<PathBuf, Seen>) -> Result<Vec<KnownRun>, String> {
    let folders = run_folders(folder).map_err(|error| error.message().to_owned())?;
    seen.retain(|path, _| folders.contains(path));
    let mut runs: Vec<KnownRun> = folders
        .iter()
        .map(|path| {
            let seen = seen.entry(path.clone()).or_insert_with(|| Seen::new(path));
            seen.look();
            seen.known.clone()
        })
        .collect();
    runs.sort_by(|a, b| {
        let by_time = b.run.started.unwrap_or(0.0).total_cmp(&a.run.started.unwrap_or(0.0));
        by_time.then_with(|| a.run.name.cmp(&b.run.name))
    });
    Ok(runs)
}

impl Seen {
    fn new(path: &Path) -> Self {
        let known =
            KnownRun { run: ListedRun::of(path), sparsity: None, loss: None, best: None, spark: Spark::default() };
        Self { written: written(path), follower: Follower::new(&path.join("metrics.jsonl")), known }
    }

    /// Brings what is known up to date. What ended and was not written since is as it was.
    fn look(&mut self) {
        let path = self.known.run.folder.clone();
        let now = written(&path);
        if now != self.written || self.known.run.state == Some(State::Running) {
            (self.written, self.known.run) = (now, ListedRun::of(&path));
        }
        let known = &mut self.known;
        let read = self.follower.read(|followed| match followed {
            Followed::Anew => {
                (known.sparsity, known.loss, known.best) = (None, None, None);
                known.spark = Spark::default();
            }
            Followed::Reading(Reading::Step(step)) => {
                known.sparsity = Some(step.sparsity);
                known.loss = Some(step.loss);
                known.run.steps = Some(step.step);
                known.spark.push(step.step, step.loss);
            }
            Followed::Reading(Reading::Evaluation(evaluation)) => {
                if known.best.as_ref().is_none_or(|best| evaluation.is_better_than(best)) {
                    known.best = Some(evaluation);
                }
            }
        });
        if let Err(error) = read {
            known.run.problem.get_or_insert_with(|| format!("the metrics cannot be read: {error}"));
        }
        if known.run.steps.is_none() {
            known.run.steps = known.spark.last();
        }
    }
}

fn written(path: &Path) -> [Option<SystemTime>; 2] {
    ["status.json", "recipe.toml"].map(|file| fs::metadata(path.join(file)).and_then(|file| file.modified()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::jobs::{Job, Jobs};
    use crate::protocol::Step;
    use crate::recipe::Recipe;
    use crate::run::{Metrics, RunFolder};

    fn step(step: u64) -> Step {
        Step {
            step,
            epoch: 0.0,
            loss: 1.0,
            learning_rate: 0.1,
            grad_norm: 1.0,
            examples: 1,
            tokens: 1,
            seconds: 0.1,
            trainable: 5,
            sparsity: 0.99,
            branch: 0,
        }
    }

    #[test]
    fn what_changes_is_told_and_what_stays_is_not() {
        let root = tempfile::tempdir().unwrap();
        let mut jobs = Jobs::default();
        jobs.begin(Job::WatchRuns(root.path().to_owned()));
        let next = |jobs: &Jobs, patience| jobs.done().recv_timeout(Duration::from_secs(patience));
        assert_eq!(next(&jobs, 10), Ok(Done::Runs(Ok(Vec::new()))));
        let folder = RunFolder::create(root.path(), Some("first"), &Recipe::default(), "").unwrap();
        let mut metrics = Metrics::open(&folder.metrics_path()).unwrap();
        (1..=3).for_each(|at| metrics.step(&step(at)).unwrap());
        metrics.flush().unwrap();
        let listed = |jobs: &Jobs| {
            loop {
                let Ok(Done::Runs(Ok(runs))) = next(jobs, 10) else { panic!("no runs") };
                if let [run] = &runs[..]
                    && run.run.steps == Some(3)
                {
                    return run.clone();
                }
            }
        };
        let known = listed(&jobs);
        assert_eq!((known.run.state, known.sparsity, known.loss), (Some(State::Running), Some(0.99), Some(1.0)));
        assert!(next(&jobs, 2).is_err(), "nothing has changed");
        drop(folder);
        let Ok(Done::Runs(Ok(runs))) = next(&jobs, 10) else { panic!("no runs") };
        assert_eq!(runs[0].run.state, Some(State::Interrupted));
        jobs.begin(Job::WatchRuns(root.path().join("none")));
        assert_eq!(next(&jobs, 10), Ok(Done::Runs(Ok(Vec::new()))));
    }
}
