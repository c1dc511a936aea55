//! The runs of a folder, for `spartui runs`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::metrics::{Reading, scan};
use super::status::{State, Status};
use super::{Notes, RunFolder, lane_can_resume, read_race};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Evaluation, Lane};
use spartui_facts::quote::{one_line, place};

/// A run in the list, or a folder that cannot be read as one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedRun {
    /// Name of its folder.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// State of the run; none if its status cannot be read.
    pub state: Option<State>,
    /// Optimizer steps taken.
    pub steps: Option<u64>,
    /// Optimizer steps of the whole run.
    pub total_steps: Option<u64>,
    /// The accuracy of the best evaluation.
    pub best_accuracy: Option<f64>,
    /// The best evaluation on any branch; none for runs of earlier versions, which stored only its accuracy.
    pub best: Option<Evaluation>,
    /// Name of its method.
    pub method: Option<String>,
    /// Name of its model: the last part of the path.
    pub model: Option<String>,
    /// Start of the run, in seconds since the Unix epoch.
    pub started: Option<f64>,
    /// Why the folder cannot be read, or why the run failed.
    pub problem: Option<String>,
    /// Tags that the user gave the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A note that the user wrote about the run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The lanes of a race; its steps are those of the furthest lane, its best evaluation that of the best lane.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<ListedRun>,
    /// Whether it is a lane that was stopped by itself and is not resumed with its race.
    #[serde(skip)]
    pub out: bool,
}

/// Name of the folder beside the runs that holds recipes.
pub const RECIPES: &str = "recipes";

/// The run folders in the runs folder; a missing one has none.
///
/// # Errors
/// Refuses a folder that cannot be read.
pub fn run_folders(runs_dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(runs_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| {
            Error::refused(format!("cannot read the runs folder {}: {error}; give another one", place(runs_dir)))
        })?,
    };
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir() && !is_no_run(path)).collect())
}

/// Whether a folder in the runs folder is no run: a hidden one, or the one with recipes.
fn is_no_run(path: &Path) -> bool {
    let name = name_of(path);
    name.starts_with('.') || (name == RECIPES && !path.join("status.json").exists())
}

