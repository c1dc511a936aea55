//! What a method may put on a layer: anything that makes another output of its input, with the layer's own work inside it.

use std::any::Any;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tch::Tensor;

use super::Tape;

/// A layer as an overlay finds it.
pub struct Below<'a> {
    /// The layer's bias, where it has one.
    pub bias: Option<&'a Tensor>,
    /// What the layer makes of an input with a bias or without.
    pub forward: &'a dyn Fn(&Tensor, Option<&Tensor>) -> Tensor,
}

/// What an overlay leaves in the tap of its layer, for its own method alone.
pub type Kept = Option<Box<dyn Any>>;

/// A layer's weight, `[out, in]`, and bias with an overlay in them.
pub type Merged = (Tensor, Option<Tensor>);

/// Something on a layer.
pub trait Overlay: Debug + Send {
    /// The output of the layer for `x`, in the type of `x`. What is drawn at random in it is drawn by the key of
    /// [`Tape::noise`]. A tensor that trains and whose gradient shall come from the graph goes to [`Tape::lend`]; another way is
    /// to keep in the tap what the gradients are made from.
    fn apply(&self, below: &Below<'_>, x: &Tensor, tape: &mut Tape<'_>) -> (Tensor, Kept);

    /// Another handle on the same tensors.
    fn share(&self) -> Box<dyn Overlay>;

    /// What weight, `[out, in]`, and bias have to be so that the layer alone does what it does with the overlay, computed in the
    /// type of the overlay; none where no weight does that.
    fn merge(&self, _weight: &Tensor, _bias: Option<&Tensor>) -> Option<Merged> {
        None
    }
}

/// The place for the overlay of one layer, which layer, site and method share.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Box<dyn Overlay>>>>);

impl Slot {
    /// Puts an overlay on the layer in the place of what is there, or takes that away.
    pub fn set(&self, overlay: Option<Box<dyn Overlay>>) {
        *self.get() = overlay;
    }

    /// What is there. A computation that failed meanwhile has changed nothing of it.
    pub(super) fn get(&self) -> MutexGuard<'_, Option<Box<dyn Overlay>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
