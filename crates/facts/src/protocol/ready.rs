//! A run before its first step.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Memory;

/// A run before its first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Name of the run.
    pub run: String,
    /// Folder of the run.
    pub folder: PathBuf,
    /// The model.
    pub model: ModelSummary,
    /// Name of the method, such as `sparta`.
    pub method: String,
    /// The lowest and highest sparsity possible for this model and these targets.
    pub sparsity_bounds: (f64, f64),
    /// Total number of steps.
    pub total_steps: u64,
    /// Steps in one epoch.
    pub steps_per_epoch: u64,
    /// Number of training rows.
    pub train_examples: usize,
    /// Number of validation rows.
    pub validation_examples: usize,
    /// Labels, in the order of the logits.
    pub labels: Vec<String>,
    /// The predicted peak memory; its parts are those of [`super::Event::Memory`].
    #[serde(default)]
    pub predicted: Option<Memory>,
    /// Optimizer steps done before; 0 for a new run. More for a resumed run: the lines of `metrics.jsonl` in its
    /// folder are those of the earlier steps, and the following events continue them.
    #[serde(default)]
    pub step: u64,
    /// Seconds that those steps and their evaluations took.
    #[serde(default)]
    pub seconds: f64,
    /// The current branch.
    #[serde(default)]
    pub branch: u32,
    /// Whether the model has a chat template, for messages in the playground.
    #[serde(default)]
    pub chat: bool,
}

/// Facts of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Name for display: the last part of its path.
    pub name: String,
    /// `model_type` of its config.json.
    pub family: String,
    /// Number of parameters, including the head.
    pub parameters: u64,
    /// Number of blocks.
    pub layers: usize,
    /// Hidden size.
    pub hidden: usize,
    /// Data type of the weights in memory.
    pub dtype: String,
    /// Its device.
    pub device: String,
}

/// An example, token by token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The tokens' texts with control characters escaped, each with whether it is a target.
    pub pieces: Vec<(String, bool)>,
    /// Its label, if the target is a label.
    pub label: Option<String>,
}

impl Example {
    /// The text in runs of target and other tokens.
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
