//! What the project exists for: training a few scalars of a large weight.
//!
//! Tensors and numbers in, tensors and numbers out: nothing here knows a model, a file or a screen.
//!
//! * [`Selection`]: which scalars of a weight train;
//! * [`budget`]: how many of each weight;
//! * [`Delta`]: what training added to them, and how an optimizer's update reaches the weight;
//! * [`gradient`]: the gradient at those scalars and nowhere else.

pub mod budget;
mod cohort;
mod delta;
mod fused;
pub mod gradient;
pub(crate) mod memory;
mod rounding;
pub(crate) mod scalar;
mod selection;
mod sorted;
pub(crate) mod threads;
pub(crate) mod wide;

pub use cohort::{AdamW, Cohort};
pub use delta::{Delta, Footprint, Resized, Saved, merge};
pub use rounding::Cast;
pub use selection::Selection;
