//! What hears a backward pass and trains nothing.

use std::fmt;

use tch::Tensor;

use crate::method::{Method, Patch, Plan, State};
use crate::model::Tap;
use crate::protocol::Group;
use crate::recipe;
use crate::sparse::{AdamW, Footprint, Resized, Saved};

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

impl<F: FnMut(&[Tap], &[Tensor]) + Send> Method for Listener<F> {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        (self.hear)(taps, output_gradients);
    }

    fn squared_gradient_norm(&self) -> f64 {
        0.0
    }

    fn update(&mut self, _: &AdamW, _: f64, _: f64, _: u64) {}

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        Ok(Plan::default())
    }

    fn apply(&mut self, _: &recipe::Method, _: u64, _: [f64; 2]) -> Result<Resized, String> {
        Ok(Resized::default())
    }

    fn configure(&mut self, _: &recipe::Method) {}

    fn sparsity_bounds(&self) -> (f64, f64) {
        (1.0, 1.0)
    }

    fn trainable(&self) -> u64 {
        0
    }

    fn retired(&self) -> u64 {
        0
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    fn groups(&self) -> Vec<Group> {
        Vec::new()
    }

    fn save(&self) -> Vec<(usize, Vec<Saved>)> {
        Vec::new()
    }

    fn state(&self) -> State {
        State::default()
    }

    fn restore(&mut self, _: &State, _: &recipe::Method, _: u64) -> Result<(), String> {
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        Vec::new()
    }

    fn patches_of(&self, _: &State, _: u64) -> Result<Vec<Patch>, String> {
        Ok(Vec::new())
    }

    fn forget(&mut self) {}
}
