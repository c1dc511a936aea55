//! Jobs, their results, and their connection to the screen.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender};

use super::{Entry, FoundModel, FoundRecipe, KnownRun, comparison, curves};
use spartui_data::{Dialect, Sample};
use spartui_facts::protocol::Planned;
use spartui_facts::recipe::Recipe;
use spartui_run::Notes;

/// A job to run in the background.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Report the runs in a folder, whenever they change.
    WatchRuns(PathBuf),
    /// Delete a run's folder.
    DeleteRun(PathBuf),
    /// Rename a run.
    RenameRun {
        /// Its folder.
        folder: PathBuf,
        /// The new name.
        name: String,
    },
    /// Write the user's notes about a run into its folder.
    Note {
        /// Its folder.
        folder: PathBuf,
        /// The notes.
        notes: Notes,
    },
    /// Determine the field by which an ended run can be extended.
    AskMore(PathBuf),
    /// Plan a run, part by part.
    Plan(PlanOf),
    /// List a folder, to choose a file of rows.
    ListFolder(PathBuf),
    /// List the subfolders of a folder, to choose a model.
    ListModels(PathBuf),
    /// Read a sample of a file of rows.
    Sample {
        /// The working folder.
        folder: PathBuf,
        /// The file, relative to the working folder.
        file: PathBuf,
        /// Its format options.
        dialect: Dialect,
    },
    /// Find the models below a folder that was browsed to.
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
        /// Whether the user named the file, so that an existing one is replaced; else a number is appended.
        given: bool,
        /// The recipe.
        recipe: Box<Recipe>,
    },
    /// A job of the inspector.
    Curves(Box<curves::Ask>),
    /// A job of the comparison.
    Compare(Box<comparison::Ask>),
}

/// A request for a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOf {
    /// Its identifier in the results.
    pub id: u64,
    /// The recipe; its paths are relative to the working folder.
    pub recipe: Box<Recipe>,
    /// The path of this program.
    pub program: PathBuf,
    /// The working folder.
    pub folder: PathBuf,
    /// The folder of all runs.
    pub runs: PathBuf,
}

/// The result of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The runs of the folder, newest first, or why they cannot be read.
    Runs(Result<Vec<KnownRun>, String>),
    /// The run in this folder was deleted, or the error.
    Deleted(PathBuf, Result<(), String>),
    /// The run in this folder has a new folder, or the error.
    Renamed(PathBuf, Result<PathBuf, String>),
    /// The notes on the run in this folder were written, or the error.
    Noted(PathBuf, Result<(), String>),
    /// The field that ended the run, and its value; or the error.
    More(PathBuf, Result<(&'static str, f64), String>),
    /// A part of the plan with this identifier; none at its end.
    Planned(u64, Option<Box<Planned>>),
    /// The entries of a folder, or the error.
    Listed(PathBuf, Result<Vec<Entry>, String>),
    /// The sample of a file of rows, or the error.
    Sampled(PathBuf, Box<Result<Sample, String>>),
    /// The models found.
    Models(Vec<FoundModel>),
    /// The models found below a folder, named relative to it.
    ModelsBelow(PathBuf, Vec<FoundModel>),
    /// The recipes found.
    Recipes(Vec<FoundRecipe>),
    /// A recipe, or the error.
    Loaded(PathBuf, Result<Box<Recipe>, String>),
    /// The file that a recipe was written to, or the error.
    Saved(Result<PathBuf, String>),
    /// The result of a job of the inspector.
    Curves(Box<curves::Answer>),
    /// The result of a job of the comparison.
    Compared(Box<comparison::Answer>),
    /// A job panicked.
    Broken(String),
}

/// The connection of a job to its screen.
#[derive(Debug)]
pub struct JobContext {
    pub queue: Receiver<Job>,
    pub done: Sender<Done>,
}

impl JobContext {
    /// Sends a result; returns whether there is a receiver.
    pub fn report(&self, done: Done) -> bool {
        self.done.send(done).is_ok()
    }

    /// Waits; returns whether the job is to continue.
    pub fn pause(&self, time: Duration) -> bool {
        let mut select = Select::new();
        select.recv(&self.queue);
        select.ready_timeout(time).is_err()
    }
}
