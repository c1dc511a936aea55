//! Watches a folder of runs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Spark;
use super::job::{Done, JobContext};
use spartui_facts::protocol::{Evaluation, Lane};
use spartui_run::{ListedRun, Reading, State, Tail, read_race, run_folders};

/// How often the folder is checked.
const EVERY: Duration = Duration::from_secs(1);

/// Lines per read.
const LINES: usize = 20_000;

/// A run as the launcher lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownRun {
    /// Recipe and status.
    pub run: ListedRun,
    /// Sparsity at the last step.
    pub sparsity: Option<f64>,
    /// The last loss.
    pub loss: Option<f64>,
    /// The best evaluation.
    pub best: Option<Evaluation>,
    /// The loss as a small curve.
    pub spark: Spark,
    /// The lanes of a race; the values of a race are those of its best lane.
    pub lanes: Vec<KnownRun>,
    /// For a lane, the settings that differ from the other lanes.
    pub varied: Option<String>,
}

impl KnownRun {
    fn new(run: ListedRun) -> Self {
        Self { run, sparsity: None, loss: None, best: None, spark: Spark::default(), lanes: Vec::new(), varied: None }
    }

    /// Whether its best evaluation is better than that of another run.
    #[must_use]
    pub fn is_better_than(&self, other: &Self) -> bool {
        match (&self.best, &other.best) {
            (Some(one), Some(other)) => one.is_better_than(other),
            (one, other) => one.is_some() && other.is_none(),
        }
    }

    /// The folders of its lanes, or its own.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        if self.lanes.is_empty() {
            return vec![self.run.folder.clone()];
        }
        self.lanes.iter().map(|lane| lane.run.folder.clone()).collect()
    }

    /// Sets the lanes of a race, and its values from them.
    fn sum_up(&mut self, lanes: Vec<Self>) {
        let best = lanes.iter().reduce(|best, lane| if lane.is_better_than(best) { lane } else { best });
        if let Some(best) = best {
            (self.sparsity, self.loss, self.best) = (best.sparsity, best.loss, best.best);
            self.spark = best.spark.clone();
        }
        self.run.lanes = lanes.iter().map(|lane| lane.run.clone()).collect();
        self.run.summarize_lanes();
        self.lanes = lanes;
    }

    fn add_reading(&mut self, reading: Reading) {
        match reading {
            Reading::Step(step) => {
                self.sparsity = Some(step.sparsity);
                self.loss = Some(step.loss);
                self.run.steps = Some(step.step);
                self.spark.push(step.step, step.loss);
            }
            Reading::Evaluation(evaluation) => {
                if self.best.as_ref().is_none_or(|best| evaluation.is_better_than(best)) {
                    self.best = Some(evaluation);
                }
            }
        }
    }
}

/// Reports the runs whenever they change, until another job waits.
pub(super) fn watch(folder: &Path, context: &JobContext) {
    let mut seen: HashMap<PathBuf, Seen> = HashMap::new();
    let mut reported = None;
    loop {
        let now = look(folder, &mut seen);
        if reported.as_ref() != Some(&now) {
            if !context.report(Done::Runs(now.clone())) {
                return;
            }
            reported = Some(now);
        }
        if !context.pause(EVERY) {
            return;
        }
    }
}

/// What is known of a folder from the previous check.
#[derive(Debug)]
struct Seen {
    /// Modification times of its files.
    written: [Option<SystemTime>; 4],
    tail: Tail,
    known: KnownRun,
    /// The lanes of a race.
    lanes: Vec<Seen>,
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
        let known = KnownRun::new(ListedRun::of(path));
        Self { written: written(path), tail: Tail::of_run(path), known, lanes: Vec::new() }
    }

    /// Updates what is known. An ended run that was not written since is unchanged.
    fn look(&mut self) {
        let path = self.known.run.folder.clone();
        let now = written(&path);
        if now != self.written || self.known.run.state == Some(State::Running) {
            (self.written, self.known.run) = (now, ListedRun::of(&path));
        }
        if let Ok(Some(race)) = read_race(&path) {
            self.look_at_lanes(race.lanes);
            return;
        }
        loop {
            let piece = match self.tail.next(LINES) {
                Ok(piece) => piece,
                Err(error) => {
                    self.known.run.problem.get_or_insert_with(|| error.message().to_owned());
                    break;
                }
            };
            if piece.restarted {
                self.known = KnownRun::new(self.known.run.clone());
            }
            piece.readings.into_iter().for_each(|reading| self.known.add_reading(reading));
            if !piece.more {
                break;
            }
        }
        let known = &mut self.known;
        if known.run.steps.is_none() {
            known.run.steps = known.spark.last();
        }
    }

    fn look_at_lanes(&mut self, lanes: Vec<Lane>) {
        let mut known = std::mem::take(&mut self.lanes);
        let mut seen = |lane: Lane| {
            let at = known.iter().position(|seen| seen.known.run.folder == lane.folder);
            let mut seen = at.map_or_else(|| Self::new(&lane.folder), |at| known.swap_remove(at));
            seen.look();
            seen.known.run.out = lane.out;
            seen.known.varied = Some(lane.label()).filter(|label| *label != lane.name);
            seen
        };
        self.lanes = lanes.into_iter().map(&mut seen).collect();
        self.known.sum_up(self.lanes.iter().map(|lane| lane.known.clone()).collect());
    }
}

fn written(path: &Path) -> [Option<SystemTime>; 4] {
    ["status.json", "recipe.toml", "race.json", "notes.json"]
        .map(|file| fs::metadata(path.join(file)).and_then(|file| file.modified()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{Job, Jobs};
    use spartui_facts::protocol::Step;
    use spartui_facts::recipe::Recipe;
    use spartui_run::{Metrics, RunFolder};

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
    fn only_changes_are_reported() {
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
