//! Snapshots: the complete state of a session at one step.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use spartui_facts::protocol::Evaluation;
use spartui_facts::recipe::Recipe;
use spartui_method::{self as method, Dense};

/// Fields of the recipe that are not live, but that the engine may change after a fault or for a longer run.
pub const CARRIED: [&str; 4] =
    ["train.micro_batch_size", "train.epochs", "train.max_steps", "train.early_stopping_patience"];

/// The training state at one step. With the same model, recipe and data it restores the same session.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Optimizer steps taken.
    pub step: u64,
    /// The branch of that step.
    pub branch: u32,
    /// Length of the journal at this time.
    pub journal: usize,
    /// The recipe with every live change.
    pub recipe: Recipe,
    /// The best and the last evaluation.
    pub progress: Progress,
    /// The state of the method.
    pub method: method::State,
    /// Values and moments of the head, by their names in a checkpoint.
    pub head: Vec<Dense>,
    /// Labels in the order of the logits; empty for a language model.
    pub labels: Arc<Vec<String>>,
}

/// The evaluations of a run so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The best evaluation: of a classifier by accuracy, of a language model by loss.
    pub best: Option<Evaluation>,
    /// The last evaluation.
    pub last: Option<Evaluation>,
    /// Number of evaluations since the best.
    pub without_gain: usize,
    /// Whether an evaluation is due after the last step and was not made yet.
    pub evaluation_due: bool,
}

impl Progress {
    /// Records an evaluation. Returns whether it is the best so far.
    pub fn judge(&mut self, evaluation: Evaluation) -> bool {
        self.last = Some(evaluation);
        self.evaluation_due = false;
        let better = self.best.is_none_or(|best| evaluation.is_better_than(&best));
        if better {
            self.best = Some(evaluation);
            self.without_gain = 0;
        } else {
            self.without_gain += 1;
        }
        better
    }
}

impl Snapshot {
    /// Bytes in memory, lists that are shared with other snapshots included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.method.bytes() + self.head.iter().map(Dense::bytes).sum::<u64>()
    }
}
