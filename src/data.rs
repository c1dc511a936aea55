//! Reading rows, making texts of them, tokenizing and batching.
//!
//! Plain vectors and numbers go out; nothing here knows of tensors.

mod batching;
mod columns;
mod json;
mod labels;
mod left_out;
mod prepare;
mod quote;
mod rows;
mod table;
mod tokenizer;
mod whole;

pub use batching::{Batch, Order, collate, epoch_batches};
pub use left_out::{BadRow, LeftOut};
pub use prepare::{Dataset, Example, Prepared, prepare};
pub use quote::{one_line, place, quoted};
pub use tokenizer::Tokenizer;
pub use whole::{LabelledRow, TextRow, read_for_evaluation, read_for_prediction, tokenize};
