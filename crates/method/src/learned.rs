//! The result of a method's training, as plain numbers for files.

use serde_json::Value;

use super::{Dense, Factors};
use spartui_sparse::Saved;

/// The result of training, by its form: the formats of adapters depend on the form, not on the kind of method.
#[derive(Debug, Clone, PartialEq)]
pub enum Learned {
    /// Deltas of single scalars, by the name of the parameter.
    Sparse(Vec<(String, Vec<Saved>)>),
    /// Low-rank products added to sites, by the index of the site.
    LowRank(Vec<(usize, Factors)>),
    /// Tensors that only the method itself interprets.
    Own(OwnTensors),
    /// The model's own weights, all of them.
    Whole,
}

/// The form of [`Learned`] without the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Learned`")]
pub enum Shape {
    Sparse,
    LowRank,
    Own,
    Whole,
}

/// Tensors that only the method itself interprets, and the settings that they were trained with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OwnTensors {
    /// The settings needed to use the tensors.
    pub settings: Value,
    /// The tensors; their names are unique.
    pub tensors: Vec<Dense>,
}
