//! What can be asked to be done beside the screen, what comes of it, and where it is done.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender};

use super::{Entry, FoundModel, FoundRecipe, KnownRun, comparison, curves};
use crate::data::{Dialect, Sample};
use crate::protocol::Planned;
use crate::recipe::Recipe;
use crate::run::Notes;

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

/// What a plan is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOf {
    /// Names it in what is told of it.
    pub id: u64,
    /// What the run would be asked to be; paths are relative to the working folder.
    pub recipe: Box<Recipe>,
    /// This program.
    pub program: PathBuf,
    /// The working folder.
    pub folder: PathBuf,
    /// The folder of all runs.
    pub runs: PathBuf,
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

/// Where a job is done.
#[derive(Debug)]
pub struct Desk {
    pub queue: Receiver<Job>,
    pub done: Sender<Done>,
}

impl Desk {
    /// Tells what came of it; whether anybody listens.
    pub fn tell(&self, done: Done) -> bool {
        self.done.send(done).is_ok()
    }

    /// Waits; whether the job is to go on then.
    pub fn pause(&self, time: Duration) -> bool {
        let mut select = Select::new();
        select.recv(&self.queue);
        select.ready_timeout(time).is_err()
    }
}
