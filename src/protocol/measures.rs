//! What is measured of a run, and what a change would do to it.

use serde::{Deserialize, Serialize};

/// One optimizer step; a line of `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Optimizer steps taken, this one included; the first is 1.
    pub step: u64,
    /// Epochs done, with the fraction.
    pub epoch: f64,
    /// Mean loss over the step's examples, in nats.
    #[serde(deserialize_with = "number_or_none")]
    pub loss: f64,
    /// Rate that this step used.
    pub learning_rate: f64,
    /// Euclidean norm of the gradient of all that trains, before clipping.
    #[serde(deserialize_with = "number_or_none")]
    pub grad_norm: f64,
    /// Examples in this step.
    pub examples: usize,
    /// Tokens in this step, padding not counted.
    pub tokens: usize,
    /// Wall time of this step.
    pub seconds: f64,
    /// Scalars that trained in this step, head included.
    pub trainable: u64,
    /// Share of all parameters that stayed frozen.
    pub sparsity: f64,
    /// Branch that the step belongs to; 0 is the first.
    pub branch: u32,
}

/// Result of an evaluation; a line of `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Optimizer steps taken.
    pub step: u64,
    /// Mean loss, in nats.
    #[serde(deserialize_with = "number_or_none")]
    pub eval_loss: f64,
    /// Share of rows with the right label; of a language model, share of target tokens that it finds the likeliest.
    pub accuracy: f64,
    /// Matthews correlation coefficient over all labels; none for a language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcc: Option<f64>,
    /// Rows.
    pub examples: usize,
    /// Wall time.
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
            // A loss that is no number is worse than any.
            None => self.eval_loss < other.eval_loss || (other.eval_loss.is_nan() && !self.eval_loss.is_nan()),
        }
    }

    /// Perplexity: e to the power of the loss.
    #[must_use]
    pub fn perplexity(&self) -> f64 {
        self.eval_loss.exp()
    }
}

/// Bytes in whole MiB as people are told of them, everywhere by this rule: the nearest, and nothing that is there is none.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    match bytes {
        0 => "0".into(),
        1..0x8_0000 => "<1".into(),
        bytes => ((bytes + 0x8_0000) >> 20).to_string(),
    }
}

/// Bytes by owner. On Linux all but deltas and moments, which are counted, are measured by what backs a page and by
/// when it came; elsewhere they are accounted for. `other` is what no owner claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Optimizer steps taken.
    pub step: u64,
    /// Base weights.
    pub weights: u64,
    /// Indices, original values and deltas of what trains or was retired, the head, and the snapshots in memory.
    pub deltas: u64,
    /// Both Adam moments.
    pub moments: u64,
    /// Working memory of forward and backward pass, with what the allocator keeps of it for the next step.
    pub activations: u64,
    /// Rows and tokenizer.
    pub data: u64,
    /// The program and libtorch, as far as they are resident, and what they had taken before the model was loaded.
    pub program: u64,
    /// Resident size of the process, or what the device reports as used by it, less all of the above.
    pub other: u64,
    /// Resident size of the process, or what the device reports as used by it.
    pub total: u64,
    /// Memory of the machine or device.
    pub limit: u64,
    /// The largest of the totals of the run so far, those between two reports and those of earlier processes among them.
    #[serde(default)]
    pub peak: u64,
}

impl Memory {
    /// The parts, each with its name.
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

/// What trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sparsity {
    /// Optimizer steps taken.
    pub step: u64,
    /// All parameters, head included.
    pub parameters: u64,
    /// Scalars that train, head included.
    pub trainable: u64,
    /// Scalars of the head; they always train.
    pub head: u64,
    /// Scalars that were retired and keep their delta.
    pub retired: u64,
    /// Share of all parameters that stay frozen.
    pub sparsity: f64,
    /// Every group of the model that a method may adapt, in the model's order; the untouched ones too.
    pub groups: Vec<Group>,
    /// How the settings were understood, where something is to be said about it; in one sentence.
    #[serde(default)]
    pub remark: Option<String>,
}

/// The sites with one role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Name, such as `value`.
    pub name: String,
    /// Scalars of its sites.
    pub parameters: u64,
    /// Scalars of its sites that train.
    pub trainable: u64,
    /// Whether the method adapts it.
    pub targeted: bool,
    /// Density that was given for this group by hand, if one was.
    pub density: Option<f64>,
    /// Scalars that train, by layer.
    pub by_layer: Vec<u64>,
    /// Share of the group's deltas that survive the cast to the dtype of the weights, 0 to 1; none before the first
    /// update.
    pub surviving: Option<f64>,
    /// Root mean square of the group's deltas.
    #[serde(deserialize_with = "number_or_none")]
    pub delta_rms: f64,
    /// The same by layer; empty where the method knows no layers.
    #[serde(default)]
    pub layers: Vec<Layer>,
}

/// The sites with one role in one layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Scalars.
    pub parameters: u64,
    /// Scalars that train.
    pub trainable: u64,
    /// Share of the deltas that survive the cast, 0 to 1; none before the first update.
    pub surviving: Option<f64>,
    /// Root mean square of the deltas.
    #[serde(deserialize_with = "number_or_none")]
    pub delta_rms: f64,
}

/// What a change would do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Consequences {
    /// Scalars that train now and afterwards, head included.
    pub trainable: (u64, u64),
    /// Sparsity now and afterwards.
    pub sparsity: (f64, f64),
    /// Bytes of deltas, indices and moments now and afterwards.
    pub bytes: (u64, u64),
    /// Milliseconds of a step now (measured) and afterwards (estimated); none before the first step.
    pub step_ms: Option<(f64, f64)>,
    /// Scalars that would be retired or reverted.
    pub leaving: u64,
    /// Scalars that would start to train.
    pub joining: u64,
    /// The learning rate now and the one that goes with the change; none where it stays.
    #[serde(default)]
    pub rate: Option<(f64, f64)>,
}

/// JSON has no way to write a number that is none but null.
fn number_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_by_one_rule() {
        let told = [0, 1, 0x7_ffff, 0x8_0000, 1 << 20, 395 << 20, (395 << 20) + 0x7_ffff, (395 << 20) + 0x8_0000];
        assert_eq!(told.map(mebibytes), ["0", "<1", "<1", "1", "1", "395", "395", "396"]);
    }
}
