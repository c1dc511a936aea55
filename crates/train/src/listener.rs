//! What hears a backward pass and trains nothing.

use std::fmt;

use tch::Tensor;

use spartui_method::Collector;
use spartui_model::Tap;

/// Tells what taps and output gradients it is given at some sites.
pub struct Listener<F> {
    adapted: Vec<bool>,
    hear: F,
}

impl<F: FnMut(&[Tap], &[Tensor])> Listener<F> {
    /// At the sites that are marked.
    pub fn new(adapted: Vec<bool>, hear: F) -> Self {
        Self { adapted, hear }
    }
}

impl<F> fmt::Debug for Listener<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("adapted", &self.adapted).finish_non_exhaustive()
    }
}

impl<F: FnMut(&[Tap], &[Tensor])> Collector for Listener<F> {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        (self.hear)(taps, output_gradients);
    }
}
