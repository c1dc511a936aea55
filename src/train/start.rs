//! How a classification head starts.

use tch::{Kind, Tensor};

use crate::data::{Tokenizer, quoted};
use crate::error::{Error, Result};
use crate::model::{Head, HeadKind, Model};
use crate::recipe::{HeadInit, Recipe};

/// The head that a recipe asks for, with nothing trained yet.
///
/// # Errors
/// Refuses `from_pretrained` where the model has nothing to start from, and response classes that do not tell the labels
/// apart.
pub fn starting_head(recipe: &Recipe, model: &Model, labels: &[String], tokenizer: &Tokenizer) -> Result<Head> {
    match (recipe.task.head_init, model.head_kind()) {
        (HeadInit::Random, kind) => {
            Ok(Head::random(kind, labels.len(), model.config.hidden_size, recipe.method.seed, model.device))
        }
        (HeadInit::FromPretrained, HeadKind::Score) => {
            let words = match recipe.task.response_classes.as_slice() {
                [] => labels,
                words => words,
            };
            from_language_head(model, labels, words, tokenizer)
        }
        (HeadInit::FromPretrained, _) => stored(model, labels),
    }
}

/// The rows of the language-model head that belong to the first token of each word, as the reference takes them.
fn from_language_head(model: &Model, labels: &[String], words: &[String], tokenizer: &Tokenizer) -> Result<Head> {
    let refuse = |why: String| Err(Error::refused(why));
    if words.len() != labels.len() {
        return refuse(format!(
            "task.response_classes has {} words for {} labels; give one for each label, in the order of the labels ({})",
            words.len(),
            labels.len(),
            labels.iter().take(8).map(|label| quoted(label)).collect::<Vec<_>>().join(", ")
        ));
    }
    let mut tokens: Vec<i64> = Vec::new();
    for word in words {
        let Some(&first) = tokenizer.encode_with_offsets(word, false)?.ids.first() else {
            return refuse(format!("task.response_classes: {} has no token; give another word", quoted(word)));
        };
        if let Some(same) = tokens.iter().position(|&token| token == i64::from(first)) {
            return refuse(format!(
                "task.response_classes: {} and {} begin with the same token; give words that begin differently",
                quoted(&words[same]),
                quoted(word)
            ));
        }
        tokens.push(i64::from(first));
    }
    let Some(rows) = model.language_rows()? else { return Ok(Head::none()) };
    let chosen = rows.detach().index_select(0, &Tensor::from_slice(&tokens).to_device(model.device));
    Ok(Head { kind: HeadKind::Score, tensors: vec![chosen.to_kind(Kind::Float)] })
}

/// The head that an encoder's files hold.
fn stored(model: &Model, labels: &[String]) -> Result<Head> {
    let names = model.config.labels.clone().unwrap_or_default();
    let head = model.stored_head().ok_or_else(|| {
        Error::refused("task.head_init = \"from_pretrained\": the model has no classification head; take \"random\"")
    })?;
    if names != labels {
        let shown = |names: &[String]| names.iter().take(8).map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        return Err(Error::refused(format!(
            "task.head_init = \"from_pretrained\": the model's head knows the labels {}, the data {}; set task.labels to the \
             model's, or take \"random\"",
            shown(&names),
            shown(labels)
        )));
    }
    Ok(head)
}
