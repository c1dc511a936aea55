//! config.json of a BERT-family encoder.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What config.json says about an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The whole file, for exports.
    pub json: Map<String, Value>,
    /// `model_type`.
    pub family: String,
    /// Rows of the word embeddings.
    pub vocab_size: i64,
    /// Width.
    pub hidden_size: i64,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: i64,
    /// Width inside the feed-forward layer.
    pub intermediate_size: i64,
    /// Longest input in tokens.
    pub max_positions: i64,
    /// Rows of the token-type embeddings.
    pub token_types: i64,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Labels in the order of the logits, if the file names any.
    pub labels: Option<Vec<String>>,
}

/// Activation of the feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// With the error function.
    Gelu,
    /// With the hyperbolic tangent.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// x times its sigmoid.
    Silu,
}

/// Switches of config.json that change the numbers and must have the value given here, if they are there.
const SWITCHES: &[(&str, Switch)] = &[
    ("position_embedding_type", Switch::Word("absolute")),
    ("is_decoder", Switch::Off),
    ("add_cross_attention", Switch::Off),
];

#[derive(Clone, Copy)]
enum Switch {
    Off,
    Word(&'static str),
}

impl Switch {
    fn allows(self, value: &Value) -> bool {
        match self {
            Self::Off => value == &Value::Bool(false),
            Self::Word(word) => value.as_str() == Some(word),
        }
    }
}

impl Config {
    /// Reads config.json of a model folder.
    ///
    /// # Errors
    /// Refuses what cannot be read, an architecture that is not implemented, a value out of range.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let refuse = |why: String| Error::refused(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| {
            refuse(format!("{error}; model.path must be a folder in Hugging Face layout, with config.json in it"))
        })?;
        let json: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|error| refuse(format!("is no JSON object ({error}); get the model's files again")))?;
        Self::parse(json).map_err(refuse)
    }

    fn parse(json: Map<String, Value>) -> std::result::Result<Self, String> {
        let family = json.get("model_type").and_then(Value::as_str).unwrap_or("(none)").to_owned();
        if family != "bert" {
            return Err(format!("model_type \"{}\" is not supported; this version runs: bert", family.escape_debug()));
        }
        for (name, expected) in SWITCHES {
            if let Some(value) = json.get(*name).filter(|value| !value.is_null() && !expected.allows(value)) {
                return Err(format!("{name} = {value} is not implemented in this version; take another model"));
            }
        }
        let size = |name: &str| {
            json.get(name)
                .and_then(Value::as_i64)
                .filter(|size| (1..1 << 31).contains(size))
                .ok_or_else(|| format!("{name} is missing or no whole number above 0; get the model's files again"))
        };
        let config = Self {
            family,
            vocab_size: size("vocab_size")?,
            hidden_size: size("hidden_size")?,
            layers: usize::try_from(size("num_hidden_layers")?).unwrap_or(0),
            heads: size("num_attention_heads")?,
            intermediate_size: size("intermediate_size")?,
            max_positions: size("max_position_embeddings")?,
            token_types: size("type_vocab_size").unwrap_or(2),
            layer_norm_eps: json.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(1e-12),
            activation: activation(json.get("hidden_act").and_then(Value::as_str).unwrap_or("gelu"))?,
            labels: labels(&json),
            json,
        };
        if config.hidden_size % config.heads != 0 {
            return Err(format!(
                "hidden_size {} is no multiple of num_attention_heads {}; get the model's files again",
                config.hidden_size, config.heads
            ));
        }
        Ok(config)
    }
}

fn activation(name: &str) -> std::result::Result<Activation, String> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        "silu" | "swish" => Ok(Activation::Silu),
        other => Err(format!(
            "hidden_act \"{}\" is not implemented; known: gelu, gelu_new, relu, silu",
            other.escape_debug()
        )),
    }
}

fn labels(json: &Map<String, Value>) -> Option<Vec<String>> {
    let by_id = json.get("id2label")?.as_object()?;
    (0..by_id.len()).map(|id| by_id.get(&id.to_string())?.as_str().map(str::to_owned)).collect()
}
