//! The static properties of each kind of method. They are read before a method is built, and where none is.

use super::{Learned, Method, OwnTensors, Shape, State};
use spartui_facts::{error, recipe};
use spartui_model::{Head, Model, Overlay, Stage};
use spartui_sparse::Footprint;

/// Overlays, each with the index of its site among [`Model::sites`].
pub type OnSites = Vec<(usize, Box<dyn Overlay>)>;

/// One kind of method. [`super::definition`] returns that of each kind.
pub trait Definition: Sync {
    /// Builds the method of a recipe on this model, before any training.
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

    /// Number of trainable scalars of each site under these settings; `head` counts the scalars of the classification
    /// head. A model without weights ([`Model::outline`]) is enough.
    ///
    /// # Errors
    /// As [`Definition::build`].
    fn counts(&self, recipe: &recipe::Method, model: &Model, head: u64) -> error::Result<Vec<u64>>;

    /// As [`Definition::counts`], but of the scalars of the model's own weights that an update changes in place.
    ///
    /// # Errors
    /// As [`Definition::build`].
    fn written(&self, recipe: &recipe::Method, model: &Model, head: u64) -> error::Result<Vec<u64>> {
        self.counts(recipe, model, head)
    }

    /// Memory that training needs beside the weights; `counts` holds the number of trainable scalars of each site.
    fn needs(&self, recipe: &recipe::Method, model: &Model, counts: &[u64]) -> Needs;

    /// Changes the settings so that they need less memory. Returns the changed fields as a user would write them.
    fn lighten(&self, recipe: &mut recipe::Method) -> &'static str;

    /// Prefixes of the names of its tensors in a checkpoint. The parts of sites have names of their own.
    fn prefixes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The form of what it learns.
    fn shape(&self, recipe: &recipe::Method) -> Shape;

    /// Whether the base weights can be restored while it trains. Where they cannot, lanes do not share the model.
    fn keeps_base(&self, recipe: &recipe::Method) -> bool {
        self.shape(recipe) != Shape::Whole
    }

    /// What a state at optimizer step `step` has learned, computed without a method in training. None where a method
    /// must first restore the state.
    ///
    /// # Errors
    /// The part of the state that does not fit the model.
    fn learned(&self, _state: &State, _model: &Model, _step: u64) -> Option<Result<Learned, String>> {
        None
    }

    /// Overlays made from the method's own tensors, for inference.
    ///
    /// # Errors
    /// One sentence where they do not fit the model.
    fn overlays(&self, _own: &OwnTensors, _model: &Model) -> Result<OnSites, String> {
        Err("this method has no tensors of its own".into())
    }
}

/// Memory that training needs beside the weights and the activations of the base model. Bytes.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they do not depend on each other")]
pub struct Needs {
    /// Deltas and moments, held from the first step to the last.
    pub held: Footprint,
    /// Whether every parameter of the model trains.
    pub everything: bool,
    /// Activation memory of the overlay of each site; empty where there are no overlays.
    pub overlays: Vec<PerToken>,
    /// Bytes of the dense gradients held at once before the first step, where they decide which scalars train.
    pub surveyed: Option<u64>,
    /// Whether each micro-batch takes two forward passes before its backward pass.
    pub twice: bool,
    /// The first stage of the forward pass with a parameter that trains, where parameters that are no sites do.
    pub graph: Option<Stage>,
    /// Whether the adapted sites record no taps, since their overlays register leaves.
    pub tapless: bool,
    /// Whether the dense gradients of the adapted sites are held until the update.
    pub dense: bool,
    /// Whether the dense gradient of the language-model head is computed.
    pub language_head: bool,
    /// Bytes of the largest dense gradient that is computed of a parameter that is no site, and gathered at once.
    pub gathered: u64,
    /// Bytes of temporaries of the update, without the squares for the gradient norm.
    pub update: u64,
}

/// Bytes for each token of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerToken {
    /// Held from the forward pass of a block to its backward pass.
    pub kept: u64,
    /// Held while the layer is computed.
    pub working: u64,
    /// Whether the layer's input is held too, which other layers may share.
    pub input: bool,
}
