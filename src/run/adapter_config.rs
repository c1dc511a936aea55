//! `config.json` of an adapter: the base model's own, edited.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::data::quoted;

pub(super) const BASE: &str = "sparta_pretrained_model";
const EXTENSION: &str = "sparta_extension";
/// The reference knows decoders with a `score` head only; adapters of encoders are this project's own extension.
const ENCODER: &str = "encoder";

/// Names of a head's parameters, each with its key in `head_init.safetensors`.
pub(super) type HeadNames = &'static [(&'static str, &'static str)];

pub(super) const DECODER_HEAD: HeadNames = &[("score.weight", "head")];
pub(super) const ENCODER_HEAD: HeadNames = &[("classifier.weight", "head"), ("classifier.bias", "head_bias")];

/// What an adapter says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AdapterConfig {
    pub base: String,
    pub labels: Vec<String>,
    pub head: HeadNames,
    pub json: Value,
}

/// Edits the base model's configuration.
pub(super) fn edited(base_config: &Value, base: &Path, labels: &[String], head: HeadNames) -> Result<Value, String> {
    let mut config = base_config.as_object().cloned().ok_or("the base model's config.json is no object")?;
    config.insert(BASE.into(), base.to_string_lossy().into());
    if !labels.is_empty() {
        config.insert("problem_type".into(), "single_label_classification".into());
        config.insert(
            "id2label".into(),
            labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect::<Map<_, _>>().into(),
        );
        config.insert(
            "label2id".into(),
            labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id))).collect::<Map<_, _>>().into(),
        );
        if let Some(number) = config.get_mut("num_labels") {
            *number = labels.len().into();
        }
    }
    config.remove(EXTENSION);
    if head == ENCODER_HEAD {
        config.insert(EXTENSION.into(), ENCODER.into());
    }
    Ok(Value::Object(config))
}

/// Reads a configuration, or says what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<AdapterConfig, String> {
    let json: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    let base = json.get(BASE).and_then(Value::as_str).ok_or_else(|| format!("it has no {BASE}"))?.to_owned();
    let extension = json.get(EXTENSION).filter(|extension| !extension.is_null());
    let is_classifier = json.get("problem_type").is_some_and(|kind| kind == "single_label_classification");
    let head = match extension {
        None if !is_classifier => &[],
        None => DECODER_HEAD,
        Some(Value::String(kind)) if kind == ENCODER => ENCODER_HEAD,
        Some(other) => return Err(format!("it has the unknown {EXTENSION} {}", quoted(&other.to_string()))),
    };
    let labels = if head.is_empty() { Vec::new() } else { labels(&json)? };
    Ok(AdapterConfig { base, labels, head, json })
}

fn labels(json: &Value) -> Result<Vec<String>, String> {
    let by_id = json.get("id2label").and_then(Value::as_object).ok_or("it has no id2label")?;
    (0..by_id.len())
        .map(|id| {
            let label = by_id.get(&id.to_string()).and_then(Value::as_str);
            label.map(str::to_owned).ok_or_else(|| format!("its id2label has no text for {id}"))
        })
        .collect()
}
