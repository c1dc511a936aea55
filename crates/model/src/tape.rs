//! Records what the gradients need from a block's forward pass.

use tch::Tensor;

use super::Kept;

/// Input and output of one adapted linear layer.
#[derive(Debug)]
pub struct Tap {
    /// Index among the model's sites.
    pub site: usize,
    /// `[.., in]`.
    pub input: Tensor,
    /// `[.., out]`; requires a gradient.
    pub output: Tensor,
    /// Intermediate results of the layer's overlay, if there is one.
    pub kept: Kept,
}

/// A trainable tensor of a method that is a leaf of a block's autograd graph.
#[derive(Debug)]
pub struct RecordedLeaf {
    /// The number under which the method registered it.
    pub leaf: usize,
    /// The tensor itself; it requires a gradient.
    pub tensor: Tensor,
}

/// The records of a tape.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The taps, in the order of the forward pass.
    pub taps: Vec<Tap>,
    /// The leaves that overlays registered, each once.
    pub leaves: Vec<RecordedLeaf>,
}

/// Records taps at the adapted sites, and the leaves that overlays register.
#[derive(Debug, Default)]
pub struct Tape<'a> {
    adapted: &'a [bool],
    records: bool,
    noise: Option<u64>,
    recorded: Recorded,
}

impl<'a> Tape<'a> {
    /// A tape that records the sites that are marked in `adapted`; sites past its end are not recorded.
    #[must_use]
    pub fn recording(adapted: &'a [bool]) -> Self {
        Self { adapted, records: true, ..Self::default() }
    }

    /// Sets the key of the forward pass's random draws; none draws nothing, as in evaluation.
    #[must_use]
    pub fn with_noise(self, noise: Option<u64>) -> Self {
        Self { noise, ..self }
    }

    /// The key of the forward pass's random draws.
    #[must_use]
    pub fn noise(&self) -> Option<u64> {
        self.noise
    }

    /// A tape that records nothing, for evaluation.
    #[must_use]
    pub fn idle() -> Self {
        Self::default()
    }

    /// Registers a trainable tensor of a method as a leaf whose gradient is needed; sites may share a leaf.
    pub fn register_leaf(&mut self, leaf: usize, tensor: &Tensor) {
        let leaves = &mut self.recorded.leaves;
        if self.records && !leaves.iter().any(|recorded| recorded.leaf == leaf) {
            leaves.push(RecordedLeaf { leaf, tensor: tensor.shallow_clone() });
        }
    }

    /// Returns a layer's output. Where the site is adapted, the output requires a gradient and a tap of it is recorded.
    pub fn record(&mut self, site: usize, input: &Tensor, output: Tensor, kept: Kept) -> Tensor {
        if !self.adapted.get(site).copied().unwrap_or(false) {
            return output;
        }
        // Below the lowest adapted site nothing requires a gradient; there the output becomes the graph's leaf.
        let output = if output.requires_grad() { output } else { output.set_requires_grad(true) };
        self.recorded.taps.push(Tap { site, input: input.detach(), output: output.shallow_clone(), kept });
        output
    }

    /// The records.
    #[must_use]
    pub fn into_recorded(self) -> Recorded {
        self.recorded
    }
}
