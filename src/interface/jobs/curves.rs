//! What the inspector asks of the disk. It is carried out on another thread, so that the screen never waits.

use std::path::{Path, PathBuf};

use crate::interface::curves::Export;
use crate::protocol::Entry;
use crate::recipe::Recipe;
use crate::run::{Journal, ListedRun, Piece, RunFolder, State, Tail, list_runs};

/// Lines of metrics that are read at once: what is read is seen before all is.
const LINES: usize = 50_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// The runs of a folder.
    List(PathBuf),
    /// Recipe, journal and state of a run.
    Run(PathBuf),
    /// What the metrics of a run have grown by.
    Tail {
        /// Its folder.
        folder: PathBuf,
        /// How far they are read.
        tail: Tail,
    },
    /// A view written into a file.
    Export(Box<Export>),
}

/// What the disk says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The runs, or why they cannot be listed.
    List(Result<Vec<ListedRun>, String>),
    /// A run.
    Run(PathBuf, Box<About>),
    /// A piece of metrics, and how far they are read now.
    Tail {
        /// The run's folder.
        folder: PathBuf,
        /// How far they were read before.
        from: Tail,
        /// How far they are read.
        tail: Tail,
        /// What was read, or why nothing was.
        piece: Result<Piece, String>,
    },
    /// The name of the file that was written, or why none was.
    Export(Result<String, String>),
}

/// What is known of a run beside its metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Its recipe.
    pub recipe: Result<Recipe, String>,
    /// What was done by hand.
    pub journal: Result<Vec<Entry>, String>,
    /// How it stands, where that can be known.
    pub state: Option<State>,
}

/// Does what is asked.
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

/// The runs that have curves: a race has those of its lanes.
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
