//! A moment of training: all that a session needs to be there again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use spartui_facts::protocol::Evaluation;
use spartui_facts::recipe::Recipe;
use spartui_method::{self as method, Dense};

/// Fields of the recipe that no user changes while the run trains, and that a fault or a longer run may change.
pub const CARRIED: [&str; 4] =
    ["train.micro_batch_size", "train.epochs", "train.max_steps", "train.early_stopping_patience"];

/// All that training has changed at one step. Where model, recipe and data are the same, it makes the same session.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Optimizer steps taken.
    pub step: u64,
    /// The branch of that step.
    pub branch: u32,
    /// Entries of the journal that it contains.
    pub journal: usize,
    /// The recipe with every live change.
    pub recipe: Recipe,
    /// How the evaluations went.
    pub progress: Progress,
    /// What the method learned.
    pub method: method::State,
    /// Values and moments of the head, by their names in a checkpoint.
    pub head: Vec<Dense>,
    /// Labels in the order of the logits; empty for a language model.
    pub labels: Arc<Vec<String>>,
}

/// How the evaluations of a run went so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The best: a classifier's by accuracy, a language model's by loss.
    pub best: Option<Evaluation>,
    /// The last.
    pub last: Option<Evaluation>,
    /// Evaluations since the best.
    pub without_gain: usize,
    /// Whether the last step calls for one that was not made yet.
    pub evaluation_due: bool,
}

impl Progress {
    /// Takes an evaluation into account; whether it is the best so far.
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
    /// Bytes in memory; what is shared with other snapshots counts as this one's.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.method.bytes() + self.head.iter().map(Dense::bytes).sum::<u64>()
    }
}
