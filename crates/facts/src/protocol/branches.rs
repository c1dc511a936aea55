//! Branches and kept states.

use serde::{Deserialize, Serialize};

use super::Evaluation;

/// The steps after a rewind; the first branch began at the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Its number; 0 is the first.
    pub id: u32,
    /// The parent branch; none for the first.
    pub parent: Option<u32>,
    /// The step of the parent after which it began.
    pub from: u64,
    /// Its last step so far.
    pub tip: u64,
    /// The best evaluation of its own steps and of its ancestors.
    pub best: Option<Evaluation>,
    /// Whether its tip is pinned.
    pub pinned: bool,
    /// Whether it is the current branch.
    pub current: bool,
}

/// A kept state.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeptState {
    /// Its branch.
    pub branch: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// Its size in bytes, in memory or on disk.
    pub bytes: u64,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Where it is kept.
    pub place: Place,
    /// Its evaluation, if any.
    #[serde(default)]
    pub evaluation: Option<Evaluation>,
    /// Whether it is that of the best evaluation of the run, on any branch.
    #[serde(default)]
    pub best: bool,
}

/// The state in a run's adapter or model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// Its branch.
    pub branch: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// Its evaluation, if any.
    #[serde(default)]
    pub evaluation: Option<Evaluation>,
}

/// Where a state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In memory only.
    Memory,
    /// As a checkpoint.
    Disk,
    /// Both.
    Both,
}
