//! What a method learned, as plain numbers for files.

use serde_json::Value;

use super::{Dense, Factors};
use spartui_sparse::Saved;

/// What is learned, by the shape that it has: formats of adapters go by this, not by the kind of method.
#[derive(Debug, Clone, PartialEq)]
pub enum Learned {
    /// What was added to single scalars of sites, by their places among the model's.
    Sparse(Vec<(usize, Vec<Saved>)>),
    /// Products of low rank on top of sites, by their places among the model's.
    LowRank(Vec<(usize, Factors)>),
    /// Tensors that only the method itself understands.
    Own(OwnTensors),
    /// The model's own weights, all of them.
    Whole,
}

/// Which of these it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Learned`")]
pub enum Shape {
    Sparse,
    LowRank,
    Own,
    Whole,
}

/// Tensors that only the method itself understands, and the settings that they were made with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OwnTensors {
    /// The settings, as far as they are needed to use the tensors.
    pub settings: Value,
    /// The tensors, by names that are each used once.
    pub tensors: Vec<Dense>,
}
