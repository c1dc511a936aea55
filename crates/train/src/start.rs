//! Initialization of the classification head, and of a method from an adapter.

use std::path::Path;

use tch::{Kind, Tensor};

use spartui_adapters::{HeadDelta, LoraAdapter, OwnAdapter, adapter_shape, is_lora};
use spartui_data::Tokenizer;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};
use spartui_facts::recipe::{HeadInit, Recipe};
use spartui_method::{Learned, Method, Shape};
use spartui_model::{Head, HeadKind, Model, listed};

/// The initial head of a recipe.
///
/// # Errors
/// Refuses `from_pretrained` where the model has nothing to start from, and response classes that do not tell the
/// labels apart.
pub fn starting_head(recipe: &Recipe, model: &Model, labels: &[String], tokenizer: &Tokenizer) -> Result<Head> {
    match (recipe.task.head_init, model.head_kind()) {
        (HeadInit::Random, kind) => {
            Ok(Head::random(kind, labels.len(), model.config.hidden_size, recipe.method.seed, model.device))
        }
        // A decoder that was saved as a classifier has a classification head, and often no language-model head.
        (HeadInit::FromPretrained, HeadKind::Score) if recipe.task.response_classes.is_empty() && model.has_head() => {
            stored(model, labels)
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

/// A head from the rows of the language-model head for the first token of each word, as in the reference.
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

/// The head from the model's files.
fn stored(model: &Model, labels: &[String]) -> Result<Head> {
    let names = model.config.labels.clone();
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

/// Initializes a method from the adapter of the recipe, if there is one. Returns the adapter's head, or `head` where it
/// has none.
///
/// # Errors
/// Refuses an invalid adapter, and one that does not fit model, settings or labels.
pub fn start_from_adapter(recipe: &Recipe, model: &Model, method: &mut dyn Method, head: Head) -> Result<Head> {
    let path = &recipe.method.adapter;
    if path.as_os_str().is_empty() {
        return Ok(head);
    }
    if adapter_shape(path) == Shape::Own {
        return start_from_own(recipe, path, method, head);
    }
    let refuse = |why: &str| Error::refused(format!("method.adapter {}: {why}", place(path)));
    if adapter_shape(path) == Shape::Sparse && is_lora(path) {
        return Err(refuse(
            "it holds deltas of single parameters, from which no method starts; take an adapter of LoRA, or one in the format of the method itself",
        ));
    }
    let adapter = LoraAdapter::read(path)?;
    let of_head = |name: &str| head.kind.names().contains(&name);
    let saved = adapter.saved.iter().map(|saved| saved.name.as_str());
    let saved = saved.chain(adapter.head.iter().map(|part| part.parameter.as_str()).filter(|name| !of_head(name)));
    let saved: Vec<&str> =
        if adapter.head.is_empty() || !head.tensors.is_empty() { saved.collect() } else { Vec::new() };
    if let Some(names) = listed("tensor", &saved) {
        return Err(refuse(&format!(
            "it has other values for whole modules, {names}, which this version reads to predict and does not train; take an \
             adapter without modules_to_save beside the head"
        )));
    }
    let layers = adapter.layers.into_iter().map(|(name, factors)| {
        let site = model.sites.iter().position(|site| site.name == name);
        let unknown = || {
            refuse(&format!("it adapts {}, which this model does not have, or no method here trains", one_line(&name)))
        };
        Ok((site.ok_or_else(unknown)?, factors))
    });
    let learned = Learned::LowRank(layers.collect::<Result<Vec<_>>>()?);
    method.start_from(&learned).map_err(|why| refuse(&why))?;
    head_of_adapter(path, head, &adapter.head)
}

/// As [`start_from_adapter`], for an adapter in a method's own format.
fn start_from_own(recipe: &Recipe, path: &Path, method: &mut dyn Method, head: Head) -> Result<Head> {
    let adapter = OwnAdapter::read(path)?;
    let refuse = |why: &str| Error::refused(format!("method.adapter {}: {why}", place(path)));
    let kind = recipe.method.kind.name();
    if adapter.method != kind {
        let other = quoted(&adapter.method);
        return Err(refuse(&format!("it is one of method.kind {other}, not of \"{kind}\"; take one of the same")));
    }
    method.start_from(&Learned::Own(adapter.learned)).map_err(|why| refuse(&why))?;
    head_of_adapter(path, head, &adapter.head)
}

/// The head of an adapter; `head` where the adapter has none.
fn head_of_adapter(path: &Path, head: Head, parts: &[HeadDelta]) -> Result<Head> {
    if parts.is_empty() {
        return Ok(head);
    }
    let refuse = |why: &str| Error::refused(format!("method.adapter {}: {why}", place(path)));
    let tensors = head.kind.names().iter().zip(&head.tensors).map(|(name, own)| {
        let part = parts.iter().find(|part| part.parameter == *name);
        let part = part.filter(|part| part.init.len() == own.numel());
        let part =
            part.ok_or_else(|| refuse("its head is not one for the labels of the data; set task.labels to its own"))?;
        Ok(Tensor::from_slice(&part.init).view(own.size().as_slice()).to_device(own.device()))
    });
    Ok(Head { kind: head.kind, tensors: tensors.collect::<Result<_>>()? })
}
