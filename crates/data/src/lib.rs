//! Reads rows, renders templates, tokenizes and batches.
//!
//! The results are plain vectors and numbers; nothing here uses tensors.

mod answers;
mod asked;
mod batching;
mod bounds;
mod caught;
mod chat;
mod checks;
mod columns;
mod conversation;
mod encode;
mod encoding;
mod example;
mod fingerprint;
mod guess;
mod json;
mod labels;
mod left_out;
mod long_numbers;
mod open_file;
mod packing;
mod parquet;
mod prepare;
mod preview;
mod rows;
mod sample;
mod table;
mod tokenizer;
mod whole;

pub use answers::{Answers, read_with_answers};
pub use asked::{Prompt, encode_prompt, prompt_of};
pub use batching::{Batch, Order, collate, epoch_batches};
pub use chat::{Arguments, ChatTemplate};
pub use example::{Example, Target};
pub use guess::{Guessed, Named, guess_columns, name_columns, name_columns_of};
pub use left_out::{BadRow, LeftOut};
pub use open_file::{NOT_OPEN, is_open_file};
pub use prepare::{Dataset, Prepared, prepare};
pub use preview::{Piece, Preview, preview};
pub use rows::{Dialect, holds_rows};
pub use sample::{Sample, SampledColumn, sample};
pub use tokenizer::{OffsetTokens, Tokenizer};
pub use whole::{read_for_evaluation, read_for_prediction};
