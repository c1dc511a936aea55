//! Branches and kept states, as they are told.

use serde::{Deserialize, Serialize};

use super::Evaluation;

/// The steps after a rewind; the first branch began at the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Its number; 0 is the first.
    pub id: u32,
    /// The branch that it came from; none for the first.
    pub parent: Option<u32>,
    /// The step of the parent after which it began.
    pub from: u64,
    /// Its last step so far.
    pub tip: u64,
    /// The best evaluation of its own steps and of those that it came from.
    pub best: Option<Evaluation>,
    /// Whether its tip is kept for good.
    pub pinned: bool,
    /// Whether it is the one that trains.
    pub current: bool,
}

/// A state that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeptState {
    /// Its branch.
    pub branch: u32,
    /// Optimizer steps taken.
    pub step: u64,
    /// Its size, in memory or on the disk.
    pub bytes: u64,
    /// Whether it is kept for good.
    pub pinned: bool,
    /// Where it is.
    pub place: Place,
    /// How it was evaluated, if it was.
    #[serde(default)]
    pub evaluation: Option<Evaluation>,
    /// Whether it is that of the best evaluation of the run, on whichever branch.
    #[serde(default)]
    pub best: bool,
}

/// Which state the adapter, or the model, of a run holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// Its branch.
    pub branch: u32,
    /// Optimizer steps taken.
    pub step: u64,
    /// How it was evaluated, if it was.
    #[serde(default)]
    pub evaluation: Option<Evaluation>,
}

/// Where a state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In memory: gone with the process.
    Memory,
    /// As a checkpoint.
    Disk,
    /// Both.
    Both,
}
