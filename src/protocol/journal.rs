//! What is done by hand, as the journal keeps it.

use serde::{Deserialize, Serialize};

use super::CommandId;
use crate::recipe::Value;

/// A change by hand that took effect; a line of `journal.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    /// Optimizer steps taken before it.
    pub step: u64,
    /// Dotted name of the field.
    pub field: String,
    /// Value before.
    pub from: Value,
    /// Value since.
    pub to: Value,
    /// The command that asked for it.
    pub id: CommandId,
    /// Seconds since the Unix epoch.
    pub time: f64,
}

/// A line of `journal.jsonl`: something that was done by hand, or because of a fault, and that changes how training goes on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// A setting got another value.
    Set(Intervention),
    /// Anything else.
    Deed(Deed),
}

/// What is no change of a setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// Optimizer steps taken before it.
    pub step: u64,
    /// What was done.
    #[serde(flatten)]
    pub what: What,
    /// The command that asked for it; 0 where none did: after a fault, or as a part of stopping.
    pub id: CommandId,
    /// Seconds since the Unix epoch.
    pub time: f64,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// An evaluation was asked for; it counts for the best one and for early stopping.
    Evaluate,
    /// [`Command::Rewind`](super::Command).
    Rewind {
        /// Optimizer steps taken where it went back to.
        to: u64,
        /// The branch that began.
        branch: u32,
    },
    /// [`Command::Undo`](super::Command).
    Undo {
        /// Optimizer steps taken where it went back to.
        to: u64,
        /// The branch that began.
        branch: u32,
        /// Changes by hand that it went back over: more than one where some of them had taken each other back.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        changes: u32,
    },
    /// [`Command::SwitchBranch`](super::Command).
    SwitchBranch {
        /// Where it went.
        branch: u32,
    },
    /// [`Command::Pin`](super::Command).
    Pin {
        /// Branch of the state.
        branch: u32,
        /// Its step.
        at: u64,
        /// Whether it is kept.
        pinned: bool,
    },
    /// [`Command::Stop`](super::Command): the run ends here, unless [`What::Resume`] follows.
    Stop,
    /// A run that had been stopped goes on.
    Resume,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's way")]
fn is_one(changes: &u32) -> bool {
    *changes == 1
}

impl Entry {
    /// Optimizer steps that had been taken before it.
    #[must_use]
    pub fn step(&self) -> u64 {
        match self {
            Self::Set(change) => change.step,
            Self::Deed(deed) => deed.step,
        }
    }

    /// What it says, for people.
    #[must_use]
    pub fn told(&self) -> String {
        let what = match self {
            Self::Set(change) => return format!("{}: {} -> {}", change.field, change.from, change.to),
            Self::Deed(deed) => &deed.what,
        };
        match what {
            // No command asks for the one that a stop does for itself.
            What::Evaluate if self.is_asked_for() => "evaluated by hand".into(),
            What::Evaluate => "evaluated before stopping".into(),
            What::Rewind { to, branch } => format!("back to step {to}, which begins branch {branch}"),
            What::Undo { to, branch, .. } => {
                format!("last change undone: back to step {to}, which begins branch {branch}")
            }
            What::SwitchBranch { branch } => format!("on with branch {branch}"),
            What::Pin { branch, at, pinned: true } => format!("step {at} of branch {branch} kept for good"),
            What::Pin { branch, at, pinned: false } => format!("step {at} of branch {branch} no longer kept for good"),
            What::Stop => "stopped".into(),
            What::Resume => "resumed".into(),
        }
    }

    /// Whether a command asked for it.
    fn is_asked_for(&self) -> bool {
        matches!(self, Self::Set(Intervention { id, .. }) | Self::Deed(Deed { id, .. }) if *id != 0)
    }

    /// The branch that it began or went to.
    #[must_use]
    pub fn goes_to(&self) -> Option<u32> {
        match self {
            Self::Set(_) => None,
            Self::Deed(deed) => match deed.what {
                What::Rewind { branch, .. } | What::Undo { branch, .. } | What::SwitchBranch { branch } => Some(branch),
                _ => None,
            },
        }
    }

    /// Whether it is done again when the steps around it are: changes of settings and evaluations.
    #[must_use]
    pub fn shapes_training(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Deed(Deed { what: What::Evaluate, .. }))
    }
}
