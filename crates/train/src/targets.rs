//! Conversion of a batch of examples to a model's inputs and targets.

use tch::{Device, Tensor};

use spartui_data::{self as data, Example, Tokenizer};
use spartui_facts::error::{Error, Result};
use spartui_model::{Batch, Model};

/// The targets of a batch.
#[derive(Debug)]
pub enum Targets {
    /// The label of each row, `[rows]`, `i64`.
    Labels(Tensor),
    /// The tokens that a language model predicts.
    Tokens {
        /// The positions before the target tokens, counted over all rows of the padded batch, `[targets]`, `i64`.
        at: Tensor,
        /// The target tokens, `[targets]`, `i64`.
        ids: Tensor,
    },
}

impl Targets {
    /// Number of targets: rows, or tokens.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Labels(labels) => labels.numel(),
            Self::Tokens { ids, .. } => ids.numel(),
        }
    }
}

/// Checks that the model has embeddings for the token types of all examples.
///
/// # Errors
/// Refuses a type that it lacks.
pub fn check_token_types(model: &Model, examples: &[Example]) -> Result<()> {
    let types = model.token_types();
    let largest = examples.iter().flat_map(|example| &example.token_types).max();
    match largest {
        Some(&largest) if types > 1 && i64::from(largest) >= types => Err(Error::refused(format!(
            "tokenizer.json gives the token type {largest}, but the model (type_vocab_size in config.json) has {types}; use \
             the tokenizer that belongs to the model"
        ))),
        _ => Ok(()),
    }
}

/// A warning for a classifier on a decoder whose tokenizer ends rows with the padding token: the class of such a row is
/// read, or may be read elsewhere, at a token before the last.
#[must_use]
pub fn padding_warning(model: &Model, tokenizer: &Tokenizer, examples: &[Example]) -> Option<String> {
    let named = model.padding_token()?;
    let padding = named.or_else(|| tokenizer.padding_token().map(i64::from))?;
    let ends = |example: &&Example| example.tokens.last().is_some_and(|&last| i64::from(last) == padding);
    let (rows, all) = (examples.iter().filter(ends).count(), examples.len());
    if rows == 0 {
        return None;
    }
    let end = if rows == 1 { "ends" } else { "end" };
    Some(if named.is_some() {
        format!(
            "{rows} of {all} rows {end} with the padding token (pad_token_id {padding} in config.json): as in transformers, their \
             class is read at the last token before it"
        )
    } else {
        format!(
            "{rows} of {all} rows {end} with the tokenizer's padding token ({padding}), and config.json names no pad_token_id: their \
             class is read at this last token, as transformers does it; with pad_token_id = {padding}, which its Trainer \
             sets, it would be read before it"
        )
    })
}

/// Inputs and targets of a collated batch, on the model's device.
#[must_use]
pub fn to_tensors(model: &Model, batch: &data::Batch) -> (Batch, Targets) {
    let inputs = Batch::new(&batch.ids, &batch.lengths, model.device);
    // A tokenizer may give token types to a model that has none.
    let inputs = if model.token_types() > 1 { inputs.with_token_types(&batch.token_types) } else { inputs };
    let targets = if batch.trained.is_empty() {
        Targets::Labels(labels(&batch.labels).to_device(model.device))
    } else {
        let positions = || batch.trained.iter().enumerate().filter(|(at, trained)| **trained && at % batch.width != 0);
        let at: Vec<i64> = positions().map(|(at, _)| at.cast_signed() as i64 - 1).collect();
        let ids: Vec<i64> = positions().map(|(at, _)| batch.ids[at]).collect();
        Targets::Tokens {
            at: Tensor::from_slice(&at).to_device(model.device),
            ids: Tensor::from_slice(&ids).to_device(model.device),
        }
    };
    (inputs, targets)
}

/// Labels as a tensor, `[rows]`, `i64`.
pub(super) fn labels(labels: &[usize]) -> Tensor {
    let labels: Vec<i64> = labels.iter().map(|&label| label.cast_signed() as i64).collect();
    Tensor::from_slice(&labels)
}

/// Most scalars of logits of the vocabulary that exist at a time; more on a device, which small products do not keep
/// busy.
pub(super) fn most_logits(device: Device) -> i64 {
    if device == Device::Cpu { 1 << 22 } else { 1 << 26 }
}

/// The ranges of positions whose logits fit the bound: first position and number.
pub(super) fn chunks(model: &Model, positions: i64) -> impl Iterator<Item = (i64, i64)> + use<> {
    let size = (most_logits(model.device) / model.config.vocab_size.max(1)).max(1);
    (0..positions).step_by(usize::try_from(size).unwrap_or(1)).map(move |from| (from, size.min(positions - from)))
}

/// Selects positions of `x`, `[rows, width, hidden]`, counted over all rows; the result is `[targets, hidden]`.
pub(super) fn pick(x: &Tensor, at: &Tensor) -> Tensor {
    x.reshape([-1, x.size()[2]]).index_select(0, at)
}
