//! The messages between the engine and its clients.
//!
//! A [`Command`] asks the engine for something, an [`Event`] reports what happened. Both are plain serde types: the
//! same stream feeds the interface, the line printer and `metrics.jsonl`.

mod attach;
mod branches;
mod confusion;
mod devices;
mod journal;
mod measures;
mod plan;
mod playground;
mod race;
mod ready;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use attach::{
    Audience, Client, ClientId, Purpose, Request, ServerMessage, Standing, VERSION as ATTACH_VERSION, first_command_id,
};
pub use branches::{Branch, Holds, KeptState, Place};
pub use confusion::{Class, Confusion, Mean};
pub use devices::{Gpu, Host, Vitals};
pub use journal::{ActionKind, Entry, Intervention, JournalAction};
pub use measures::{Consequences, Evaluation, Group, Layer, Memory, Sparsity, Step, mebibytes};
pub use plan::{Planned, PlannedData, PlannedMemory, PlannedRate, PlannedRemark, PlannedRows, PlannedTime};
pub use playground::{About, Answer, Question, Side};
pub use race::{Lane, Origin, Race};
pub use ready::{Example, ModelSummary, Ready};

use crate::recipe::Value;

/// Identifies a command, to match its status.
pub type CommandId = u64;

/// A request to the engine. Commands take effect between two steps, never inside one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Pause training until [`Command::Resume`]; other commands are still handled.
    Pause,
    /// Resume training.
    Resume,
    /// Finish the current step, write checkpoint and adapter, and end.
    Stop,
    /// End now, without writing anything.
    Abort,
    /// Write a checkpoint and end, as for SIGTERM.
    Terminate,
    /// Change a live field of the recipe.
    Set {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
        /// Dotted name of the field, such as `method.sparsity`.
        field: String,
        /// The new value.
        value: Value,
    },
    /// Preview the effects of [`Command::Set`] with the same field and value.
    Preview {
        /// The identifier in [`Event::Previewed`].
        id: CommandId,
        /// Dotted name of the field.
        field: String,
        /// The value to preview.
        value: Value,
    },
    /// Evaluate on the validation rows now.
    Evaluate {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Write the adapter now.
    Export {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Keep the state of this step: in memory at once, and as a checkpoint.
    Snapshot {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Rewind to an earlier step of this branch or its ancestors: to right after that step, before any change that was
    /// made there. The following steps are a new branch.
    Rewind {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
        /// Optimizer steps done at that time; 0 is the start.
        step: u64,
    },
    /// Switch to the tip of another branch and continue there.
    SwitchBranch {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
        /// The branch.
        branch: u32,
    },
    /// Pin or unpin a state. One that is only in memory is written as a checkpoint.
    Pin {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
        /// Branch of the state.
        branch: u32,
        /// Its step: one in [`Event::Snapshots`], or the tip of the branch.
        step: u64,
        /// Whether it is to be pinned.
        pinned: bool,
    },
    /// Undo the last change of a setting by hand: rewind to the state before it, on a new branch. The steps since are
    /// kept on their own branch; to set the old value again without a rewind, use [`Command::Set`].
    Undo {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Ask the base and the adapted model about a text, while training goes on. This changes nothing of the training
    /// and is not journaled; several questions are queued.
    Predict {
        /// The identifier in [`Event::Predicted`], and in the final [`Event::CommandStatus`].
        id: CommandId,
        /// The question.
        question: Question,
    },
    /// Cancel a [`Command::Predict`].
    BreakOff {
        /// Identifier of that command.
        asked: CommandId,
    },
    /// A command for one lane of a race. Other commands to a race are sent to all its lanes.
    Lane {
        /// The lane's number.
        lane: u32,
        /// The command.
        asked: Box<Command>,
    },
    /// Start another lane from the current state of this one.
    Clone {
        /// The identifier in [`Event::CommandStatus`].
        id: CommandId,
        /// The lane's number.
        lane: u32,
        /// Live fields that are changed in the new lane.
        set: Vec<(String, Value)>,
    },
}

/// The status of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CommandStatus {
    /// Queued behind something longer, such as an evaluation.
    Queued,
    /// Applied at this step.
    Applied {
        /// Optimizer steps done when it took effect.
        step: u64,
    },
    /// Rejected.
    Rejected {
        /// One sentence with the reason and a remedy.
        why: String,
    },
}

/// A report from the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Progress before the first step.
    Loading {
        /// The current activity, as text.
        what: String,
        /// The share that is done, 0 to 1, if known.
        fraction: Option<f32>,
    },
    /// Everything is loaded, and every live field was sent as [`Event::Setting`]; steps follow.
    Ready(Box<Ready>),
    /// The first training example, tokenized.
    Example(Example),
    /// An optimizer step was taken.
    Step(Step),
    /// An evaluation is in progress.
    Evaluating {
        /// Rows done.
        done: usize,
        /// Rows in all.
        of: usize,
    },
    /// An evaluation ended.
    Evaluated(Evaluation),
    /// The confusion matrix of a classifier's evaluation.
    Confused(Box<Confusion>),
    /// Memory by owner.
    Memory(Memory),
    /// Trainable scalars by group and layer.
    Sparsity(Sparsity),
    /// The value of a live field; also sent for each of them before [`Event::Ready`].
    Setting {
        /// Dotted name.
        field: String,
        /// Its current value.
        value: Value,
    },
    /// The run's total number of steps, after a change that may affect it.
    TotalSteps {
        /// The total number of steps.
        total_steps: u64,
    },
    /// A change by hand took effect; it is journaled.
    Intervention(Intervention),
    /// The status of a command.
    CommandStatus {
        /// Identifier of the command.
        id: CommandId,
        /// Its status.
        status: CommandStatus,
    },
    /// The answer to [`Command::Preview`].
    Previewed {
        /// Identifier of the command.
        id: CommandId,
        /// The effects of the change, or one sentence why it would be rejected.
        outcome: Result<Consequences, String>,
    },
    /// A part of the answer to [`Command::Predict`].
    Predicted {
        /// Identifier of the command.
        id: CommandId,
        /// The part.
        answer: Answer,
    },
    /// Machine and device statistics.
    Vitals(Box<Vitals>),
    /// Training is paused at this step.
    Paused {
        /// Optimizer steps done.
        step: u64,
    },
    /// Training is resumed.
    Resumed {
        /// Optimizer steps done.
        step: u64,
        /// Total duration in seconds of this process's pauses so far.
        #[serde(default)]
        stood: f64,
    },
    /// A checkpoint was written.
    Checkpointed {
        /// Optimizer steps done.
        step: u64,
        /// Its folder.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
    },
    /// Steps from a kept state to the requested one are recomputed.
    Recomputing {
        /// Steps done.
        done: u64,
        /// Steps in all.
        of: u64,
    },
    /// The run moved to another step or branch, after [`Command::Rewind`], [`Command::Undo`],
    /// [`Command::SwitchBranch`] or a fault. [`Event::Branches`] follows, and each live field as [`Event::Setting`].
    Rewound {
        /// Optimizer steps done in the new state.
        step: u64,
        /// The branch that continues from there.
        branch: u32,
        /// Branch and step of the previous state.
        left: (u32, u64),
    },
    /// All branches of the run, in the order in which they began; sent after every change of the list.
    Branches {
        /// The branches.
        branches: Vec<Branch>,
    },
    /// The states that can be restored without recomputing a step, by branch and step; sent after changes, at most
    /// once a second.
    Snapshots {
        /// The states.
        snapshots: Vec<KeptState>,
    },
    /// An adapter was written.
    Exported {
        /// Optimizer steps done.
        step: u64,
        /// Its folder.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
    },
    /// A note for the user, such as on rows of the data that were left out.
    Note {
        /// Its severity.
        level: Level,
        /// One sentence.
        message: String,
    },
    /// The run failed and the engine has ended.
    Fault {
        /// One sentence: what, where, what to do.
        message: String,
        /// Whether the input was refused (exit status 2), rather than that the run failed (1).
        refused: bool,
    },
    /// The lanes of a race; sent before the first step and after a lane was added.
    Race(Box<Race>),
    /// An event of one lane of a race.
    Lane {
        /// The lane's number.
        lane: u32,
        /// The event.
        told: Box<Event>,
    },
    /// The worse lanes of a race are stopped.
    Halved {
        /// Optimizer steps that each lane had done.
        step: u64,
        /// The lanes that continue, best first.
        kept: Vec<u32>,
        /// The lanes that were stopped.
        stopped: Vec<u32>,
    },
    /// The run ended normally; the last event.
    Finished(Box<Summary>),
}

/// The severity of an [`Event::Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For information.
    Info,
    /// A warning.
    Warning,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All steps were taken.
    Completed,
    /// [`Command::Stop`].
    Stopped,
    /// [`Command::Abort`].
    Aborted,
    /// [`Command::Terminate`].
    Terminated,
    /// The validation metric stopped improving.
    StoppedEarly,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Aborted => "aborted",
            Self::Terminated => "terminated",
            Self::StoppedEarly => "stopped early",
        })
    }
}

/// A summary of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How it ended.
    pub ending: Ending,
    /// Folder of the run.
    pub folder: PathBuf,
    /// Folder of the adapter, if one was written.
    pub adapter: Option<PathBuf>,
    /// The state in it.
    #[serde(default)]
    pub holds: Option<Holds>,
    /// Optimizer steps done.
    pub steps: u64,
    /// Wall time of the training in seconds.
    pub seconds: f64,
    /// Loss of the last step.
    pub loss: Option<f64>,
    /// The best evaluation on any branch: a classifier's by accuracy, a language model's by loss.
    pub best: Option<Evaluation>,
    /// The last evaluation.
    pub last: Option<Evaluation>,
    /// Trainable scalars at the end, including the head.
    pub trainable: u64,
    /// Sparsity at the end.
    pub sparsity: f64,
    /// Peak resident size in bytes.
    pub peak_memory: u64,
    /// The predicted peak.
    #[serde(default)]
    pub predicted_memory: Option<u64>,
    /// Median wall time of a step in seconds.
    pub median_step_seconds: Option<f64>,
}
