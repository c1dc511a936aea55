//! What a block's forward pass leaves behind for the gradients of its adapted weights.

use tch::Tensor;

/// Input and output of one adapted linear layer.
#[derive(Debug)]
pub struct Tap {
    /// Position of the weight among the model's sites.
    pub site: usize,
    /// `[.., in]`.
    pub input: Tensor,
    /// `[.., out]`; requires a gradient.
    pub output: Tensor,
}

/// Collects taps at the sites that it listens to.
#[derive(Debug, Default)]
pub struct Tape<'a> {
    adapted: &'a [bool],
    taps: Vec<Tap>,
}

impl<'a> Tape<'a> {
    /// A tape that records the sites that are marked in `adapted`; sites beyond its end are not.
    #[must_use]
    pub fn recording(adapted: &'a [bool]) -> Self {
        Self { adapted, taps: Vec::new() }
    }

    /// A tape that records nothing, for evaluation.
    #[must_use]
    pub fn idle() -> Self {
        Self::default()
    }

    /// Passes a layer's output on; where the site is listened to, the output is made part of the graph and kept.
    pub fn note(&mut self, site: usize, input: &Tensor, output: Tensor) -> Tensor {
        if !self.adapted.get(site).copied().unwrap_or(false) {
            return output;
        }
        // Below the lowest adapted site nothing requires a gradient; there the output becomes the graph's leaf.
        let output = if output.requires_grad() { output } else { output.set_requires_grad(true) };
        self.taps.push(Tap { site, input: input.detach(), output: output.shallow_clone() });
        output
    }

    /// The taps, in the order of the forward pass.
    #[must_use]
    pub fn into_taps(self) -> Vec<Tap> {
        self.taps
    }
}
