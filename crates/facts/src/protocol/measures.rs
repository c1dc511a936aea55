//! Measurements of a run, and previews of changes.

use serde::{Deserialize, Serialize};

/// One optimizer step; a line of `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Optimizer steps done, including this one; the first is 1.
    pub step: u64,
    /// Epochs done, with the fraction.
    pub epoch: f64,
    /// Mean loss over the step's examples, in nats.
    #[serde(deserialize_with = "number_or_none")]
    pub loss: f64,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Euclidean norm of the gradient of all trainable scalars, before clipping.
    #[serde(deserialize_with = "number_or_none")]
    pub grad_norm: f64,
    /// Examples in this step.
    pub examples: usize,
    /// Tokens in this step, without padding.
    pub tokens: usize,
    /// Wall time of this step in seconds.
    pub seconds: f64,
    /// Trainable scalars in this step, including the head.
    pub trainable: u64,
    /// Sparsity.
    pub sparsity: f64,
    /// Branch that the step belongs to; 0 is the first.
    pub branch: u32,
}

/// Result of an evaluation; a line of `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Optimizer steps done.
    pub step: u64,
    /// Mean loss, in nats.
    #[serde(deserialize_with = "number_or_none")]
    pub eval_loss: f64,
    /// Share of rows with the right label; for a language model, share of target tokens with the highest probability.
    pub accuracy: f64,
    /// Matthews correlation coefficient over all labels; none for a language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcc: Option<f64>,
    /// Rows.
    pub examples: usize,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Branch that the evaluation belongs to.
    pub branch: u32,
}

impl Evaluation {
    /// Whether it is better than another of the same run: a classifier's by accuracy, a language model's by loss.
    #[must_use]
    pub fn is_better_than(&self, other: &Self) -> bool {
        match self.mcc {
            Some(_) => self.accuracy > other.accuracy,
            // A NaN loss is worse than any.
            None => self.eval_loss < other.eval_loss || (other.eval_loss.is_nan() && !self.eval_loss.is_nan()),
        }
    }

    /// Perplexity: e to the power of the loss.
    #[must_use]
    pub fn perplexity(&self) -> f64 {
        self.eval_loss.exp()
    }
}

/// Bytes in whole MiB for display, by one rule everywhere: rounded, and `<1` for a size above zero that rounds to zero.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    match bytes {
        0 => "0".into(),
        1..0x8_0000 => "<1".into(),
        bytes => ((bytes + 0x8_0000) >> 20).to_string(),
    }
}

/// Bytes by owner. On Linux all but deltas and moments, which are counted, are measured by what backs a page and by
/// when it was allocated; elsewhere they are accounted for. `other` is the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Optimizer steps done.
    pub step: u64,
    /// Base weights.
    pub weights: u64,
    /// Indices, original values and deltas of trainable and retired scalars, the head, and the snapshots in memory.
    pub deltas: u64,
    /// Both Adam moments.
    pub moments: u64,
    /// Working memory of forward and backward pass, with what the allocator caches for the next step.
    pub activations: u64,
    /// Rows and tokenizer.
    pub data: u64,
    /// The resident part of the program and libtorch, and what they had allocated before the model was loaded.
    pub program: u64,
    /// Resident size of the process, or its use of the device, minus all of the above.
    pub other: u64,
    /// Resident size of the process, or its use of the device.
    pub total: u64,
    /// Memory of the machine or device.
    pub limit: u64,
    /// The peak of the totals of the run so far, including those between two reports and those of earlier processes.
    #[serde(default)]
    pub peak: u64,
}

impl Memory {
    /// The owners, each with its name.
    #[must_use]
    pub fn owners(&self) -> [(&'static str, u64); 7] {
        [
            ("weights", self.weights),
            ("deltas", self.deltas),
            ("moments", self.moments),
            ("activations", self.activations),
            ("data", self.data),
            ("program", self.program),
            ("other", self.other),
        ]
    }
}

/// Trainable scalars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sparsity {
    /// Optimizer steps done.
    pub step: u64,
    /// All parameters, including the head.
    pub parameters: u64,
    /// Trainable scalars, including the head.
    pub trainable: u64,
    /// Scalars of the head; they always train.
    pub head: u64,
    /// Retired scalars.
    pub retired: u64,
    /// Share of all parameters that stay frozen.
    pub sparsity: f64,
    /// Every group of the model that a method may adapt, in the model's order, including those not adapted.
    pub groups: Vec<Group>,
    /// How the settings were interpreted, in one sentence, if that needs a remark.
    #[serde(default)]
    pub remark: Option<String>,
}

/// The sites with one role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, such as `value`.
    pub name: String,
    /// Scalars of its sites.
    pub parameters: u64,
    /// Scalars of its sites that train.
    pub trainable: u64,
    /// Whether the method adapts it.
    pub targeted: bool,
    /// Whether all of it trains, whatever the sparsity, so that it has no density to set.
    #[serde(default)]
    pub whole: bool,
    /// The density set for this group, if any.
    pub density: Option<f64>,
    /// Trainable scalars by layer.
    pub by_layer: Vec<u64>,
    /// Share of the group's deltas that survive the cast to the dtype of the weights, 0 to 1; none before the first
    /// update.
    pub surviving: Option<f64>,
    /// Root mean square of the group's deltas.
    #[serde(deserialize_with = "number_or_none")]
    pub delta_rms: f64,
    /// The same by layer; empty if the method does not report layers.
    #[serde(default)]
    pub layers: Vec<Layer>,
}

impl Group {
    /// Why its density cannot be set, if it cannot; the rest of a sentence that begins with its name.
    #[must_use]
    pub fn why_fixed(&self) -> Option<&'static str> {
        match (self.targeted, self.whole) {
            (false, _) => Some("is not among method.targets, so nothing of it trains"),
            (true, true) => Some("trains in full, whatever the sparsity"),
            (true, false) => None,
        }
    }

    /// Whether a part of it is in the model's layers. Embeddings are in none.
    #[must_use]
    pub fn is_in_layers(&self) -> bool {
        self.layers.iter().any(|layer| layer.parameters > 0)
    }
}

/// The sites with one role in one layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Scalars.
    pub parameters: u64,
    /// Trainable scalars.
    pub trainable: u64,
    /// Share of the deltas that survive the cast, 0 to 1; none before the first update.
    pub surviving: Option<f64>,
    /// Root mean square of the deltas.
    #[serde(deserialize_with = "number_or_none")]
    pub delta_rms: f64,
}

/// The effects of a change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Consequences {
    /// Trainable scalars before and after, including the head.
    pub trainable: (u64, u64),
    /// Sparsity before and after.
    pub sparsity: (f64, f64),
    /// Bytes of deltas, indices and moments before and after.
    pub bytes: (u64, u64),
    /// Milliseconds per step before (measured) and after (estimated); none before the first step.
    pub step_ms: Option<(f64, f64)>,
    /// Scalars that would be retired or reverted.
    pub leaving: u64,
    /// Scalars that would become trainable.
    pub joining: u64,
    /// The learning rate before and the one suggested with the change; none if unchanged.
    #[serde(default)]
    pub rate: Option<(f64, f64)>,
}

/// JSON can represent NaN only as null.
fn number_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_rounded_by_one_rule() {
        let told = [0, 1, 0x7_ffff, 0x8_0000, 1 << 20, 395 << 20, (395 << 20) + 0x7_ffff, (395 << 20) + 0x8_0000];
        assert_eq!(told.map(mebibytes), ["0", "<1", "<1", "1", "1", "395", "395", "396"]);
    }
}
