//! What the model holds at one moment, to be put there for a while.

use tch::Tensor;

use spartui_model::{Overlay, Slot};
use spartui_sparse as sparse;

/// A part of a model at one moment. Laid on, the model has it; lifted, it is as it was before any training: both to the bit.
#[derive(Debug)]
pub enum Patch {
    /// Values of a weight.
    Weight(sparse::Patch),
    /// What is on top of a layer.
    Overlay(Slot, Box<dyn Overlay>),
}

impl Patch {
    /// All of a weight, as `value` has it.
    #[must_use]
    pub fn whole(weight: &Tensor, value: &Tensor) -> Self {
        Self::Weight(sparse::Patch::whole(weight, value))
    }

    /// Puts it into the model.
    pub fn lay(&self) {
        match self {
            Self::Weight(patch) => patch.lay(),
            Self::Overlay(slot, overlay) => slot.set(Some(overlay.share())),
        }
    }

    /// Puts what was there before any training in its place, where that is kept.
    pub fn lift(&self) {
        match self {
            Self::Weight(patch) => patch.lift(),
            Self::Overlay(slot, _) => slot.set(None),
        }
    }
}
