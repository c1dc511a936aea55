//! Low-rank adapters in the format of the Python package PEFT: written here, read in `lora::reading`.

mod reading;
mod targets;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub use reading::is_lora;
pub(super) use reading::{own_config, split_head};
pub use targets::Targets;

pub(super) use self::targets::target_modules;
use super::adapter::refuse_part as refuse;
use super::adapter::{Adapter, AdapterFiles, CONFIG, HeadDelta, family, finite, put_adapter};
use super::merged::trained_config;
use super::new_tokens::NewTokens;
use spartui_facts::error::Result;
use spartui_facts::family::Family;
use spartui_method::Factors;
use spartui_run::tensors::NamedTensor;

pub(super) const SETTINGS: &str = "adapter_config.json";
pub(super) const FACTORS: &str = "adapter_model.safetensors";
/// PEFT's prefix of the names of modules.
pub(super) const PREFIX: &str = "base_model.model.";
const DOWN: &str = ".lora_A.weight";
const UP: &str = ".lora_B.weight";
const MAGNITUDE: &str = ".lora_magnitude_vector";

/// A low-rank adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraAdapter {
    /// The base model: its folder, or its name on the hub.
    pub base: PathBuf,
    /// The base model's config.json; an empty object where the adapter does not contain it.
    pub base_config: Value,
    /// Labels in the order of the logits; empty for a language model, and where the adapter does not hold them.
    pub labels: Vec<String>,
    /// Its hyperparameters.
    pub settings: LoraSettings,
    /// The factors of each adapted layer, by the name of its weight.
    pub layers: Vec<(String, Factors)>,
    /// The trained classification head: values in `init`, zero deltas.
    pub head: Vec<HeadDelta>,
    /// Parameters of other modules in `modules_to_save`, which replace those of the base model. No method here trains
    /// such, so they are only read.
    pub saved: Vec<Saved>,
    /// The target modules of its configuration; set for adapters that were read.
    pub targets: Targets,
}

/// A parameter of the base model that an adapter replaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// Its name in the model.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// The hyperparameters of a low-rank adapter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoraSettings {
    /// The rank of layers without one of their own.
    pub rank: usize,
    /// Alpha of layers without one of their own; alpha divided by the rank is the factor of the product.
    pub alpha: f64,
    /// Dropout probability of a layer's input in training.
    pub dropout: f64,
    /// Whether alpha is divided by the root of the rank (`rsLoRA`).
    pub by_root: bool,
    /// Whether the magnitudes of the weights' rows train (`DoRA`).
    pub magnitudes: bool,
}

impl LoraSettings {
    /// The factor of a product of this rank and alpha.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rank is small")]
    pub fn scale(&self, rank: usize, alpha: f64) -> f64 {
        let rank = rank.max(1) as f64;
        alpha / if self.by_root { rank.sqrt() } else { rank }
    }
}

