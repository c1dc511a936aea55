//! The configuration of decoders. The families differ in these values only: one forward pass serves all.

use serde_json::Value;

use super::classifier::padding;
use super::keys::{Keys, shown};
use super::rope::Rope;
use spartui_facts::family::{
    self, Activation, Biases, Cap, HeadWidth, KvHeads, Parallel, QueryKeyNorm, Scale, Windows,
};

/// The configuration of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    /// The properties of its family.
    pub family: &'static family::Decoder,
    /// The attention layers.
    pub attention: Attention,
    /// The feed-forward layers.
    pub feed: Feed,
    /// Whether attention and feed-forward part of a block have the same input.
    pub parallel: bool,
    /// Epsilon of the norms.
    pub norm_eps: f64,
    /// Factor of the embeddings, rounded to the type of the weights.
    pub embedding_scale: Option<f64>,
    /// The factors of Granite.
    pub multipliers: Multipliers,
    /// Position embeddings.
    pub positions: Positions,
    /// The blocks, one by one.
    pub layers: Vec<Layer>,
    /// Logits z of the vocabulary become `cap * tanh(z / cap)`.
    pub logit_cap: Option<f64>,
    /// Whether the language-model head is tied to the word embeddings. The files may contradict config.json: see
    /// `model::tie`.
    pub tied: bool,
    /// Id of the padding token: a classifier reads the last token that is not padding.
    pub padding: Option<i64>,
}

/// The configuration of the attention layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// Number of key/value heads.
    pub kv_heads: i64,
    /// Width of a head.
    pub head_dim: i64,
    /// Whether queries, keys and values have biases.
    pub bias: bool,
    /// Whether the output projection has a bias.
    pub output_bias: bool,
    /// The norm of queries and keys.
    pub query_key_norm: QueryKeyNorm,
    /// Scores s become `cap * tanh(s / cap)`.
    pub cap: Option<f64>,
}

/// Factors of embeddings, of what is added to the hidden states, and of the logits; 1 where config.json has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multipliers {
    /// Of the embeddings.
    pub embeddings: f64,
    /// Of the outputs of attention and feed-forward part.
    pub residual: f64,
    /// Of the logits.
    pub logits: f64,
}

/// The configuration of the feed-forward layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Its inner width.
    pub width: i64,
    /// Its activation.
    pub activation: Activation,
    /// Whether its layers have biases.
    pub bias: bool,
}

/// Position embeddings.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// Learned embeddings, with this number of rows.
    Learned(i64),
    /// Rotary embeddings of queries and keys; [`Layer::rope`] is the place of a block's rotation in this list.
    Rotary(Vec<Rope>),
}

/// The configuration of one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// Sliding window: the number of tokens that a token attends to, itself included.
    pub window: Option<i64>,
    /// Index of its rotation in [`Positions::Rotary`]; none where it has none.
    pub rope: Option<usize>,
    /// Factor of the attention scores.
    pub scale: f64,
}

