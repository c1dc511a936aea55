//! Saved values of a model's weights and overlays, to be applied and reverted.

use tch::Tensor;

use spartui_model::{Overlay, Slot};
use spartui_sparse as sparse;

/// The values of one weight or overlay at one step. Applying it sets these values; reverting it restores the base
/// model's. Both are exact to the bit.
#[derive(Debug)]
pub enum Patch {
    /// Values of a weight.
    Weight(sparse::Patch),
    /// The overlay of a layer.
    Overlay(Slot, Box<dyn Overlay>),
}

impl Patch {
    /// A whole weight with the values of `value`.
    #[must_use]
    pub fn whole(weight: &Tensor, value: &Tensor) -> Self {
        Self::Weight(sparse::Patch::whole(weight, value))
    }

    /// Sets the saved values in the model.
    pub fn apply(&self) {
        match self {
            Self::Weight(patch) => patch.apply(),
            Self::Overlay(slot, overlay) => slot.set(Some(overlay.share())),
        }
    }

    /// Restores the base model's values, where they are kept.
    pub fn revert(&self) {
        match self {
            Self::Weight(patch) => patch.revert(),
            Self::Overlay(slot, _) => slot.set(None),
        }
    }
}
