//! The plan of a run, before it is started.

use serde::{Deserialize, Serialize};

use super::{Memory, ModelSummary, Sparsity};

/// A part of the result of `spartui plan`; each is sent as soon as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Planned {
    /// The current activity, with its progress if known.
    Doing {
        /// As text that stays the same while it lasts.
        what: String,
        /// Share that is done.
        fraction: Option<f32>,
    },
    /// The rows.
    Data(PlannedData),
    /// The model.
    Model(ModelSummary),
    /// Remarks on the model's files.
    ModelRemarks {
        /// One sentence each.
        remarks: Vec<PlannedRemark>,
    },
    /// Trainable scalars by group and layer.
    Sparsity(Sparsity),
    /// The learning rate, if it is `auto`.
    Rate(PlannedRate),
    /// Warnings about the recipe.
    Remarks {
        /// A sentence each.
        remarks: Vec<String>,
    },
    /// The predicted peak memory.
    Memory(PlannedMemory),
    /// The measured time of a step.
    Time(PlannedTime),
    /// Nothing can be said before the start.
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

/// A remark on a model's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRemark {
    /// A sentence without a full stop.
    pub text: String,
    /// Whether the model may differ from what its user expects.
    pub warns: bool,
}

/// Learning rates chosen automatically.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRate {
    /// The learning rate at the peak of the schedule.
    pub rate: f64,
    /// What it is based on, in a few words.
    pub basis: String,
    /// The learning rate of the head, if it has its own.
    pub head: Option<f64>,
}

/// The rows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlannedData {
    /// Training rows.
    pub train: PlannedRows,
    /// Validation rows.
    pub validation: PlannedRows,
    /// Each label with its numbers of training and validation rows, in the order of the logits.
    pub labels: Vec<(String, usize, usize)>,
    /// Likely mistakes in the rows, a sentence each.
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
    /// Target tokens; 0 if the target is a label.
    pub learned: usize,
    /// Median number of tokens per row.
    pub median: usize,
    /// Tokens of the longest row.
    pub longest: usize,
    /// Histogram of lengths: from 1 to the longest, in equal bins.
    pub lengths: Vec<usize>,
    /// The rows left out, in one sentence.
    pub left_out: Option<String>,
    /// What was guessed about the file in one sentence, if anything.
    #[serde(default)]
    pub read_as: Option<String>,
}

/// The predicted peak memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlannedMemory {
    /// By owner, as memory is measured.
    pub memory: Memory,
    /// In more detail: each part with its bytes.
    pub parts: Vec<(String, u64)>,
    /// One sentence, if it exceeds the available memory.
    pub warning: Option<String>,
}

/// The predicted time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PlannedTime {
    /// Median of the measured step times in milliseconds.
    pub step_ms: f64,
    /// Number of measured steps.
    pub measured: usize,
    /// Total number of steps.
    pub total_steps: u64,
    /// Steps per epoch.
    pub steps_per_epoch: u64,
    /// Seconds per evaluation, estimated from a part of one.
    pub evaluation_seconds: f64,
    /// Evaluations of the run.
    pub evaluations: u64,
    /// Seconds of the whole run.
    pub seconds: f64,
}
