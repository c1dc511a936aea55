//! Overlays: a method's replacement of a layer's forward pass, which may call the layer itself.

use std::any::Any;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tch::Tensor;

use super::Tape;

/// The base layer under an overlay.
pub struct BaseLayer<'a> {
    /// The layer's bias, where it has one.
    pub bias: Option<&'a Tensor>,
    /// The layer's forward pass, with a given bias or without.
    pub forward: &'a dyn Fn(&Tensor, Option<&Tensor>) -> Tensor,
}

/// Intermediate results that an overlay stores in the tap of its layer, for its own method.
pub type Kept = Option<Box<dyn Any>>;

/// A layer's weight, `[out, in]`, and bias with an overlay merged into them.
pub type Merged = (Tensor, Option<Tensor>);

/// A replacement of a layer's forward pass.
pub trait Overlay: Debug + Send {
    /// The output of the layer for `x`, in the dtype of `x`. Random draws are keyed by [`Tape::noise`]. A trainable
    /// tensor whose gradient autograd computes is passed to [`Tape::register_leaf`]; a method that computes gradients
    /// itself returns what it needs as [`Kept`].
    fn apply(&self, base: &BaseLayer<'_>, x: &Tensor, tape: &mut Tape<'_>) -> (Tensor, Kept);

    /// Another handle on the same tensors.
    fn share(&self) -> Box<dyn Overlay>;

    /// The weight, `[out, in]`, and bias with which the layer alone computes the same as with the overlay, in the dtype
    /// of the overlay; none where no such weight exists.
    fn merge(&self, _weight: &Tensor, _bias: Option<&Tensor>) -> Option<Merged> {
        None
    }
}

/// The slot for the overlay of one layer, shared by layer, site and method.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Box<dyn Overlay>>>>);

impl Slot {
    /// Replaces or removes the overlay.
    pub fn set(&self, overlay: Option<Box<dyn Overlay>>) {
        *self.get() = overlay;
    }

    /// The overlay. A poisoned lock is ignored: a computation that panicked has not changed it.
    pub(super) fn get(&self) -> MutexGuard<'_, Option<Box<dyn Overlay>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
