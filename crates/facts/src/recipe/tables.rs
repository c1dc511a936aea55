//! The tables of a recipe, except `[method]`, with their defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::scaling::{Alignment, Scaling};
use super::{AUTO, LearningRate, Steps};

/// The table `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Model {
    pub path: PathBuf,
    pub dtype: String,
    pub device: String,
    pub init: Init,
    pub new_tokens: Vec<String>,
}

/// Where the weights come from before training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// From the model's files.
    Pretrained,
    /// New weights, initialized as config.json says.
    Random,
}

/// The table `[task]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Task {
    pub kind: TaskKind,
    pub labels: Vec<String>,
    pub head_init: HeadInit,
    pub response_classes: Vec<String>,
}

/// What a model learns to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of several labels for a text or a pair of texts.
    SequenceClassification,
    /// The next token.
    CausalLm,
}

/// How a classification head is initialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadInit {
    /// With small random weights.
    Random,
    /// For a decoder, with the rows of its language-model head that belong to `task.response_classes`; for an encoder,
    /// with the classification head in its files.
    FromPretrained,
}

/// The table `[data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Data {
    pub train: PathBuf,
    pub validation: Validation,
    pub delimiter: String,
    pub encoding: String,
    pub format: DataFormat,
    pub text: String,
    pub text_pair: String,
    pub label: String,
    pub prompt: String,
    pub completion: String,
    pub messages: String,
    pub template: String,
    pub template_arguments: TemplateArguments,
    pub append_end: bool,
    pub max_length: usize,
    pub too_long: TooLong,
    pub shuffle: bool,
    pub group_by_length: bool,
    pub bad_rows: BadRows,
}

/// Arguments of the model's chat template besides the messages, by name.
pub type TemplateArguments = BTreeMap<String, toml::Value>;

/// What a language model trains on in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// By the columns of the first row: messages, else prompt and completion, else text.
    Auto,
    /// All of a text.
    Text,
    /// The completion after a prompt.
    Completion,
    /// The assistant's turns of a conversation.
    Messages,
}

/// Where the validation rows come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Validation {
    /// This share of the training rows; 0: none, and nothing is evaluated.
    Share(f64),
    /// This file.
    File(PathBuf),
}

/// What happens to an example that is longer than `data.max_length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// It is left out.
    Drop,
    /// Its end is cut off.
    Truncate,
}

/// What happens to a row that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadRows {
    /// It is left out and reported.
    Report,
    /// The file is refused.
    Fail,
}

/// The table `[optimizer]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Optimizer {
    pub kind: OptimizerKind,
    pub learning_rate: LearningRate,
    pub head_learning_rate: LearningRate,
    pub betas: [f64; 2],
    pub epsilon: f64,
    pub weight_decay: f64,
    pub max_grad_norm: f64,
    pub scaling: Scaling,
    pub alignment: Alignment,
    pub base_width: i64,
}

/// The optimization algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// `AdamW`.
    Adamw,
    /// Adam-atan2.
    AdamAtan2,
}

impl OptimizerKind {
    /// The names in a recipe.
    pub const NAMES: [&str; 2] = ["adamw", "adam_atan2"];
}

/// The table `[schedule]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Schedule {
    pub kind: ScheduleKind,
    pub warmup_steps: Steps,
    pub min_learning_rate: f64,
}

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Not at all.
    Constant,
    /// In a straight line.
    Linear,
    /// Along half a cosine.
    Cosine,
}

/// The table `[train]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Train {
    pub epochs: f64,
    pub max_steps: u64,
    pub batch_size: usize,
    pub micro_batch_size: usize,
    pub evaluate_every: Steps,
    pub checkpoint_every: Steps,
    pub keep_checkpoints: usize,
    pub recompute: Recompute,
    pub early_stopping_patience: usize,
    pub keep: KeepState,
    pub on_nonfinite: OnNonfinite,
    pub seed: u64,
}

impl Train {
    /// Optimizer steps of a run with `per_epoch` steps in an epoch; a part of an epoch is rounded up to whole steps, as
    /// in transformers.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above 0, and steps are below 2^53"
    )]
    pub fn total_steps(&self, per_epoch: u64) -> u64 {
        let all = (per_epoch as f64 * self.epochs).ceil() as u64;
        if self.max_steps == 0 { all } else { all.min(self.max_steps) }
    }
}

/// Which state the adapter, or the model, of a run holds at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepState {
    /// The last one.
    Last,
    /// The state of the best evaluation on any branch.
    Best,
}

/// What happens if loss or gradient is not finite; the update is never applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNonfinite {
    /// Rewind to the last good snapshot and pause; without a user interface, the run ends.
    Pause,
    /// Skip the batch.
    Skip,
    /// Rewind to the last good snapshot and continue at half the learning rate.
    LowerRate,
}

/// The table `[history]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct History {
    pub every: u64,
    pub budget_mb: u64,
}

/// What the backward pass recomputes instead of keeping it in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recompute {
    /// Nothing.
    None,
    /// Each block.
    Blocks,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            dtype: "auto".into(),
            device: "auto".into(),
            init: Init::Pretrained,
            new_tokens: Vec::new(),
        }
    }
}

impl Default for Task {
    fn default() -> Self {
        Self {
            kind: TaskKind::SequenceClassification,
            labels: Vec::new(),
            head_init: HeadInit::Random,
            response_classes: Vec::new(),
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            train: PathBuf::new(),
            validation: Validation::Share(0.1),
            delimiter: AUTO.into(),
            encoding: AUTO.into(),
            format: DataFormat::Auto,
            text: "text".into(),
            text_pair: String::new(),
            label: "label".into(),
            prompt: "prompt".into(),
            completion: "completion".into(),
            messages: "messages".into(),
            template: String::new(),
            template_arguments: TemplateArguments::new(),
            append_end: true,
            max_length: 256,
            too_long: TooLong::Drop,
            shuffle: true,
            group_by_length: true,
            bad_rows: BadRows::Report,
        }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adamw,
            learning_rate: LearningRate::Auto,
            head_learning_rate: LearningRate::Auto,
            betas: [0.9, 0.99],
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 0.0,
            scaling: Scaling::None,
            alignment: Alignment::Full,
            base_width: 1024,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self { kind: ScheduleKind::Cosine, warmup_steps: Steps::Share(0.1), min_learning_rate: 1e-5 }
    }
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 1.0,
            max_steps: 0,
            batch_size: 24,
            micro_batch_size: 0,
            evaluate_every: Steps::Auto,
            checkpoint_every: Steps::Auto,
            keep_checkpoints: 3,
            recompute: Recompute::None,
            early_stopping_patience: 0,
            keep: KeepState::Last,
            on_nonfinite: OnNonfinite::Pause,
            seed: 10605,
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { every: 10, budget_mb: 256 }
    }
}
