//! A run before its first step.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Memory;

/// The run as it stands before its first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Name of the run.
    pub run: String,
    /// Folder of the run.
    pub folder: PathBuf,
    /// What trains, on what.
    pub model: ModelSummary,
    /// Name of the method, such as `sparta`.
    pub method: String,
    /// The lowest and the highest sparsity that this model and these targets allow.
    pub sparsity_bounds: (f64, f64),
    /// Steps that the run will take.
    pub total_steps: u64,
    /// Steps in one epoch.
    pub steps_per_epoch: u64,
    /// Rows of the training data.
    pub train_examples: usize,
    /// Rows of the validation data.
    pub validation_examples: usize,
    /// Labels, in the order of the logits.
    pub labels: Vec<String>,
    /// The peak of the memory that is expected; its parts are those of [`super::Event::Memory`].
    #[serde(default)]
    pub predicted: Option<Memory>,
    /// Optimizer steps that were taken before; 0 for a new run. Where it is more, the run was resumed: the lines of
    /// `metrics.jsonl` in its folder are those of the steps before, and the events that follow go on from there.
    #[serde(default)]
    pub step: u64,
    /// Seconds that those steps and their evaluations took.
    #[serde(default)]
    pub seconds: f64,
    /// The branch that goes on.
    #[serde(default)]
    pub branch: u32,
    /// Whether the model has a chat template, so that the playground can put a message into it.
    #[serde(default)]
    pub chat: bool,
}

/// What a model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Name for people: the last part of its path.
    pub name: String,
    /// `model_type` of its config.json.
    pub family: String,
    /// Scalars, head included.
    pub parameters: u64,
    /// Blocks.
    pub layers: usize,
    /// Width.
    pub hidden: usize,
    /// Type of the weights in memory.
    pub dtype: String,
    /// Where it runs.
    pub device: String,
}

/// An example, token by token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The tokens' own texts, control characters escaped, each with whether the model learns to predict it.
    pub pieces: Vec<(String, bool)>,
    /// Its label, where a label is learned.
    pub label: Option<String>,
}

impl Example {
    /// The text in runs of tokens that are learned and not learned.
    #[must_use]
    pub fn runs(&self) -> Vec<(String, bool)> {
        let mut runs: Vec<(String, bool)> = Vec::new();
        for (text, trained) in &self.pieces {
            match runs.last_mut() {
                Some((run, same)) if same == trained => run.push_str(text),
                _ => runs.push((text.clone(), *trained)),
            }
        }
        runs
    }
}
