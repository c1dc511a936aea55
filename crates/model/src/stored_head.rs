//! The classification head in a model's files.

use tch::{Device, Kind};

use super::config::{Architecture, Problem, Start};
use super::{Config, Head, HeadKind, Weights};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::TaskKind;

/// The kind of head of a model for a task.
pub(super) fn kind(config: &Config, task: TaskKind) -> HeadKind {
    match task {
        TaskKind::CausalLm => HeadKind::None,
        TaskKind::SequenceClassification if lacks_pooler(config) => HeadKind::PoolerTanh,
        TaskKind::SequenceClassification => config.family.head,
    }
}

fn lacks_pooler(config: &Config) -> bool {
    matches!(&config.architecture, Architecture::Encoder(encoder) if encoder.start == Start::FreshPooler)
}

/// Sets [`Start::FreshPooler`] in the configuration where the files of a BERT have no pooler. Returns the warning for
/// that.
pub(super) fn detect_missing_pooler(weights: &Weights, prefix: &str, config: &mut Config) -> Option<String> {
    let Architecture::Encoder(encoder) = &mut config.architecture else { return None };
    let name = "pooler.dense.weight";
    if encoder.start != Start::Pooler || weights.contains(name) || weights.contains(&format!("{prefix}{name}")) {
        return None;
    }
    encoder.start = Start::FreshPooler;
    Some(format!(
        "the files hold no pooler ({prefix}{name}): a fresh one is made, which trains with the classification head"
    ))
}

/// The head stored in the files, if all of its tensors are there.
pub(super) fn read(weights: &Weights, config: &Config, task: TaskKind, device: Device) -> Result<Option<Head>> {
    let kind = kind(config, task);
    if kind.names().is_empty() || !kind.names().iter().all(|name| weights.contains(name)) {
        return Ok(None);
    }
    let labels = config.labels.len();
    if labels == 1 && config.problem == Some(Problem::SingleLabelClassification) {
        return Err(Error::refused(
            "config.json has one label and problem_type \"single_label_classification\", which needs two; set problem_type to \
             \"regression\"",
        ));
    }
    let shapes = kind.shapes(labels.cast_signed() as i64, config.hidden_size);
    let tensors = kind.names().iter().zip(shapes);
    let tensors = tensors.map(|(name, shape)| weights.get(name, &shape, Some(Kind::Float), device));
    Ok(Some(Head { kind, tensors: tensors.collect::<Result<_>>()? }))
}
