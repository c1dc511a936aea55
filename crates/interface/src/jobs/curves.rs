//! The jobs of the inspector.

use std::path::{Path, PathBuf};

use crate::curves::Export;
use spartui_facts::protocol::Entry;
use spartui_facts::recipe::Recipe;
use spartui_run::{Journal, ListedRun, Piece, RunFolder, State, Tail, list_runs};

/// Lines of metrics per read: the first ones are shown before all are read.
const LINES: usize = 50_000;

/// A job of the inspector.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// List the runs of a folder.
    List(PathBuf),
    /// Read recipe, journal and status of a run.
    Run(PathBuf),
    /// Read the new metrics of a run.
    Tail {
        /// Its folder.
        folder: PathBuf,
        /// How far they have been read.
        tail: Tail,
    },
    /// Export a view to a file.
    Export(Box<Export>),
}

/// The result of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The runs, or why they cannot be listed.
    List(Result<Vec<ListedRun>, String>),
    /// A run.
    Run(PathBuf, Box<About>),
    /// A piece of metrics, and how far they have been read.
    Tail {
        /// The run's folder.
        folder: PathBuf,
        /// How far they had been read before.
        from: Tail,
        /// How far they have been read.
        tail: Tail,
        /// The new lines, or the error.
        piece: Result<Piece, String>,
    },
    /// The name of the file that was written, or the error.
    Export(Result<String, String>),
}

/// What is known of a run besides its metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Its recipe.
    pub recipe: Result<Recipe, String>,
    /// The journal of changes by hand.
    pub journal: Result<Vec<Entry>, String>,
    /// Its status, if known.
    pub state: Option<State>,
}

/// Runs a job.
#[must_use]
pub fn carry_out(ask: Ask) -> Answer {
    match ask {
        Ask::List(runs) => Answer::List(list_runs(&runs).map(curves).map_err(|error| error.message().to_owned())),
        Ask::Run(folder) => {
            let about = about(&folder);
            Answer::Run(folder, Box::new(about))
        }
        Ask::Tail { folder, mut tail } => {
            let from = tail.clone();
            let piece = tail.next(LINES).map_err(|error| error.message().to_owned());
            Answer::Tail { folder, from, tail, piece }
        }
        Ask::Export(export) => Answer::Export(export.write(Path::new("."))),
    }
}

/// The runs that have curves: for a race, its lanes.
fn curves(listed: Vec<ListedRun>) -> Vec<ListedRun> {
    let each = |mut run: ListedRun| if run.lanes.is_empty() { vec![run] } else { std::mem::take(&mut run.lanes) };
    listed.into_iter().flat_map(each).collect()
}

fn about(folder: &Path) -> About {
    let journal = Journal::read(&folder.join("journal.jsonl")).map_err(|error| error.message().to_owned());
    match RunFolder::open(folder) {
        Ok(run) => {
            About { recipe: Ok(run.recipe().clone()), journal, state: run.status().ok().map(|status| status.state) }
        }
        Err(error) => About { recipe: Err(error.message().to_owned()), journal, state: None },
    }
}
