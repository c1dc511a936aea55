//! What a block's forward pass leaves behind for the gradients of what trains in it.

use tch::Tensor;

use super::Kept;

/// Input and output of one adapted linear layer.
#[derive(Debug)]
pub struct Tap {
    /// Position of the weight among the model's sites.
    pub site: usize,
    /// `[.., in]`.
    pub input: Tensor,
    /// `[.., out]`; requires a gradient.
    pub output: Tensor,
    /// What an overlay on the layer computed on the way, where there is one.
    pub kept: Kept,
}

/// A tensor of a method that the graph of a block goes through.
#[derive(Debug)]
pub struct Lent {
    /// The number that the method knows it by.
    pub leaf: usize,
    /// The tensor itself; it requires a gradient.
    pub tensor: Tensor,
}

/// What a tape has recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The taps, in the order of the forward pass.
    pub taps: Vec<Tap>,
    /// Tensors that overlays lent, each once.
    pub lent: Vec<Lent>,
}

/// Collects taps at the sites that it listens to, and what overlays lend.
#[derive(Debug, Default)]
pub struct Tape<'a> {
    adapted: &'a [bool],
    records: bool,
    noise: Option<u64>,
    recorded: Recorded,
}

impl<'a> Tape<'a> {
    /// A tape that records the sites that are marked in `adapted`; sites beyond its end are not.
    #[must_use]
    pub fn recording(adapted: &'a [bool]) -> Self {
        Self { adapted, records: true, ..Self::default() }
    }

    /// What is drawn at random in the forward pass is drawn by this key; none: nothing is, as in evaluation.
    #[must_use]
    pub fn with_noise(self, noise: Option<u64>) -> Self {
        Self { noise, ..self }
    }

    /// The key of what is drawn at random.
    #[must_use]
    pub fn noise(&self) -> Option<u64> {
        self.noise
    }

    /// A tape that records nothing, for evaluation.
    #[must_use]
    pub fn idle() -> Self {
        Self::default()
    }

    /// Tells that the graph goes through a tensor of a method, which needs its gradient; sites may share one.
    pub fn lend(&mut self, leaf: usize, tensor: &Tensor) {
        let lent = &mut self.recorded.lent;
        if self.records && !lent.iter().any(|lent| lent.leaf == leaf) {
            lent.push(Lent { leaf, tensor: tensor.shallow_clone() });
        }
    }

    /// Passes a layer's output on; where the site is listened to, the output is made part of the graph and kept.
    pub fn note(&mut self, site: usize, input: &Tensor, output: Tensor, kept: Kept) -> Tensor {
        if !self.adapted.get(site).copied().unwrap_or(false) {
            return output;
        }
        // Below the lowest adapted site nothing requires a gradient; there the output becomes the graph's leaf.
        let output = if output.requires_grad() { output } else { output.set_requires_grad(true) };
        self.recorded.taps.push(Tap { site, input: input.detach(), output: output.shallow_clone(), kept });
        output
    }

    /// What it has recorded.
    #[must_use]
    pub fn into_recorded(self) -> Recorded {
        self.recorded
    }
}
