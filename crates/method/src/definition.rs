//! What holds for every run of a kind of method, whatever becomes of it: read before one is built, and where none is.

use super::{Learned, Method, OwnTensors, Shape, State};
use spartui_facts::{error, recipe};
use spartui_model::{Head, Model, Overlay};
use spartui_sparse::Footprint;

/// Overlays for sites of a model, by their places.
pub type OnSites = Vec<(usize, Box<dyn Overlay>)>;

/// One kind of method. [`super::definition`] has the one of each.
pub trait Definition: Sync {
    /// The method that a recipe asks for, on this model, with nothing trained yet.
    ///
    /// # Errors
    /// Refuses targets that the model does not have and a sparsity outside its bounds.
    fn build(
        &self,
        recipe: &recipe::Method,
        model: &Model,
        head: &Head,
        betas: [f64; 2],
    ) -> error::Result<Box<dyn Method>>;

    /// Scalars that train at each site of a model by these settings, with a head of so many scalars; of the model, shapes are
    /// enough.
    ///
    /// # Errors
    /// As [`Definition::build`].
    fn counts(&self, recipe: &recipe::Method, model: &Model, head: u64) -> error::Result<Vec<u64>>;

    /// As [`Definition::counts`], of the scalars that are written to in the model's own weights.
    ///
    /// # Errors
    /// As [`Definition::build`].
    fn written(&self, recipe: &recipe::Method, model: &Model, head: u64) -> error::Result<Vec<u64>> {
        self.counts(recipe, model, head)
    }

    /// What training takes beside the weights where so many scalars train at each site.
    fn needs(&self, recipe: &recipe::Method, model: &Model, counts: &[u64]) -> Needs;

    /// Makes of settings some that need less memory; those that it changed, as a user would write them.
    fn lighten(&self, recipe: &mut recipe::Method) -> &'static str;

    /// What the names of its tensors in a checkpoint begin with. Parts of sites have names of their own.
    fn prefixes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The shape of what it learns.
    fn shape(&self) -> Shape;

    /// Whether the base model can be had again while it trains. Where it cannot, lanes do not share the model.
    fn keeps_base(&self) -> bool {
        self.shape() != Shape::Whole
    }

    /// What was learned by a state at so many optimizer steps, where that can be told without a method that goes back to it.
    ///
    /// # Errors
    /// What of the state does not fit the model.
    fn learned(&self, _state: &State, _model: &Model, _step: u64) -> Option<Result<Learned, String>> {
        None
    }

    /// What tensors of its own put on top of the model's sites, by their places, in use rather than in training.
    ///
    /// # Errors
    /// One sentence where they do not fit the model.
    fn overlays(&self, _own: &OwnTensors, _model: &Model) -> Result<OnSites, String> {
        Err("this method has no tensors of its own".into())
    }
}

/// What training takes of memory beside the weights and what their forward and backward pass takes anyway.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Needs {
    /// What is there from the first step to the last.
    pub held: Footprint,
    /// Whether every parameter of the model trains.
    pub everything: bool,
    /// What is on top of each site takes; empty where nothing is.
    pub overlays: Vec<PerToken>,
    /// Bytes of whole gradients that are there at a time before the first step, where they decide what trains.
    pub surveyed: Option<u64>,
    /// Whether a micro-batch goes through the model twice before its backward pass.
    pub twice: bool,
    /// Bytes while the update is made, the squares of the gradient's norm not among them.
    pub update: u64,
}

/// Bytes for each token of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerToken {
    /// From the forward pass of a block to its backward pass.
    pub kept: u64,
    /// While the layer is computed.
    pub working: u64,
}
