//! The task of a model, where no recipe gives it.

use std::path::Path;

use super::tie::LM_HEAD;
use super::{Config, Weights};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::TaskKind;

/// The head of a classifier on a decoder.
const SCORE: &str = "score.weight";

/// The task of the model in a folder. An encoder classifies. The task of a decoder follows from the head in its files;
/// where they hold none or both, or no files are read, from `architectures` in config.json; else it is a language
/// model.
///
/// # Errors
/// Refuses an invalid configuration and invalid files.
pub fn task_of(folder: &Path, reads_files: bool) -> Result<TaskKind> {
    let config = Config::load(folder)?;
    if !config.family.is_decoder() {
        return Ok(TaskKind::SequenceClassification);
    }
    let weights = if reads_files { Some(Weights::load(folder, config.family)?) } else { None };
    let has = |name: &str| weights.as_ref().is_some_and(|weights| weights.contains(name));
    Ok(match (has(SCORE), has(LM_HEAD)) {
        (true, false) => TaskKind::SequenceClassification,
        (false, true) => TaskKind::CausalLm,
        _ if is_named_classifier(&config) => TaskKind::SequenceClassification,
        _ => TaskKind::CausalLm,
    })
}

fn is_named_classifier(config: &Config) -> bool {
    let names = config.json.get("architectures").and_then(|names| names.as_array());
    let classifies =
        |name: &serde_json::Value| name.as_str().is_some_and(|name| name.ends_with("ForSequenceClassification"));
    names.is_some_and(|names| names.iter().any(classifies))
}

/// Refuses files that lack the language-model head.
pub(super) fn check_language_head(weights: &Weights) -> Result<()> {
    if weights.contains(LM_HEAD) {
        return Ok(());
    }
    let file = weights.files().first().map_or_else(String::new, |file| file.display().to_string());
    let what = if weights.contains(SCORE) {
        "hold a classification head (score.weight) and no language-model head (lm_head.weight)"
    } else {
        "hold no language-model head (lm_head.weight)"
    };
    Err(Error::refused(format!(
        "{file}: the files {what}; take --task sequence-classification, or in a recipe task.kind = \"sequence-classification\""
    )))
}
