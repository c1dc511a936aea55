//! The decoders. Their differences are data: one forward pass serves all.

use serde_json::Value;

use super::Family;
use super::classifier::padding;
use super::keys::{Activation, Keys, shown};
use super::rope::Rope;

/// What distinguishes one decoder from another.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    /// How a token attends to the ones before it.
    pub attention: Attention,
    /// The feed-forward layer.
    pub feed: Feed,
    /// Epsilon of the norms.
    pub norm_eps: f64,
    /// Factor of the embeddings, rounded to the type of the weights.
    pub embedding_scale: Option<f64>,
    /// Where the positions come in.
    pub positions: Positions,
    /// The blocks, one by one.
    pub layers: Vec<Layer>,
    /// Logits z of the vocabulary become `cap * tanh(z / cap)`.
    pub logit_cap: Option<f64>,
    /// Whether the language-model head is the word embedding itself. The files may say otherwise than config.json: see
    /// `model::tie`.
    pub tied: bool,
    /// The padding token: a classifier reads the last token that is another.
    pub padding: Option<i64>,
}

/// How a token attends to the ones before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// Heads of keys and values.
    pub kv_heads: i64,
    /// Width of a head.
    pub head_dim: i64,
    /// Whether queries, keys and values have biases.
    pub bias: bool,
    /// Whether the output projection has one.
    pub output_bias: bool,
    /// Whether queries and keys go through a norm, head by head.
    pub query_key_norm: bool,
    /// Scores s become `cap * tanh(s / cap)`.
    pub cap: Option<f64>,
}

/// The feed-forward layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Its inner width.
    pub width: i64,
    /// Its activation.
    pub activation: Activation,
    /// Whether its layers have biases.
    pub bias: bool,
}

/// Where the positions come in.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// As embeddings that were learned; so many rows.
    Learned(i64),
    /// As rotations of queries and keys; blocks name theirs by its place here.
    Rotary(Vec<Rope>),
}

/// One block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// A token sees only so many tokens, itself among them.
    pub window: Option<i64>,
    /// Place of its rotation.
    pub rope: usize,
    /// Factor of the attention scores.
    pub scale: f64,
}

