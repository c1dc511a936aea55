//! A collector that observes a backward pass and trains nothing.

use std::fmt;

use tch::Tensor;

use spartui_method::Collector;
use spartui_model::Tap;

/// Calls a function with the taps and output gradients of some sites.
pub struct Listener<F> {
    adapted: Vec<bool>,
    callback: F,
}

impl<F: FnMut(&[Tap], &[Tensor])> Listener<F> {
    /// A listener at the marked sites.
    pub fn new(adapted: Vec<bool>, callback: F) -> Self {
        Self { adapted, callback }
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
        (self.callback)(taps, output_gradients);
    }
}
