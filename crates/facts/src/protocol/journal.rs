//! The journal of changes by hand.

use serde::{Deserialize, Serialize};

use super::CommandId;
use crate::recipe::Value;

/// A change by hand that took effect; a line of `journal.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    /// Optimizer steps done before it.
    pub step: u64,
    /// Dotted name of the field.
    pub field: String,
    /// The value before.
    pub from: Value,
    /// The value after.
    pub to: Value,
    /// Identifier of the command.
    pub id: CommandId,
    /// Seconds since the Unix epoch.
    pub time: f64,
}

/// A line of `journal.jsonl`: an action by hand, or because of a fault, that affects how training continues.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// A change of a setting.
    Set(Intervention),
    /// Any other action.
    Action(JournalAction),
}

/// An action other than a change of a setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalAction {
    /// Optimizer steps done before it.
    pub step: u64,
    /// The kind of action.
    #[serde(flatten)]
    pub what: ActionKind,
    /// Identifier of the command; 0 without one: after a fault, or as a part of stopping.
    pub id: CommandId,
    /// Seconds since the Unix epoch.
    pub time: f64,
}

/// The kind of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActionKind {
    /// An evaluation by hand; it counts for the best one and for early stopping.
    Evaluate,
    /// [`Command::Rewind`](super::Command).
    Rewind {
        /// Optimizer steps done in the state restored.
        to: u64,
        /// The new branch.
        branch: u32,
    },
    /// [`Command::Undo`](super::Command).
    Undo {
        /// Optimizer steps done in the state restored.
        to: u64,
        /// The new branch.
        branch: u32,
        /// Number of changes by hand that were undone: more than one if some of them had undone each other.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        changes: u32,
    },
    /// [`Command::SwitchBranch`](super::Command).
    SwitchBranch {
        /// The branch switched to.
        branch: u32,
    },
    /// [`Command::Pin`](super::Command).
    Pin {
        /// Branch of the state.
        branch: u32,
        /// Its step.
        at: u64,
        /// Whether it is pinned.
        pinned: bool,
    },
    /// [`Command::Stop`](super::Command): the run ends here, unless [`ActionKind::Resume`] follows.
    Stop,
    /// A stopped run is resumed.
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
    /// Optimizer steps done before it.
    #[must_use]
    pub fn step(&self) -> u64 {
        match self {
            Self::Set(change) => change.step,
            Self::Action(action) => action.step,
        }
    }

    /// The entry as text.
    #[must_use]
    pub fn describe(&self) -> String {
        let what = match self {
            Self::Set(change) => return format!("{}: {} -> {}", change.field, change.from, change.to),
            Self::Action(action) => &action.what,
        };
        match what {
            // The evaluation that belongs to a stop has no command.
            ActionKind::Evaluate if self.is_asked_for() => "evaluated by hand".into(),
            ActionKind::Evaluate => "evaluated before stopping".into(),
            ActionKind::Rewind { to, branch } => format!("back to step {to}, which begins branch {branch}"),
            ActionKind::Undo { to, branch, .. } => {
                format!("last change undone: back to step {to}, which begins branch {branch}")
            }
            ActionKind::SwitchBranch { branch } => format!("on with branch {branch}"),
            ActionKind::Pin { branch, at, pinned: true } => format!("step {at} of branch {branch} kept for good"),
            ActionKind::Pin { branch, at, pinned: false } => {
                format!("step {at} of branch {branch} no longer kept for good")
            }
            ActionKind::Stop => "stopped".into(),
            ActionKind::Resume => "resumed".into(),
        }
    }

    /// Whether a command asked for it.
    fn is_asked_for(&self) -> bool {
        matches!(self, Self::Set(Intervention { id, .. }) | Self::Action(JournalAction { id, .. }) if *id != 0)
    }

    /// The branch that it began or switched to.
    #[must_use]
    pub fn goes_to(&self) -> Option<u32> {
        match self {
            Self::Set(_) => None,
            Self::Action(action) => match action.what {
                ActionKind::Rewind { branch, .. }
                | ActionKind::Undo { branch, .. }
                | ActionKind::SwitchBranch { branch } => Some(branch),
                _ => None,
            },
        }
    }

    /// Whether it is replayed together with the steps around it: changes of settings, and evaluations.
    #[must_use]
    pub fn shapes_training(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Action(JournalAction { what: ActionKind::Evaluate, .. }))
    }
}
