//! What a block's forward pass leaves behind for the gradients of its adapted weights.

use tch::Tensor;

use super::Inside;

/// Input and output of one adapted linear layer.
#[derive(Debug)]
pub struct Tap {
    /// Position of the weight among the model's sites.
    pub site: usize,
    /// `[.., in]`.
    pub input: Tensor,
    /// `[.., out]`; requires a gradient.
    pub output: Tensor,
    /// What an addition to the layer computed on the way, where there is one.
    pub inside: Option<Inside>,
}

/// Collects taps at the sites that it listens to.
#[derive(Debug, Default)]
pub struct Tape<'a> {
    adapted: &'a [bool],
    noise: Option<u64>,
    taps: Vec<Tap>,
}

impl<'a> Tape<'a> {
    /// A tape that records the sites that are marked in `adapted`; sites beyond its end are not.
    #[must_use]
    pub fn recording(adapted: &'a [bool]) -> Self {
        Self { adapted, ..Self::default() }
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

    /// Passes a layer's output on; where the site is listened to, the output is made part of the graph and kept.
    pub fn note(&mut self, site: usize, input: &Tensor, output: Tensor, inside: Option<Inside>) -> Tensor {
        if !self.adapted.get(site).copied().unwrap_or(false) {
            return output;
        }
        // Below the lowest adapted site nothing requires a gradient; there the output becomes the graph's leaf.
        let output = if output.requires_grad() { output } else { output.set_requires_grad(true) };
        self.taps.push(Tap { site, input: input.detach(), output: output.shallow_clone(), inside });
        output
    }

    /// The taps, in the order of the forward pass.
    #[must_use]
    pub fn into_taps(self) -> Vec<Tap> {
        self.taps
    }
}