/// The runs in the runs folder, the latest first; a missing folder has none.
///
/// # Errors
/// As [`run_folders`]. A run that cannot be read is listed with its problem.
pub fn list_runs(runs_dir: &Path) -> Result<Vec<ListedRun>> {
    let mut runs: Vec<ListedRun> =
        run_folders(runs_dir)?.iter().map(|path| ListedRun::of(path).with_metrics()).collect();
    runs.sort_by(|a, b| {
        let by_time = b.started.unwrap_or(0.0).total_cmp(&a.started.unwrap_or(0.0));
        by_time.then_with(|| a.name.cmp(&b.name))
    });
    Ok(runs)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

impl ListedRun {
    /// Reads recipe and status of a folder, but not its metrics.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let mut run = Self {
            name: name_of(path),
            folder: path.to_owned(),
            state: None,
            steps: None,
            total_steps: None,
            best_accuracy: None,
            best: None,
            method: None,
            model: None,
            started: None,
            problem: None,
            tags: Vec::new(),
            note: String::new(),
            lanes: Vec::new(),
            out: false,
        };
        match Notes::read(path) {
            Ok(Notes { tags, note }) => (run.tags, run.note) = (tags, note),
            Err(error) => run.problem = Some(error.message().to_owned()),
        }
        match RunFolder::open(path) {
            Ok(folder) => {
                let recipe = folder.recipe();
                run.method = Some(recipe.method.kind.name().to_owned());
                match read_race(path) {
                    Ok(Some(race)) => {
                        run.method = Some(format!("race of {}", race.lanes.len()));
                        let lane = |lane: Lane| Self { out: lane.out, ..Self::of(&lane.folder) };
                        run.lanes = race.lanes.into_iter().map(lane).collect();
                    }
                    Ok(None) => {}
                    Err(error) => run.problem = Some(error.message().to_owned()),
                }
                run.model = Some(name_of(&recipe.model.path));
            }
            Err(error) => run.problem = Some(error.message().to_owned()),
        }
        match Status::read(path) {
            Ok(status) => {
                run.state = Some(status.state);
                run.steps = status.steps;
                run.total_steps = status.total_steps;
                (run.best_accuracy, run.best) = (status.best_accuracy, status.best);
                run.started = Some(status.started);
                run.problem = run.problem.or(status.message);
            }
            Err(why) => {
                run.problem.get_or_insert(why);
            }
        }
        run.problem = run.problem.map(|problem| one_line(&problem));
        run.summarize_lanes();
        run
    }

    /// Whether `spartui resume` can continue the run.
    #[must_use]
    pub fn can_resume(&self) -> bool {
        match self.state {
            Some(state) if self.lanes.is_empty() => state.can_resume(),
            Some(State::Running) | None => false,
            Some(race) => {
                self.lanes.iter().any(|lane| lane.state.is_some_and(|state| lane_can_resume(race, state, lane.out)))
            }
        }
    }

    /// Sets the steps and the best evaluation of a race from its lanes.
    pub fn summarize_lanes(&mut self) {
        if self.lanes.is_empty() {
            return;
        }
        self.steps = self.lanes.iter().filter_map(|lane| lane.steps).max();
        self.total_steps = self.lanes.iter().filter_map(|lane| lane.total_steps).max();
        let better = |best: Evaluation, other: Evaluation| if other.is_better_than(&best) { other } else { best };
        self.best = self.lanes.iter().filter_map(|lane| lane.best).reduce(better);
        let highest = self.lanes.iter().filter_map(|lane| lane.best_accuracy).max_by(f64::total_cmp);
        self.best_accuracy = self.best.map(|best| best.accuracy).or(highest);
    }

    /// Adds the steps and the best evaluation from the metrics, where the status lacks them because the run has not
    /// ended.
    fn with_metrics(mut self) -> Self {
        if !self.lanes.is_empty() {
            self.lanes = self.lanes.into_iter().map(Self::with_metrics).collect();
            self.summarize_lanes();
            return self;
        }
        if self.steps.is_some() || self.state.is_none() {
            return self;
        }
        let read = scan(&self.folder.join("metrics.jsonl"), |reading| match reading {
            Some(Reading::Step(step)) => self.steps = Some(step.step),
            Some(Reading::Evaluation(evaluation)) if self.best.is_none_or(|best| evaluation.is_better_than(&best)) => {
                (self.best, self.best_accuracy) = (Some(evaluation), Some(evaluation.accuracy));
            }
            Some(Reading::Evaluation(_)) | None => {}
        });
        if let Err(error) = read {
            self.problem.get_or_insert_with(|| one_line(error.message()));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Metrics, lanes_of, write_race};
    use super::*;
    use spartui_facts::protocol::Race;
    use spartui_facts::recipe::Recipe;

    #[test]
    fn runs_and_folders_that_are_none_are_listed() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(list_runs(&root.path().join("none")).unwrap(), []);
        let mut recipe = Recipe::default();
        recipe.model.path = "/models/small".into();
        let create = |name: &str| RunFolder::create(root.path(), Some(name), &recipe, "").unwrap();
        let done = create("done");
        done.set_total_steps(10).unwrap();
        let evaluation =
            Evaluation { step: 3, eval_loss: 1.0, accuracy: 0.5, mcc: Some(0.0), examples: 2, seconds: 0.1, branch: 0 };
        let best = Evaluation { step: 9, accuracy: 0.75, ..evaluation };
        done.end(State::Completed, 10, Some(best), None).unwrap();
        let running = create("running");
        let mut metrics = Metrics::open(&running.metrics_path()).unwrap();
        metrics.evaluation(&evaluation).unwrap();
        metrics.flush().unwrap();
        drop(create("interrupted"));
        for name in ["foreign", "half", ".hidden"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("half/recipe.toml"), "model = 5").unwrap();
        fs::write(root.path().join("half/status.json"), "{\"state\": \"flying\"}").unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let runs = list_runs(root.path()).unwrap();
        let find = |name: &str| runs.iter().find(|run| run.name == name).unwrap();
        assert_eq!(runs.len(), 5);
        let expected = (Some(State::Completed), Some(10), Some(10), Some(0.75));
        let done = find("done");
        assert_eq!((done.state, done.steps, done.total_steps, done.best_accuracy), expected);
        assert_eq!((done.method.as_deref(), done.model.as_deref()), (Some("sparta"), Some("small")));
        assert_eq!((find("running").state, find("running").best_accuracy), (Some(State::Running), Some(0.5)));
        assert_eq!(find("interrupted").state, Some(State::Interrupted));
        assert!(find("foreign").problem.as_ref().unwrap().contains("not a run folder"));
        assert!(find("half").state.is_none() && find("half").problem.is_some());
    }

    #[test]
    fn a_race_is_as_far_as_its_lanes() {
        let root = tempfile::tempdir().unwrap();
        let recipe = Recipe::default();
        let race = RunFolder::create(root.path(), Some("race"), &recipe, "").unwrap();
        let lane = |number: usize, steps: u64, accuracy: f64| {
            let name = format!("lane-{number}");
            let run = RunFolder::create(&lanes_of(race.path()), Some(&name), &recipe, "").unwrap();
            run.set_total_steps(45).unwrap();
            let best = Evaluation {
                step: steps,
                eval_loss: 1.0,
                accuracy,
                mcc: Some(0.0),
                examples: 4,
                seconds: 0.1,
                branch: 0,
            };
            run.end(State::Stopped, steps, Some(best), None).unwrap();
            let out = number == 2;
            Lane { name, folder: run.path().to_owned(), varied: Vec::new(), origin: None, out }
        };
        let lanes = vec![lane(1, 30, 0.25), lane(2, 10, 0.5), lane(3, 31, 0.75)];
        let about = Race { name: "race".into(), folder: race.path().to_owned(), lanes, halve_every: None };
        write_race(&about).unwrap();
        // As an earlier version left it: the steps of all lanes together, of as many as had been taken before.
        race.set_total_steps(40).unwrap();
        race.end(State::Stopped, 135, None, None).unwrap();
        let listed = |at: &Path| list_runs(root.path()).unwrap().into_iter().find(|run| run.folder == at).unwrap();
        let known = listed(race.path());
        assert_eq!((known.steps, known.total_steps, known.best_accuracy), (Some(31), Some(45), Some(0.75)));
        assert_eq!(known.lanes.iter().map(|lane| lane.steps).collect::<Vec<_>>(), [Some(30), Some(10), Some(31)]);
        assert!(known.can_resume(), "two lanes were stopped with the race");
        // The stopped lanes of a completed race are not resumed.
        race.end(State::Completed, 135, None, None).unwrap();
        assert!(!listed(race.path()).can_resume());
    }
}
