//! The settings of a classifier in config.json: labels, meaning of the logits, padding token.

use serde_json::{Map, Value};

use super::keys::{shown, whole};
use spartui_facts::family::Family;

/// The meaning of a classifier's logits, as in transformers' text-classification pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// Single-label: the softmax of the logits is the probability of each label.
    OneLabel,
    /// Multi-label: the sigmoid of each logit is the probability of its label.
    AnyLabels,
    /// Regression: the logits are the predicted numbers.
    Numbers,
}

/// `problem_type` of config.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "these are transformers' names")]
pub enum Problem {
    SingleLabelClassification,
    MultiLabelClassification,
    Regression,
}

impl Problem {
    const ALL: [(&'static str, Self); 3] = [
        ("single_label_classification", Self::SingleLabelClassification),
        ("multi_label_classification", Self::MultiLabelClassification),
        ("regression", Self::Regression),
    ];

    /// The `problem_type` of the file; an unknown name counts as none, as in transformers.
    pub(super) fn parse(json: &Map<String, Value>) -> Option<Self> {
        let name = json.get("problem_type")?.as_str()?;
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, problem)| *problem)
    }

    /// Its name in config.json.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, problem)| *problem == self).map_or("", |(name, _)| name)
    }
}

impl Outputs {
    /// The meaning of the logits for this `problem_type`, if there is one, and this number of labels.
    #[must_use]
    pub fn of(problem: Option<Problem>, labels: usize) -> Self {
        match (problem, labels) {
            (Some(Problem::Regression), _) => Self::Numbers,
            (Some(Problem::MultiLabelClassification), _) | (_, 1) => Self::AnyLabels,
            _ => Self::OneLabel,
        }
    }
}

/// More labels than any classifier has; a larger number comes from a damaged file.
const MOST_LABELS: usize = 1 << 20;

/// The labels in the order of the logits: those of `id2label`; without it `LABEL_0` and so on, `num_labels` of them, or
/// two, the default that transformers does not write. Where `id2label` and `num_labels` contradict each other,
/// `num_labels` wins.
///
/// # Errors
/// One sentence for a `num_labels` that is not a valid number.
pub fn labels(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    let named = json.get("id2label").and_then(Value::as_object).filter(|named| !named.is_empty());
    let number = json.get("num_labels").filter(|number| !number.is_null());
    let number = number.map(|number| whole("num_labels", number)).transpose()?;
    let number = number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let count = number.or(named.map(Map::len)).unwrap_or(2);
    if count > MOST_LABELS {
        return Err(format!("num_labels {count} is above {MOST_LABELS}; get the model's files again"));
    }
    let named = named.filter(|named| named.len() == count);
    let name = |id: usize| match named.and_then(|named| named.get(&id.to_string())) {
        Some(Value::String(name)) => name.clone(),
        Some(name @ (Value::Number(_) | Value::Bool(_))) => name.to_string(),
        _ => format!("LABEL_{id}"),
    };
    Ok((0..count).map(name).collect())
}

/// The id of the padding token. The family's default where the key is missing; none where it is null.
pub(super) fn padding(json: &Map<String, Value>, family: &Family) -> Result<Option<i64>, String> {
    match json.get("pad_token_id") {
        None => Ok(family.padding),
        Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| format!("pad_token_id is {}, no token id; get the model's files again", shown(value))),
    }
}
