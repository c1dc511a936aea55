//! Jobs: work in the background, so that a screen never waits for the disk. A screen requests a [`Job`] by
//! [`super::frame::Effect::Job`], and receives the result as [`super::frame::Input::Done`].
//!
//! The jobs of one [`Lane`] run one after another on a thread of their own; a job that runs until it is stopped ends
//! when the next one of its lane waits, and all end with the screen.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use job::JobContext;

use spartui_run::{delete_run, limiting_field, rename_run};

pub mod comparison;
pub mod curves;
mod files;
mod job;
mod plan;
mod recipes;
mod runs;
mod sample;
mod spark;

pub use files::{Entry, FoundModel};
pub use job::{Done, Job, PlanOf};
pub use recipes::FoundRecipe;
pub use runs::KnownRun;
pub use spark::Spark;

/// A queue of jobs that run one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Runs,
    Plan,
    Rows,
    Models,
    Disk,
    Curves,
    Compare,
}

impl Job {
    fn lane(&self) -> Lane {
        match self {
            Self::WatchRuns(_) => Lane::Runs,
            Self::Plan(_) => Lane::Plan,
            Self::Sample { .. } => Lane::Rows,
            Self::FindModels { .. } | Self::FindModelsBelow(_) => Lane::Models,
            Self::Curves(_) => Lane::Curves,
            Self::Compare(_) => Lane::Compare,
            Self::DeleteRun(_)
            | Self::RenameRun { .. }
            | Self::Note { .. }
            | Self::AskMore(_)
            | Self::ListFolder(_)
            | Self::ListModels(_)
            | Self::FindRecipes { .. }
            | Self::LoadRecipe { .. }
            | Self::SaveRecipe { .. } => Lane::Disk,
        }
    }

    fn work(self, context: &JobContext) {
        let done = match self {
            Self::WatchRuns(folder) => return runs::watch(&folder, context),
            Self::Plan(of) => return plan::plan(&of, context),
            Self::DeleteRun(folder) => {
                let deleted = delete_run(&folder).map_err(|error| error.message().to_owned());
                Done::Deleted(folder, deleted)
            }
            Self::RenameRun { folder, name } => {
                let renamed = rename_run(&folder, &name).map_err(|error| error.message().to_owned());
                Done::Renamed(folder, renamed)
            }
            Self::Note { folder, notes } => {
                let noted = notes.write(&folder).map_err(|error| error.message().to_owned());
                Done::Noted(folder, noted)
            }
            Self::ListModels(folder) => {
                let entries = files::model_folders(&folder);
                Done::Listed(folder, entries)
            }
            Self::AskMore(folder) => {
                let more = limiting_field(&folder).map_err(|error| error.message().to_owned());
                Done::More(folder, more)
            }
            Self::ListFolder(folder) => {
                let entries = files::list(&folder);
                Done::Listed(folder, entries)
            }
            // Only the newest request matters.
            Self::Sample { .. } if !context.pause(Duration::ZERO) => return,
            Self::Sample { folder, file, dialect } => {
                let sample = sample::look(&folder, &file, dialect);
                Done::Sampled(file, Box::new(sample))
            }
            Self::FindModelsBelow(folder) => {
                let found = files::models(&folder, None);
                Done::ModelsBelow(folder, found)
            }
            Self::FindModels { folder, cache } => Done::Models(files::models(&folder, cache.as_deref())),
            Self::FindRecipes { folder, places } => Done::Recipes(recipes::list(&folder, &places)),
            // Of several selections in a row, only the last one matters.
            Self::Compare(ask) if matches!(*ask, comparison::Ask::Compare { .. }) && !context.pause(Duration::ZERO) => {
                return;
            }
            Self::Compare(ask) => Done::Compared(Box::new(comparison::carry_out(*ask))),
            Self::Curves(ask) => Done::Curves(Box::new(curves::carry_out(*ask))),
            Self::LoadRecipe { folder, file } => {
                let recipe = recipes::load(&folder, &file);
                Done::Loaded(file, recipe)
            }
            Self::SaveRecipe { folder, file, given, recipe } => {
                Done::Saved(recipes::save(&folder, &file, given, &recipe))
            }
        };
        context.report(done);
    }
}

/// The threads that run the jobs of a screen.
#[derive(Debug)]
pub struct Jobs {
    lanes: Vec<(Lane, Sender<Job>)>,
    done: Sender<Done>,
    results: Receiver<Done>,
}

impl Default for Jobs {
    fn default() -> Self {
        let (done, results) = unbounded();
        Self { lanes: Vec::new(), done, results }
    }
}

impl Jobs {
    /// Starts a job, or queues it behind those of its lane.
    pub fn begin(&mut self, job: Job) {
        let lane = job.lane();
        let known = self.lanes.iter().find(|(known, _)| *known == lane).map(|(_, queue)| queue.clone());
        let queue = known.map_or_else(|| self.open(lane), Ok);
        let sent = queue.and_then(|queue| queue.send(job).map_err(|_| "its thread is gone".to_owned()));
        if let Err(why) = sent {
            // The receiver lives as long as `self`.
            let _ = self.done.send(Done::Broken(format!("background work is not possible: {why}")));
        }
    }

    /// The results of the jobs.
    #[must_use]
    pub fn done(&self) -> &Receiver<Done> {
        &self.results
    }

    fn open(&mut self, lane: Lane) -> Result<Sender<Job>, String> {
        let (sender, queue) = unbounded::<Job>();
        let context = JobContext { queue, done: self.done.clone() };
        let work = move || {
            while let Ok(job) = context.queue.recv() {
                let name = format!("{:?}", job.lane()).to_lowercase();
                let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.work(&context)));
                if worked.is_err() && !context.report(Done::Broken(format!("the background job for {name} failed"))) {
                    return;
                }
            }
        };
        thread::Builder::new().name("job".into()).spawn(work).map_err(|error| error.to_string())?;
        self.lanes.push((lane, sender.clone()));
        Ok(sender)
    }
}