impl LoraAdapter {
    /// Whether this program wrote it: then it contains an edited copy of the base model's config.json.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.base_config.as_object().is_some_and(|config| !config.is_empty())
    }

    /// The layers of a model, by the names of their weights, that the adapter targets and has no factors for.
    #[must_use]
    pub fn missing<'a>(&self, layers: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let has = |weight: &str| self.layers.iter().any(|(name, _)| name == weight);
        layers.filter(|weight| self.targets.contains(module(weight)) && !has(weight)).collect()
    }

    /// Writes the adapter's folder with the tokenizer's files and a config.json that holds the labels; an earlier
    /// adapter is replaced. `modules` holds the names of the weights of all the model's layers. Returns the size of the
    /// folder in bytes.
    ///
    /// # Errors
    /// Fails for a value that is not finite, and where the folder cannot be written; refuses to replace a folder that
    /// holds anything else. An earlier adapter is left unchanged then.
    pub fn write(&self, folder: &Path, modules: &[&str], tokenizer_folder: Option<&Path>) -> Result<u64> {
        self.check()?;
        let settings = self.settings_json(modules);
        let config = trained_config(self.base_config.as_object().unwrap_or(&serde_json::Map::new()), &self.labels);
        let tensors = self.tensors();
        let files =
            AdapterFiles { names: [SETTINGS, FACTORS], tensors: &tensors, settings: &settings, config: &config };
        put_adapter(folder, &files, tokenizer_folder)
    }

    fn check(&self) -> Result<()> {
        for (name, factors) in &self.layers {
            finite(name, &factors.down)?;
            finite(name, &factors.up)?;
            finite(name, factors.magnitude.as_deref().unwrap_or_default())?;
        }
        self.head.iter().try_for_each(|part| finite(&part.parameter, &part.init))
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = Vec::new();
        for (name, factors) in &self.layers {
            let rank = factors.rank.max(1);
            let mut add = |what: &str, shape: Vec<usize>, values: &[f32]| {
                tensors.push(NamedTensor::float32(format!("{PREFIX}{}{what}", module(name)), shape, values));
            };
            add(DOWN, vec![rank, factors.down.len() / rank], &factors.down);
            add(UP, vec![factors.up.len() / rank, rank], &factors.up);
            if let Some(magnitude) = &factors.magnitude {
                add(MAGNITUDE, vec![magnitude.len()], magnitude);
            }
        }
        let head = self.head.iter();
        let head = head
            .map(|part| NamedTensor::float32(format!("{PREFIX}{}", part.parameter), part.shape.clone(), &part.init));
        tensors.extend(head);
        tensors
    }

    /// `adapter_config.json`, as all versions of PEFT since 0.11 read it.
    fn settings_json(&self, modules: &[&str]) -> Value {
        let LoraSettings { rank, alpha, dropout, by_root, magnitudes } = self.settings;
        let adapted: Vec<&str> = self.layers.iter().map(|(name, _)| module(name)).collect();
        let all: Vec<&str> = modules.iter().map(|name| module(name)).collect();
        let mut heads: Vec<&str> = self.head.iter().map(|part| saved_module(&part.parameter)).collect();
        heads.dedup();
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
        let alpha = if alpha.fract() == 0.0 { json!(alpha as i64) } else { json!(alpha) };
        json!({
            "alpha_pattern": {},
            "auto_mapping": null,
            "base_model_name_or_path": self.base.to_string_lossy(),
            "bias": "none",
            "fan_in_fan_out": family(&self.base_config).and_then(Family::decoder).is_some_and(|decoder| decoder.transposed),
            "inference_mode": true,
            "init_lora_weights": true,
            "layers_pattern": null,
            "layers_to_transform": null,
            "lora_alpha": alpha,
            "lora_dropout": dropout,
            "modules_to_save": if heads.is_empty() { Value::Null } else { json!(heads) },
            "peft_type": "LORA",
            "r": rank,
            "rank_pattern": {},
            "revision": null,
            "target_modules": target_modules(&adapted, &all),
            "task_type": if self.head.is_empty() { "CAUSAL_LM" } else { "SEQ_CLS" },
            "use_dora": magnitudes,
            "use_rslora": by_root,
        })
    }

    /// A sparse adapter with the head and no deltas.
    #[must_use]
    pub fn with_head_only(&self, parameters: Vec<(String, Vec<usize>)>, labels: Vec<String>) -> Adapter {
        Adapter {
            base: self.base.clone(),
            base_config: self.base_config.clone(),
            labels,
            parameters,
            deltas: Vec::new(),
            head: self.head.clone(),
            new_tokens: NewTokens::default(),
        }
    }
}

/// The module in `modules_to_save` that contains a parameter of a head.
pub(super) fn saved_module(parameter: &str) -> &str {
    let mut parts = parameter.split('.');
    match (parts.next(), parts.next()) {
        (Some("bert"), Some(inner)) => inner,
        (first, _) => first.unwrap_or(parameter),
    }
}

/// The module that a weight belongs to.
pub(super) fn module(weight: &str) -> &str {
    weight.strip_suffix(".weight").unwrap_or(weight)
}
