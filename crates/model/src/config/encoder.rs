//! The configuration of encoders: BERT, `RoBERTa`, `DistilBERT`.

use super::keys::{Keys, shown};
use spartui_facts::family::{self, Activation};

/// The configuration of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoder {
    /// The properties of its family.
    pub family: &'static family::Encoder,
    /// Inner width of the feed-forward layers.
    pub intermediate_size: i64,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// Rows of the token-type embeddings; 0 where there are none.
    pub token_types: i64,
    /// Rows of the position embeddings.
    pub positions: i64,
    /// Position of the first token.
    pub first_position: i64,
    /// Id of the padding token, which gets position `first_position - 1` wherever it occurs; none where positions count
    /// all tokens.
    pub padding: Option<i64>,
    /// The layer between the first token's output and the classification head.
    pub start: Start,
}

/// The layer between the last block and a classification head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// BERT's pooler, loaded from the files and frozen.
    Pooler,
    /// BERT's pooler, missing in the files: it is randomly initialized and trains as a part of the head.
    FreshPooler,
    /// None: the head has an inner layer of its own.
    Bare,
}

impl Encoder {
    pub(super) fn parse(keys: &Keys<'_>, family: &'static family::Encoder) -> Result<Self, String> {
        let (hidden, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        if hidden % heads != 0 {
            return Err(format!(
                "hidden_size {hidden} is no multiple of num_attention_heads {heads}; get the model's files again"
            ));
        }
        let padding = if family.counts_past_padding { Some(padding(keys)?) } else { None };
        let first_position = padding.map_or(0, |padding| padding + 1);
        Ok(Self {
            family,
            intermediate_size: keys.size("intermediate_size")?,
            activation: keys.activation("hidden_act", Activation::Gelu)?,
            layer_norm_eps: keys.amount_or("layer_norm_eps", 1e-12)?,
            token_types: if family.token_types { keys.size_or("type_vocab_size", 2)? } else { 0 },
            positions: keys.size("max_position_embeddings")?,
            first_position,
            padding,
            start: if family.pooler { Start::Pooler } else { Start::Bare },
        })
    }
}

/// Id of the padding token; `RoBERTa`'s first position is this id plus one.
fn padding(keys: &Keys<'_>) -> Result<i64, String> {
    let Some(value) = keys.get("pad_token_id") else { return Ok(1) };
    value
        .as_i64()
        .filter(|pad| (0..1 << 31).contains(pad))
        .ok_or_else(|| format!("pad_token_id is {}, no token id; get the model's files again", shown(value)))
}
