//! Plain facts that every other crate builds on: no tensors, no terminal.

// From the top: what stands in one paragraph imports only from the paragraphs below it. A test reads this order.

pub mod protocol;

pub mod recipe;

pub mod random;

pub mod error;
pub mod family;
pub mod permutation;
pub mod quote;
pub mod series;
