//! What a run would be, told before it is one.

use serde::{Deserialize, Serialize};

use super::{Memory, ModelSummary, Sparsity};

/// A part of what `spartui plan` finds out; each is told as soon as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Planned {
    /// What is being done, and how much of it where that is known.
    Doing {
        /// In words that stay the same while it lasts.
        what: String,
        /// Share that is done.
        fraction: Option<f32>,
    },
    /// The rows.
    Data(PlannedData),
    /// What the run trains on.
    Model(ModelSummary),
    /// What the model's files are worth a word for.
    ModelRemarks {
        /// Each in one sentence.
        remarks: Vec<PlannedRemark>,
    },
    /// What would train, by group and layer.
    Sparsity(Sparsity),
    /// The learning rate, where the rule chooses it.
    Rate(PlannedRate),
    /// What in the recipe is worth a second look.
    Remarks {
        /// A sentence each.
        remarks: Vec<String>,
    },
    /// The peak of the memory.
    Memory(PlannedMemory),
    /// The time of a step, measured.
    Time(PlannedTime),
    /// What there is to know is known later only.
    Later {
        /// Why, in one sentence.
        message: String,
    },
    /// The run would be refused.
    Refused {
        /// One sentence.
        message: String,
    },
}

/// Something to tell about a model's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRemark {
    /// A sentence without a full stop.
    pub text: String,
    /// Whether the model may not be what its user takes it for.
    pub warns: bool,
}

/// Learning rates that the rule chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRate {
    /// At the schedule's peak.
    pub rate: f64,
    /// What it goes by, in a few words.
    pub basis: String,
    /// That of the head, where it has one of its own.
    pub head: Option<f64>,
}

/// The rows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlannedData {
    /// What is learned from.
    pub train: PlannedRows,
    /// What is measured on.
    pub validation: PlannedRows,
    /// Each label with its training and its validation rows, in the order of the logits.
    pub labels: Vec<(String, usize, usize)>,
    /// What is likely to be a mistake in the rows, a sentence each.
    #[serde(default)]
    pub findings: Vec<String>,
}

/// Rows and their tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlannedRows {
    /// Rows.
    pub rows: usize,
    /// Tokens of all.
    pub tokens: usize,
    /// Tokens that are learned; 0 where a label is.
    pub learned: usize,
    /// Tokens of the row in the middle.
    pub median: usize,
    /// Tokens of the longest row.
    pub longest: usize,
    /// Rows by length: from 1 to the longest in equal stretches.
    pub lengths: Vec<usize>,
    /// What of the file is missing here, in one sentence.
    pub left_out: Option<String>,
    /// What was guessed about the file, in one sentence, where that is worth a word.
    #[serde(default)]
    pub read_as: Option<String>,
}

/// The predicted peak of the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlannedMemory {
    /// By the owners that memory is measured by.
    pub memory: Memory,
    /// Finer: each part with its bytes.
    pub parts: Vec<(String, u64)>,
    /// One sentence, where it is more than there is.
    pub warning: Option<String>,
}

/// What time a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PlannedTime {
    /// Milliseconds of a step, in the middle of those that were measured.
    pub step_ms: f64,
    /// Steps that were measured.
    pub measured: usize,
    /// Steps of the run.
    pub total_steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Seconds of one evaluation, estimated from a part of it.
    pub evaluation_seconds: f64,
    /// Evaluations of the run.
    pub evaluations: u64,
    /// Seconds of the run.
    pub seconds: f64,
}