impl Decoder {
    pub(super) fn parse(keys: &Keys<'_>, layers: usize) -> Result<Self, String> {
        let family = keys.family;
        let (hidden, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        let attention = attention(keys, hidden, heads)?;
        let positions = match family {
            Family::Gpt2 => Positions::Learned(keys.size("max_position_embeddings")?),
            _ => Positions::Rotary(Rope::all(keys, attention.head_dim)?),
        };
        let kinds = kinds(keys, layers)?;
        let window = window(keys)?;
        let layers = kinds.iter().enumerate().map(|(layer, &sliding)| {
            Ok(Layer {
                window: if sliding { window } else { None },
                rope: usize::from(family == Family::Gemma3 && sliding),
                scale: scale(keys, attention.head_dim, layer)?,
            })
        });
        Ok(Self {
            feed: feed(keys, hidden)?,
            norm_eps: match family {
                Family::Gpt2 => keys.amount_or("layer_norm_epsilon", 1e-5)?,
                Family::Phi3 => keys.amount_or("rms_norm_eps", 1e-5)?,
                _ => keys.amount_or("rms_norm_eps", 1e-6)?,
            },
            #[expect(clippy::cast_precision_loss, reason = "a width is far below 2^53")]
            embedding_scale: is_gemma(family).then(|| (hidden as f64).sqrt()),
            layers: layers.collect::<Result<_, String>>()?,
            logit_cap: cap(keys, "final_logit_softcapping", 30.0)?,
            tied: keys.flag_or("tie_word_embeddings", is_gemma(family) || family == Family::Gpt2)?,
            padding: padding(keys.json, family)?,
            attention,
            positions,
        })
    }

    /// The longest input, where config.json gives `given` positions: dynamic scaling takes more.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "clamped to 2^31")]
    pub(super) fn max_positions(&self, given: i64) -> i64 {
        match &self.positions {
            Positions::Learned(rows) => *rows,
            Positions::Rotary(ropes) => {
                let growth = ropes.iter().map(Rope::growth).fold(f64::INFINITY, f64::min);
                (given as f64 * growth).clamp(1.0, f64::from(i32::MAX)) as i64
            }
        }
    }
}

fn is_gemma(family: Family) -> bool {
    matches!(family, Family::Gemma | Family::Gemma2 | Family::Gemma3)
}

fn attention(keys: &Keys<'_>, hidden: i64, heads: i64) -> Result<Attention, String> {
    let family = keys.family;
    let default_heads = match family {
        Family::Mistral => 8,
        Family::Gemma => 16,
        Family::Gemma2 | Family::Gemma3 => 4,
        _ => heads,
    };
    // A null here means as many as query heads, a missing key the family's own number.
    let kv_heads = match (family, keys.json.get("num_key_value_heads")) {
        (Family::Gpt2, _) | (_, Some(Value::Null)) => heads,
        _ => keys.size_or("num_key_value_heads", default_heads)?,
    };
    let head_dim = match (family, keys.size_if("head_dim")?) {
        (Family::Gpt2, _) | (_, None) if !is_gemma(family) && family != Family::Qwen3 => {
            if hidden % heads != 0 {
                return Err(format!(
                    "hidden_size {hidden} is no multiple of num_attention_heads {heads}; get the model's files again"
                ));
            }
            hidden / heads
        }
        (_, Some(width)) => width,
        (Family::Qwen3, None) => 128,
        (_, None) => 256,
    };
    if heads % kv_heads != 0 {
        return Err(format!(
            "num_attention_heads {heads} is no multiple of num_key_value_heads {kv_heads}; get the model's files again"
        ));
    }
    if head_dim % 2 != 0 && family != Family::Gpt2 {
        return Err(format!("head_dim {head_dim} is odd, which rotations cannot have; get the model's files again"));
    }
    let given = keys.flag_or("attention_bias", false)?;
    Ok(Attention {
        kv_heads,
        head_dim,
        bias: given || matches!(family, Family::Qwen2 | Family::Gpt2),
        output_bias: (given && family != Family::Qwen2) || family == Family::Gpt2,
        query_key_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
        cap: if family == Family::Gemma2 { cap(keys, "attn_logit_softcapping", 50.0)? } else { None },
    })
}

fn feed(keys: &Keys<'_>, hidden: i64) -> Result<Feed, String> {
    let activation = match keys.family {
        // The official checkpoints say gelu and mean the tanh form.
        Family::Gemma => match keys.activation("hidden_act", Activation::GeluTanh)? {
            Activation::Gelu => Activation::GeluTanh,
            other => other,
        },
        Family::Gemma2 | Family::Gemma3 => keys.activation("hidden_activation", Activation::GeluTanh)?,
        Family::Gpt2 => keys.activation("hidden_act", Activation::GeluTanh)?,
        _ => keys.activation("hidden_act", Activation::Silu)?,
    };
    let width = match keys.family {
        Family::Gpt2 => keys.size_or("intermediate_size", 4 * hidden)?,
        _ => keys.size("intermediate_size")?,
    };
    Ok(Feed { width, activation, bias: keys.flag_or("mlp_bias", false)? || keys.family == Family::Gpt2 })
}

/// A bound on logits or scores: Gemma 2 has one by default, Gemma 3 where it is given.
fn cap(keys: &Keys<'_>, name: &str, default: f64) -> Result<Option<f64>, String> {
    let cap = match keys.family {
        Family::Gemma2 if !keys.json.contains_key(name) => Some(default),
        Family::Gemma2 | Family::Gemma3 => keys.number_if(name)?,
        _ => None,
    };
    match cap {
        Some(cap) if cap <= 0.0 => Err(format!("{name} {cap} is not above 0; get the model's files again")),
        cap => Ok(cap),
    }
}

#[expect(clippy::cast_precision_loss, reason = "widths and layers are far below 2^53")]
fn scale(keys: &Keys<'_>, head_dim: i64, layer: usize) -> Result<f64, String> {
    let width = match keys.family {
        Family::Gemma2 | Family::Gemma3 => keys.number_or("query_pre_attn_scalar", 256.0)?,
        Family::Gpt2 if !keys.flag_or("scale_attn_weights", true)? => 1.0,
        _ => head_dim as f64,
    };
    if width <= 0.0 {
        return Err(format!("query_pre_attn_scalar {width} is not above 0; get the model's files again"));
    }
    let divisor = if keys.flag_or("scale_attn_by_inverse_layer_idx", false)? { (layer + 1) as f64 } else { 1.0 };
    Ok(width.powf(-0.5) / divisor)
}

fn window(keys: &Keys<'_>) -> Result<Option<i64>, String> {
    let missing = !keys.json.contains_key("sliding_window");
    let switched_off =
        matches!(keys.family, Family::Qwen2 | Family::Qwen3) && !keys.flag_or("use_sliding_window", false)?;
    match keys.family {
        _ if switched_off => Ok(None),
        Family::Llama | Family::Gemma | Family::Gpt2 => Ok(None),
        Family::Mistral | Family::Gemma2 | Family::Gemma3 | Family::Qwen2 | Family::Qwen3 if missing => Ok(Some(4096)),
        _ => keys.size_if("sliding_window"),
    }
}

/// Which blocks have a window.
fn kinds(keys: &Keys<'_>, layers: usize) -> Result<Vec<bool>, String> {
    let family = keys.family;
    if matches!(family, Family::Mistral | Family::Phi3) {
        return Ok(vec![true; layers]);
    }
    if matches!(family, Family::Llama | Family::Gemma | Family::Gpt2) {
        return Ok(vec![false; layers]);
    }
    if let Some(types) = keys.get("layer_types") {
        return listed(types, layers);
    }
    let every = |period: usize| (0..layers).map(|layer| (layer + 1) % period != 0).collect();
    Ok(match family {
        Family::Gemma2 => every(2),
        Family::Gemma3 => every(usize::try_from(keys.size_or("sliding_window_pattern", 6)?).unwrap_or(6)),
        _ => {
            let windowed = keys.flag_or("use_sliding_window", false)?;
            let first = match keys.get("max_window_layers").map(Value::as_u64) {
                None => 28,
                Some(Some(first)) => usize::try_from(first).unwrap_or(usize::MAX),
                Some(None) => return Err("max_window_layers is no whole number; get the model's files again".into()),
            };
            (0..layers).map(|layer| windowed && layer >= first).collect()
        }
    })
}

fn listed(types: &Value, layers: usize) -> Result<Vec<bool>, String> {
    let list = types.as_array().filter(|list| list.len() == layers).ok_or_else(|| {
        format!("layer_types is not a list of one word for each of the {layers} blocks; get the model's files again")
    })?;
    list.iter()
        .map(|kind| match kind.as_str() {
            Some("full_attention") => Ok(false),
            Some("sliding_attention") => Ok(true),
            _ => Err(format!("layer_types: {} is not implemented in this version; take another model", shown(kind))),
        })
        .collect()
}
