//! `config.json` of a sparse adapter: an edited copy of the base model's.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::adapter::{HeadKind, NO_HEAD, head_of_extension};
use spartui_facts::quote::quoted;
use spartui_model::labels as default_labels;

pub(super) const BASE: &str = "sparta_pretrained_model";
const EXTENSION: &str = "sparta_extension";
const PROBLEM: &str = "problem_type";
const CLASSIFICATION: &str = "single_label_classification";

/// The parsed `config.json` of an adapter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AdapterConfig {
    pub base: String,
    pub labels: Vec<String>,
    pub head: &'static HeadKind,
    pub json: Value,
}

/// The base model's configuration, edited for an adapter.
pub(super) fn edited(base_config: &Value, base: &Path, labels: &[String], head: &HeadKind) -> Result<Value, String> {
    let mut config = base_config.as_object().cloned().ok_or("the base model's config.json is no object")?;
    config.insert(BASE.into(), base.to_string_lossy().into());
    if head.parts.is_empty() {
        config.shift_remove(PROBLEM);
    } else {
        insert_labels(&mut config, labels);
    }
    match head.extension {
        None => _ = config.shift_remove(EXTENSION),
        Some(extension) => _ = config.insert(EXTENSION.into(), extension.into()),
    }
    Ok(Value::Object(config))
}

/// Rows of the embeddings, by a configuration; 0 where it does not say.
pub(super) fn vocabulary(config: &Value) -> i64 {
    config.get("vocab_size").and_then(Value::as_i64).unwrap_or(0)
}

/// Edits a model's configuration to that of a classifier with these labels.
pub(super) fn insert_labels(config: &mut Map<String, Value>, labels: &[String]) {
    config.insert(PROBLEM.into(), CLASSIFICATION.into());
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

/// Parses a configuration; the error says what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<AdapterConfig, String> {
    let json: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    let base = json.get(BASE).and_then(Value::as_str).ok_or_else(|| format!("it has no {BASE}"))?.to_owned();
    let extension = match json.get(EXTENSION) {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_str().ok_or_else(|| unknown_extension(&value.to_string()))?),
    };
    let is_classifier = json.get(PROBLEM).is_some_and(|kind| kind == CLASSIFICATION);
    let head = match extension {
        None if !is_classifier => &NO_HEAD,
        _ => head_of_extension(extension).ok_or_else(|| unknown_extension(extension.unwrap_or_default()))?,
    };
    let labels = if head.parts.is_empty() { Vec::new() } else { labels(&json)? };
    Ok(AdapterConfig { base, labels, head, json })
}

fn unknown_extension(extension: &str) -> String {
    format!("it has the unknown {EXTENSION} {}", quoted(extension))
}

/// The labels of a configuration, in the order of the logits; without `id2label` transformers' default labels.
pub(super) fn labels(json: &Value) -> Result<Vec<String>, String> {
    let by_id = match json.get("id2label") {
        None | Some(Value::Null) => return default_labels(json.as_object().ok_or("it is no JSON object")?),
        Some(named) => named.as_object().ok_or("its id2label is no object")?,
    };
    (0..by_id.len())
        .map(|id| {
            let label = by_id.get(&id.to_string()).and_then(Value::as_str);
            label.map(str::to_owned).ok_or_else(|| format!("its id2label has no text for {id}"))
        })
        .collect()
}