impl Decoder {
    pub(super) fn parse(keys: &Keys<'_>, family: &'static family::Decoder, layers: usize) -> Result<Self, String> {
        let (hidden, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        let attention = attention(keys, family, hidden, heads)?;
        let positions = match family.positions {
            family::Positions::Learned(_) => Positions::Learned(keys.size("max_position_embeddings")?),
            family::Positions::RotaryByWindow => {
                Positions::Rotary(Rope::by_window(keys, &family.rotary, attention.head_dim)?)
            }
            family::Positions::Rotary | family::Positions::RotaryInWindows | family::Positions::RotaryAsListed => {
                Positions::Rotary(vec![Rope::one(keys, &family.rotary, attention.head_dim)?])
            }
        };
        let rotated = rotated(keys, family.positions, layers)?;
        let kinds = kinds(keys, family.windows, &rotated)?;
        let window = window(keys, family.windows)?;
        let layers = kinds.iter().enumerate().map(|(layer, &sliding)| {
            Ok(Layer {
                window: if sliding { window } else { None },
                rope: match family.positions {
                    family::Positions::RotaryByWindow => Some(usize::from(sliding)),
                    family::Positions::RotaryInWindows => sliding.then_some(0),
                    _ => rotated[layer].then_some(0),
                },
                scale: scale(keys, family.scale, attention.head_dim, layer)?,
            })
        });
        let (norm_eps, default_eps) = family.norm_eps;
        Ok(Self {
            family,
            feed: feed(keys, family, hidden)?,
            parallel: match family.parallel {
                Parallel::Never => false,
                Parallel::Always => true,
                Parallel::UnlessOff => keys.flag_or("use_parallel_residual", true)?,
            },
            multipliers: multipliers(keys, family)?,
            norm_eps: keys.amount_or(norm_eps, default_eps)?,
            #[expect(clippy::cast_precision_loss, reason = "a width is far below 2^53")]
            embedding_scale: family.scales_embeddings.then(|| (hidden as f64).sqrt()),
            layers: layers.collect::<Result<_, String>>()?,
            logit_cap: cap(keys, "final_logit_softcapping", family.logit_cap)?,
            tied: keys.flag_or("tie_word_embeddings", family.tied)?,
            padding: padding(keys.json, keys.family)?,
            attention,
            positions,
        })
    }

    /// The longest input in tokens. `given` is `max_position_embeddings`; dynamic scaling allows more.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "clamped to 2^31")]
    pub(super) fn max_positions(&self, given: i64) -> i64 {
        match &self.positions {
            Positions::Learned(rows) => *rows,
            Positions::Rotary(ropes) => {
                let growth = ropes.iter().map(Rope::longest).fold(f64::INFINITY, f64::min);
                (given as f64 * growth).clamp(1.0, f64::from(i32::MAX)) as i64
            }
        }
    }
}

fn attention(keys: &Keys<'_>, family: &family::Decoder, hidden: i64, heads: i64) -> Result<Attention, String> {
    // Null means as many as query heads; a missing key means the family's default.
    let kv_heads = match (family.kv_heads, keys.json.get("num_key_value_heads")) {
        (KvHeads::AsQueries, _) | (_, Some(Value::Null)) => heads,
        (KvHeads::GivenOrAsQueries, _) => keys.size_or("num_key_value_heads", heads)?,
        (KvHeads::GivenOr(default), _) => keys.size_or("num_key_value_heads", default)?,
    };
    let head_dim = match (family.head_width, keys.size_if("head_dim")?) {
        (HeadWidth::Even, _) | (HeadWidth::GivenOrEven, None) => {
            if hidden % heads != 0 {
                return Err(format!(
                    "hidden_size {hidden} is no multiple of num_attention_heads {heads}; get the model's files again"
                ));
            }
            hidden / heads
        }
        (_, Some(width)) | (HeadWidth::GivenOr(width), None) => width,
    };
    if heads % kv_heads != 0 {
        return Err(format!(
            "num_attention_heads {heads} is no multiple of num_key_value_heads {kv_heads}; get the model's files again"
        ));
    }
    if head_dim % 2 != 0 && !matches!(family.positions, family::Positions::Learned(_)) {
        return Err(format!("head_dim {head_dim} is odd, which rotations cannot have; get the model's files again"));
    }
    let given = |default: bool| keys.flag_or("attention_bias", default);
    let (bias, output_bias) = match family.biases {
        Biases::AsGiven => (given(false)?, given(false)?),
        Biases::QueriesKeysValues => (true, false),
        Biases::QueriesKeysValuesUnlessOff => (given(true)?, false),
        Biases::All => (true, true),
        Biases::AllUnlessOff => (given(true)?, given(true)?),
    };
    let cap = cap(keys, "attn_logit_softcapping", family.attention_cap)?;
    Ok(Attention { kv_heads, head_dim, bias, output_bias, query_key_norm: family.query_key_norm, cap })
}

fn feed(keys: &Keys<'_>, family: &family::Decoder, hidden: i64) -> Result<Feed, String> {
    let (name, default) = family.activation;
    let activation = match keys.activation(name, default)? {
        Activation::Gelu if family.gelu_is_tanh => Activation::GeluTanh,
        other => other,
    };
    let width = match family.feed_width {
        Some(times) => keys.size_or("intermediate_size", times * hidden)?,
        None => keys.size("intermediate_size")?,
    };
    Ok(Feed { width, activation, bias: keys.flag_or("mlp_bias", false)? || family.feed_bias })
}

fn multipliers(keys: &Keys<'_>, family: &family::Decoder) -> Result<Multipliers, String> {
    let given = |name: &str, default: f64| match keys.number_or(name, default)? {
        0.0 => Err(format!("{name} is 0; get the model's files again")),
        factor => Ok(factor),
    };
    let logits = match family.logit_scale {
        Some(scale) => given("logit_scale", scale)?,
        None if family.has_multipliers => 1.0 / given("logits_scaling", 1.0)?,
        None => 1.0,
    };
    if family.has_multipliers {
        let (embeddings, residual) = (given("embedding_multiplier", 1.0)?, given("residual_multiplier", 1.0)?);
        Ok(Multipliers { embeddings, residual, logits })
    } else {
        Ok(Multipliers { embeddings: 1.0, residual: 1.0, logits })
    }
}

/// The soft cap of logits or attention scores; none where there is none.
fn cap(keys: &Keys<'_>, name: &str, of_family: Cap) -> Result<Option<f64>, String> {
    let cap = match of_family {
        Cap::Never => None,
        Cap::GivenOr(default) if !keys.json.contains_key(name) => Some(default),
        Cap::GivenOr(_) | Cap::AsGiven => keys.number_if(name)?,
    };
    match cap {
        Some(cap) if cap <= 0.0 => Err(format!("{name} {cap} is not above 0; get the model's files again")),
        cap => Ok(cap),
    }
}

#[expect(clippy::cast_precision_loss, reason = "widths and layers are far below 2^53")]
fn scale(keys: &Keys<'_>, of_family: Scale, head_dim: i64, layer: usize) -> Result<f64, String> {
    let width = match of_family {
        Scale::Multiplier => return keys.number_or("attention_multiplier", 1.0),
        Scale::Scalar(default) => keys.number_or("query_pre_attn_scalar", default)?,
        Scale::HeadWidthUnlessOff if !keys.flag_or("scale_attn_weights", true)? => 1.0,
        Scale::HeadWidthUnlessOff | Scale::HeadWidth => head_dim as f64,
    };
    if width <= 0.0 {
        return Err(format!("query_pre_attn_scalar {width} is not above 0; get the model's files again"));
    }
    let divisor = if keys.flag_or("scale_attn_by_inverse_layer_idx", false)? { (layer + 1) as f64 } else { 1.0 };
    Ok(width.powf(-0.5) / divisor)
}

/// Size of the sliding window where config.json has no key for it.
const WINDOW: i64 = 4096;

/// The size of the sliding windows; none where there are none.
fn window(keys: &Keys<'_>, windows: Windows) -> Result<Option<i64>, String> {
    let default = match windows {
        Windows::Never => return Ok(None),
        Windows::Late | Windows::WithoutRotation if !keys.flag_or("use_sliding_window", false)? => return Ok(None),
        Windows::WithoutRotation => None,
        Windows::Everywhere(default) => default,
        Windows::ListedOrAll(default) => Some(default),
        Windows::Between { .. } | Windows::Late => Some(WINDOW),
    };
    if keys.json.contains_key("sliding_window") { keys.size_if("sliding_window") } else { Ok(default) }
}

/// For each block, whether it has a rotation, where that does not depend on its window.
fn rotated(keys: &Keys<'_>, positions: family::Positions, layers: usize) -> Result<Vec<bool>, String> {
    match positions {
        family::Positions::Learned(_) => return Ok(vec![false; layers]),
        family::Positions::RotaryAsListed => {}
        _ => return Ok(vec![true; layers]),
    }
    let Some(listed) = keys.get("no_rope_layers") else {
        let period = usize::try_from(keys.size_or("no_rope_layer_interval", 4)?).unwrap_or(usize::MAX);
        return Ok((0..layers).map(|layer| (layer + 1) % period != 0).collect());
    };
    let marks: Option<Vec<bool>> = listed
        .as_array()
        .filter(|list| list.len() >= layers)
        .and_then(|list| list[..layers].iter().map(|mark| mark.as_i64().map(|mark| mark != 0)).collect());
    marks.ok_or_else(|| {
        format!(
            "no_rope_layers is not a list of one number for each of the {layers} blocks; get the model's files again"
        )
    })
}

/// For each block, whether it has a sliding window; `rotated`: whether it has a rotation.
fn kinds(keys: &Keys<'_>, windows: Windows, rotated: &[bool]) -> Result<Vec<bool>, String> {
    let layers = rotated.len();
    match windows {
        Windows::Never => return Ok(vec![false; layers]),
        Windows::Everywhere(_) => return Ok(vec![true; layers]),
        Windows::Between { .. } | Windows::Late | Windows::WithoutRotation | Windows::ListedOrAll(_) => {}
    }
    if let Some(types) = keys.get("layer_types") {
        return listed(types, layers);
    }
    match windows {
        Windows::ListedOrAll(_) => return Ok(vec![true; layers]),
        Windows::WithoutRotation => return Ok(rotated.iter().map(|rotated| !rotated).collect()),
        _ => {}
    }
    if let Windows::Between { key, period } = windows {
        let period = match key {
            Some(key) => keys.size_if(key)?.map_or(period, |given| usize::try_from(given).unwrap_or(period)),
            None => period,
        };
        return Ok((0..layers).map(|layer| (layer + 1) % period != 0).collect());
    }
    let windowed = keys.flag_or("use_sliding_window", false)?;
    let first = match keys.get("max_window_layers").map(Value::as_u64) {
        None => 28,
        Some(Some(first)) => usize::try_from(first).unwrap_or(usize::MAX),
        Some(None) => return Err("max_window_layers is no whole number; get the model's files again".into()),
    };
    Ok((0..layers).map(|layer| windowed && layer >= first).collect())
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
