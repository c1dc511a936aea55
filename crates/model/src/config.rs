//! config.json of a model folder, parsed into the values that the forward pass uses.

mod classifier;
mod decoder;
mod encoder;
mod keys;
mod rope;
mod switches;

use std::path::Path;

use serde_json::{Map, Value};

pub use classifier::{Outputs, Problem, labels};
pub use decoder::{Attention, Decoder, Feed, Layer, Positions};
pub use encoder::{Encoder, Start};
pub use rope::{QueryGrowth, Rope, Scaling};

use keys::Keys;
use spartui_facts::error::{Error, Result};
use spartui_facts::family::{Blocks, FAMILIES, Family};

/// The configuration of a model, from config.json.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The whole file, for exports.
    pub json: Map<String, Value>,
    /// Its family.
    pub family: &'static Family,
    /// Rows of the word embeddings.
    pub vocab_size: i64,
    /// Width of the hidden states.
    pub hidden_size: i64,
    /// Number of blocks.
    pub layers: usize,
    /// Number of attention heads.
    pub heads: i64,
    /// Longest input in tokens.
    pub max_positions: i64,
    /// Standard deviation of randomly initialized weights.
    pub initializer_range: f64,
    /// Labels of a classifier in the order of the logits; transformers' default labels where the file names none.
    pub labels: Vec<String>,
    /// `problem_type` of a classifier, if the file gives it.
    pub problem: Option<Problem>,
    /// The architecture of the blocks.
    pub architecture: Architecture,
}

/// The architecture of a model's blocks.
#[derive(Debug, Clone, PartialEq)]
pub enum Architecture {
    /// Bidirectional attention: every token attends to all tokens.
    Encoder(Encoder),
    /// Causal attention: every token attends to itself and the tokens before it.
    Decoder(Decoder),
}

impl Config {
    /// Reads config.json of a model folder.
    ///
    /// # Errors
    /// Refuses what cannot be read, a family or a switch that is not implemented, a value out of range.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let refuse = |why: String| Error::refused(format!("{}: {why}", path.display()));
        // Opening a named pipe would block.
        if path.exists() && !path.is_file() {
            return Err(refuse("is no file; get the model's files again".into()));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| {
            refuse(format!("{error}; model.path must be a folder in Hugging Face layout, with config.json in it"))
        })?;
        let json: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|error| refuse(format!("is no JSON object ({error}); get the model's files again")))?;
        Self::parse(json).map_err(refuse)
    }

    /// Reads the contents of config.json.
    ///
    /// # Errors
    /// One sentence without the file's name; see [`Config::load`].
    pub fn parse(json: Map<String, Value>) -> std::result::Result<Self, String> {
        let family = family(&json)?;
        switches::check(&json, family)?;
        let keys = Keys { json: &json, family };
        let (hidden_size, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        let layers = usize::try_from(keys.size("num_hidden_layers")?).unwrap_or(0);
        if layers > MOST_LAYERS {
            return Err(format!("num_hidden_layers {layers} is above {MOST_LAYERS}; get the model's files again"));
        }
        let architecture = match &family.blocks {
            Blocks::Decoder(of_family) => Architecture::Decoder(Decoder::parse(&keys, of_family, layers)?),
            Blocks::Encoder(of_family) => Architecture::Encoder(Encoder::parse(&keys, of_family)?),
        };
        let max_positions = match &architecture {
            Architecture::Decoder(decoder) => decoder.max_positions(keys.size("max_position_embeddings")?),
            Architecture::Encoder(encoder) => keys.size("max_position_embeddings")? - encoder.first_position,
        };
        if max_positions < 1 {
            return Err("max_position_embeddings leaves no position; get the model's files again".into());
        }
        Ok(Self {
            family,
            vocab_size: keys.size("vocab_size")?,
            hidden_size,
            layers,
            heads,
            max_positions,
            initializer_range: keys.amount_or("initializer_range", 0.02)?,
            labels: classifier::labels(&json)?,
            problem: Problem::parse(&json),
            architecture,
            json,
        })
    }

    /// Adds rows to the embeddings.
    pub fn add_rows(&mut self, count: u32) {
        if count > 0 {
            self.vocab_size += i64::from(count);
            self.json.insert("vocab_size".into(), self.vocab_size.into());
        }
    }

    /// The meaning of the logits of a classifier with `labels` labels.
    #[must_use]
    pub fn outputs(&self, labels: usize) -> Outputs {
        Outputs::of(self.problem, labels)
    }

    /// Inner width of the feed-forward layers.
    #[must_use]
    pub fn feed_width(&self) -> i64 {
        match &self.architecture {
            Architecture::Encoder(encoder) => encoder.intermediate_size,
            Architecture::Decoder(decoder) => decoder.feed.width,
        }
    }
}

/// More layers than any model has; a larger number comes from a damaged file.
const MOST_LAYERS: usize = 4096;

fn family(json: &Map<String, Value>) -> std::result::Result<&'static Family, String> {
    let name = json.get("model_type").and_then(Value::as_str).unwrap_or("(none)");
    Family::named(name).ok_or_else(|| {
        let known = FAMILIES.map(|family| family.name).join(", ");
        let name: String = name.chars().take(64).collect();
        format!("model_type \"{}\" is not supported; this version runs: {known}", name.escape_debug())
    })
}

#[cfg(test)]
mod tests;
