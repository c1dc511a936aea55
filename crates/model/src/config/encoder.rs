//! The encoders: BERT, `RoBERTa`, `DistilBERT`.

use super::keys::{Keys, shown};
use spartui_facts::family::{self, Activation};

/// What distinguishes one encoder from another.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoder {
    /// What its family has in common.
    pub family: &'static family::Encoder,
    /// Width inside the feed-forward layer.
    pub intermediate_size: i64,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// Rows of the token-type embeddings; 0: there are none.
    pub token_types: i64,
    /// Rows of the position embeddings.
    pub positions: i64,
    /// Position of the first token.
    pub first_position: i64,
    /// The token that has the position before the first one, wherever it stands; none where every token counts.
    pub padding: Option<i64>,
    /// How a classifier starts from the first token's output.
    pub start: Start,
}

/// What comes between the last block and a classification head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// BERT's pooler, which is part of the model.
    Pooler,
    /// BERT's pooler, which the files lack: it is made fresh, and trains as a part of the head.
    FreshPooler,
    /// Nothing: the head has a layer of its own.
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

/// Id of the padding token, behind which `RoBERTa` begins to count positions.
fn padding(keys: &Keys<'_>) -> Result<i64, String> {
    let Some(value) = keys.get("pad_token_id") else { return Ok(1) };
    value
        .as_i64()
        .filter(|pad| (0..1 << 31).contains(pad))
        .ok_or_else(|| format!("pad_token_id is {}, no token id; get the model's files again", shown(value)))
}
