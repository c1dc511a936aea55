//! What is done beside the screen, so that it never waits for the disk: a screen asks for a [`Job`] by
//! [`super::frame::Effect::Job`], and hears what came of it by [`super::frame::Input::Done`].
//!
//! Jobs of one [`Lane`] are done one after another by a thread of their own; a job that goes on until it is told
//! otherwise ends when the next one of its lane waits, and all end with the screen.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender, unbounded};

use crate::data::{Dialect, Sample};
use crate::protocol::Planned;
use crate::recipe::Recipe;
use crate::run::{Notes, delete_run, ended_at, rename_run};

pub mod comparison;
pub mod curves;
mod files;
mod plan;
mod recipes;
mod runs;
mod sample;
mod spark;

pub use files::{Entry, FoundModel};
pub use plan::PlanOf;
pub use recipes::FoundRecipe;
pub use runs::KnownRun;
pub use spark::Spark;

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Tell what runs there are in a folder, and whenever that changes.
    WatchRuns(PathBuf),
    /// Delete a run's folder.
    DeleteRun(PathBuf),
    /// Give a run another name.
    RenameRun {
        /// Its folder.
        folder: PathBuf,
        /// The name.
        name: String,
    },
    /// Write what the user says about a run into its folder.
    Note {
        /// Its folder.
        folder: PathBuf,
        /// What is said.
        notes: Notes,
    },
    /// Say what a run that has ended is to be given more of.
    AskMore(PathBuf),
    /// Say what a run would be, part by part.
    Plan(PlanOf),
    /// List a folder, to choose a file of rows from.
    ListFolder(PathBuf),
    /// List the folders of a folder, to choose a model from.
    ListModels(PathBuf),
    /// Look into a file of rows, its path relative to the working folder.
    Sample {
        /// The working folder.
        folder: PathBuf,
        /// The file.
        file: PathBuf,
        /// How it is said to be written.
        dialect: Dialect,
    },
    /// Looks for models below a folder that was browsed to.
    FindModelsBelow(PathBuf),
    /// Find the models below the working folder and in the hub's cache.
    FindModels {
        /// The working folder.
        folder: PathBuf,
        /// The cache.
        cache: Option<PathBuf>,
    },
    /// Find the recipes in some folders.
    FindRecipes {
        /// The working folder.
        folder: PathBuf,
        /// The folders, relative to it.
        places: Vec<PathBuf>,
    },
    /// Read a recipe.
    LoadRecipe {
        /// The working folder.
        folder: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// Write a recipe.
    SaveRecipe {
        /// The working folder.
        folder: PathBuf,
        /// The file.
        file: PathBuf,
        /// Whether the user named the file, so that what is there is replaced; else it gets a number.
        given: bool,
        /// What it asks for.
        recipe: Box<Recipe>,
    },
    /// Read or write what the inspector shows.
    Curves(Box<curves::Ask>),
    /// Read, compare or write what the comparison shows.
    Compare(Box<comparison::Ask>),
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The runs of the folder, the latest first, or why they cannot be read.
    Runs(Result<Vec<KnownRun>, String>),
    /// The run of this folder is gone, or why it is not.
    Deleted(PathBuf, Result<(), String>),
    /// The run of this folder is in another one now, or why it is not.
    Renamed(PathBuf, Result<PathBuf, String>),
    /// What was said about the run of this folder is written, or why it is not.
    Noted(PathBuf, Result<(), String>),
    /// The field at which the run of this folder ended, and its value; or why that cannot be said.
    More(PathBuf, Result<(&'static str, f64), String>),
    /// A part of the plan of this name; none once it is at its end.
    Planned(u64, Option<Box<Planned>>),
    /// What is in a folder, or why that cannot be said.
    Listed(PathBuf, Result<Vec<Entry>, String>),
    /// What a file of rows holds, or why it cannot be read.
    Sampled(PathBuf, Box<Result<Sample, String>>),
    /// The models that were found.
    Models(Vec<FoundModel>),
    /// The models below a folder, each named from there.
    ModelsBelow(PathBuf, Vec<FoundModel>),
    /// The recipes that were found.
    Recipes(Vec<FoundRecipe>),
    /// A recipe, or why it cannot be read.
    Loaded(PathBuf, Result<Box<Recipe>, String>),
    /// The file that a recipe was written to, or why not.
    Saved(Result<PathBuf, String>),
    /// What came of what the inspector asked.
    Curves(Box<curves::Answer>),
    /// What came of what the comparison asked.
    Compared(Box<comparison::Answer>),
    /// A job ended in a way that nobody foresaw.
    Broken(String),
}

/// Which jobs wait for each other.
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

    fn work(self, desk: &Desk) {
        let done = match self {
            Self::WatchRuns(folder) => return runs::watch(&folder, desk),
            Self::Plan(of) => return plan::plan(&of, desk),
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
                let more = ended_at(&folder).map_err(|error| error.message().to_owned());
                Done::More(folder, more)
            }
            Self::ListFolder(folder) => {
                let entries = files::list(&folder);
                Done::Listed(folder, entries)
            }
            // What was asked for last is all that anybody wants to see.
            Self::Sample { .. } if !desk.pause(Duration::ZERO) => return,
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
            // Of several selections in a row, the last one is wanted.
            Self::Compare(ask) if matches!(*ask, comparison::Ask::Compare { .. }) && !desk.pause(Duration::ZERO) => {
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
        desk.tell(done);
    }
}

/// Where a job is done.
#[derive(Debug)]
struct Desk {
    queue: Receiver<Job>,
    done: Sender<Done>,
}

impl Desk {
    /// Tells what came of it; whether anybody listens.
    fn tell(&self, done: Done) -> bool {
        self.done.send(done).is_ok()
    }

    /// Waits; whether the job is to go on then.
    fn pause(&self, time: Duration) -> bool {
        let mut select = Select::new();
        select.recv(&self.queue);
        select.ready_timeout(time).is_err()
    }
}

/// The threads that do the jobs of a screen.
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
    /// Begins a job, or lets it wait behind those of its lane.
    pub fn begin(&mut self, job: Job) {
        let lane = job.lane();
        let known = self.lanes.iter().find(|(known, _)| *known == lane).map(|(_, queue)| queue.clone());
        let queue = known.map_or_else(|| self.open(lane), Ok);
        let sent = queue.and_then(|queue| queue.send(job).map_err(|_| "its thread is gone".to_owned()));
        if let Err(why) = sent {
            // The receiver lives as long as this does.
            let _ = self.done.send(Done::Broken(format!("nothing can be done beside the screen: {why}")));
        }
    }

    /// What came of the jobs.
    #[must_use]
    pub fn done(&self) -> &Receiver<Done> {
        &self.results
    }

    fn open(&mut self, lane: Lane) -> Result<Sender<Job>, String> {
        let (sender, queue) = unbounded::<Job>();
        let desk = Desk { queue, done: self.done.clone() };
        let work = move || {
            while let Ok(job) = desk.queue.recv() {
                let name = format!("{:?}", job.lane()).to_lowercase();
                let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.work(&desk)));
                if worked.is_err() && !desk.tell(Done::Broken(format!("what was asked about {name} broke"))) {
                    return;
                }
            }
        };
        thread::Builder::new().name("job".into()).spawn(work).map_err(|error| error.to_string())?;
        self.lanes.push((lane, sender.clone()));
        Ok(sender)
    }
}
