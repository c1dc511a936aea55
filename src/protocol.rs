//! Everything that crosses between the engine and whoever watches it.
//!
//! A [`Command`] asks the engine for something, an [`Event`] tells the world what happened. Both are plain serde
//! types: the interface, the line printer and `metrics.jsonl` are fed by the same stream.

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
    Audience, Client, ClientId, News, Purpose, Request, Standing, VERSION as ATTACH_VERSION, first_command_id,
};
pub use branches::{Branch, Holds, KeptState, Place};
pub use confusion::{Class, Confusion, Mean};
pub use devices::{Gpu, Host, Vitals};
pub use journal::{Deed, Entry, Intervention, What};
pub use measures::{Consequences, Evaluation, Group, Layer, Memory, Sparsity, Step, mebibytes};
pub use plan::{Planned, PlannedData, PlannedMemory, PlannedRate, PlannedRemark, PlannedRows, PlannedTime};
pub use playground::{About, Answer, Question, Side};
pub use race::{Lane, Origin, Race};
pub use ready::{Example, ModelSummary, Ready};

use crate::recipe::Value;

/// Names one command, so that its status can be told apart from another's.
pub type CommandId = u64;

/// What the interface asks of the engine. Commands take effect between two steps, never inside one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Stop stepping until [`Command::Resume`]; other commands are still served.
    Pause,
    /// Go on stepping.
    Resume,
    /// Finish the current step, write checkpoint and adapter, end.
    Stop,
    /// End now; nothing more is written than what the run folder already holds.
    Abort,
    /// Write a checkpoint and end; what a SIGTERM asks for.
    Terminate,
    /// Give a live-editable field of the recipe another value.
    Set {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
        /// Dotted name of the field, such as `method.sparsity`.
        field: String,
        /// The new value.
        value: Value,
    },
    /// Ask what [`Command::Set`] with the same field and value would do, without doing it.
    Preview {
        /// Names this command in its [`Event::Previewed`].
        id: CommandId,
        /// Dotted name of the field.
        field: String,
        /// The value under consideration.
        value: Value,
    },
    /// Evaluate on the validation rows now.
    Evaluate {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Write the adapter now.
    Export {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Keep the state of this step: in memory at once, and as a checkpoint.
    Snapshot {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Go back to an earlier step of this branch or of those that it came from: to the moment when that step had just
    /// been taken, before any change that was made there. The steps that follow are a new branch.
    Rewind {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
        /// Optimizer steps that have been taken at that moment; 0 is the start.
        step: u64,
    },
    /// Go to the tip of another branch and go on there.
    SwitchBranch {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
        /// The branch.
        branch: u32,
    },
    /// Keep a state for good, or no longer. One that is only in memory is written as a checkpoint.
    Pin {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
        /// Branch of the state.
        branch: u32,
        /// Its step: one of those that [`Event::Snapshots`] lists, or the tip of the branch.
        step: u64,
        /// Whether it is kept for good.
        pinned: bool,
    },
    /// Make the last change of a setting by hand as if it had never been: go back to the state before it, on a new
    /// branch. The steps taken since are left behind, on the branch that they are on; to set the old value again and keep
    /// them is a [`Command::Set`].
    Undo {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
    },
    /// Let the base model and the adapted one read a text, while training goes on. It changes nothing of the training and is
    /// in no journal; several wait for each other.
    Predict {
        /// Names this command in its [`Event::Predicted`], and in the [`Event::CommandStatus`] that says that all is told.
        id: CommandId,
        /// What is asked.
        question: Question,
    },
    /// Answer a [`Command::Predict`] no further.
    BreakOff {
        /// That command's name.
        asked: CommandId,
    },
    /// Ask this of one lane of a race. What is asked of the race itself is asked of all its lanes.
    Lane {
        /// The lane's number.
        lane: u32,
        /// What is asked.
        asked: Box<Command>,
    },
    /// Begin another lane from where this one is now.
    Clone {
        /// Names this command in its [`Event::CommandStatus`].
        id: CommandId,
        /// The lane's number.
        lane: u32,
        /// Live-editable fields that get another value in the new lane.
        set: Vec<(String, Value)>,
    },
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CommandStatus {
    /// Seen; it waits for the end of something longer, such as an evaluation.
    Queued,
    /// In force from this step on.
    Applied {
        /// Optimizer steps that had been taken when it took effect.
        step: u64,
    },
    /// Not done.
    Rejected {
        /// One sentence with the reason and the remedy.
        why: String,
    },
}

/// What the engine tells the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something that takes a while before the first step.
    Loading {
        /// What is being done, for people.
        what: String,
        /// How much of it is done, 0 to 1, where that is known.
        fraction: Option<f32>,
    },
    /// Everything is loaded, every live-editable field has been told as [`Event::Setting`]; steps follow.
    Ready(Box<Ready>),
    /// The first training example as the model sees it.
    Example(Example),
    /// One optimizer step was taken.
    Step(Step),
    /// An evaluation goes on.
    Evaluating {
        /// Rows done.
        done: usize,
        /// Rows in all.
        of: usize,
    },
    /// An evaluation ended.
    Evaluated(Evaluation),
    /// What a classifier took for what in that evaluation.
    Confused(Box<Confusion>),
    /// Where the memory is.
    Memory(Memory),
    /// What trains, by group and layer.
    Sparsity(Sparsity),
    /// A live-editable field has this value now; also sent for each such field before [`Event::Ready`].
    Setting {
        /// Dotted name.
        field: String,
        /// Its value in force.
        value: Value,
    },
    /// The run takes so many steps from now on, where that was changed or may have been.
    TotalSteps {
        /// Steps in all.
        total_steps: u64,
    },
    /// A change of the run by hand took effect; it is in the journal.
    Intervention(Intervention),
    /// What became of a command.
    CommandStatus {
        /// The command's name.
        id: CommandId,
        /// Its fate.
        status: CommandStatus,
    },
    /// Answer to [`Command::Preview`].
    Previewed {
        /// The command's name.
        id: CommandId,
        /// What the change would do, or one sentence why it cannot be done.
        outcome: Result<Consequences, String>,
    },
    /// A part of the answer to [`Command::Predict`].
    Predicted {
        /// The command's name.
        id: CommandId,
        /// The part.
        answer: Answer,
    },
    /// How machine and device are doing.
    Vitals(Box<Vitals>),
    /// Training stands still at this step.
    Paused {
        /// Optimizer steps taken.
        step: u64,
    },
    /// Training goes on.
    Resumed {
        /// Optimizer steps taken.
        step: u64,
        /// Seconds that this process has stood still so far, all pauses together.
        #[serde(default)]
        stood: f64,
    },
    /// A checkpoint is on the disk.
    Checkpointed {
        /// Optimizer steps taken.
        step: u64,
        /// Its folder.
        path: PathBuf,
        /// Its size on the disk.
        bytes: u64,
    },
    /// Steps between a kept state and the one that was asked for are computed again.
    Recomputing {
        /// Steps done.
        done: u64,
        /// Steps in all.
        of: u64,
    },
    /// The run stands at another step or on another branch now, after [`Command::Rewind`], [`Command::Undo`],
    /// [`Command::SwitchBranch`] or a fault. [`Event::Branches`] follows, and each live-editable field as
    /// [`Event::Setting`].
    Rewound {
        /// Optimizer steps that have been taken where it stands now.
        step: u64,
        /// The branch that goes on from here.
        branch: u32,
        /// Branch and step where it stood before.
        left: (u32, u64),
    },
    /// All branches of the run, in the order in which they began; sent where one came, went or was pinned.
    Branches {
        /// The branches.
        branches: Vec<Branch>,
    },
    /// The states that can be gone back to without computing a step again, by branch and step; sent where they changed,
    /// at most once a second.
    Snapshots {
        /// The states.
        snapshots: Vec<KeptState>,
    },
    /// An adapter is on the disk.
    Exported {
        /// Optimizer steps taken.
        step: u64,
        /// Its folder.
        path: PathBuf,
        /// Its size on the disk.
        bytes: u64,
    },
    /// Something that the user should read, such as rows of the data that were left out.
    Note {
        /// How grave it is.
        level: Level,
        /// One sentence.
        message: String,
    },
    /// The run failed and the engine has ended.
    Fault {
        /// One sentence: what, where, what to do.
        message: String,
        /// Whether the input was refused (exit status 2) rather than that the run failed (1).
        refused: bool,
    },
    /// The lanes of a race; sent before the first step and where one was added.
    Race(Box<Race>),
    /// Something happened in one lane of a race: it is as if a run told it.
    Lane {
        /// The lane's number.
        lane: u32,
        /// What happened.
        told: Box<Event>,
    },
    /// The worse lanes of a race are stopped.
    Halved {
        /// Optimizer steps that each lane had taken.
        step: u64,
        /// The lanes that go on, the best first.
        kept: Vec<u32>,
        /// The lanes that are stopped.
        stopped: Vec<u32>,
    },
    /// The run ended as asked; the last event.
    Finished(Box<Summary>),
}

/// How grave a [`Event::Note`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Look at this.
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
    /// The validation metric had stopped improving.
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

/// A run in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How it ended.
    pub ending: Ending,
    /// Folder of the run.
    pub folder: PathBuf,
    /// Folder of the adapter, if one was written.
    pub adapter: Option<PathBuf>,
    /// Which state that holds.
    #[serde(default)]
    pub holds: Option<Holds>,
    /// Steps taken.
    pub steps: u64,
    /// Wall time of the training.
    pub seconds: f64,
    /// Loss of the last step.
    pub loss: Option<f64>,
    /// The best evaluation, on whichever branch: a classifier's by accuracy, a language model's by loss.
    pub best: Option<Evaluation>,
    /// The last evaluation.
    pub last: Option<Evaluation>,
    /// Scalars that train at the end, head included.
    pub trainable: u64,
    /// Sparsity at the end.
    pub sparsity: f64,
    /// Largest resident size seen.
    pub peak_memory: u64,
    /// The one that was predicted.
    #[serde(default)]
    pub predicted_memory: Option<u64>,
    /// Median wall time of a step.
    pub median_step_seconds: Option<f64>,
}
