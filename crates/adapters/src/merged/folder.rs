//! The folder of an exported model.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::shard::{Outline, Shard};
use super::source::INDEX;
use crate::adapter::{CONFIG, copy_files, copy_licences_and_templates, only_known_entries, put_folder, refuse_folder};
use crate::new_tokens::NewTokens;
use spartui_facts::error::Result;
use spartui_run::TOKENIZER;
use spartui_run::files::{failed, write_synced};

const GENERATION: &str = "generation_config.json";
const A_MODEL: &str = "a model";
/// Metadata key in the header of every exported file of weights. Only folders whose files have it are replaced by an
/// export.
const EXPORT: &str = "spartui_export";
pub(super) const MERGED: &str = "merged";
pub(super) const TRAINED: &str = "trained";

/// The metadata of the header of an exported file.
pub(super) fn metadata(base: HashMap<String, String>, kind: &str) -> BTreeMap<String, String> {
    let mut metadata: BTreeMap<String, String> = base.into_iter().collect();
    metadata.entry("format".into()).or_insert_with(|| "pt".into());
    metadata.insert(EXPORT.into(), kind.into());
    metadata
}

/// Where the files beside the weights come from: tokenizer, generation settings, licences and chat templates.
#[derive(Debug, Clone, Copy)]
pub struct BaseFiles<'a> {
    /// The base model's folder.
    pub folder: &'a Path,
    /// Tokens that are added to its tokenizer.
    pub new_tokens: &'a NewTokens,
}

/// Writes a model's folder: `weights` writes the files of weights; the files beside them are copied from `base`.
pub(super) fn put_model(
    folder: &Path,
    config: &Value,
    base: Option<BaseFiles<'_>>,
    bytes: u64,
    weights: impl FnOnce(&Path) -> Result<()>,
) -> Result<u64> {
    put_folder(folder, A_MODEL, bytes, |new| {
        weights(new)?;
        let write_rest = || {
            write_synced(&new.join(CONFIG), &serde_json::to_vec_pretty(config)?)?;
            let Some(base) = base else { return Ok(()) };
            copy_files(base.folder, TOKENIZER.into_iter().chain([GENERATION]), new)?;
            base.new_tokens.add_to_tokenizer(new)?;
            copy_licences_and_templates(base.folder, new)
        };
        write_rest().map_err(failed("write the model to", folder))
    })
}

/// Refuses to replace a folder that is not an earlier export.
pub(super) fn refuse_to_replace_others(folder: &Path, base: Option<&Path>) -> Result<()> {
    let refuse = |why: &str| Err(refuse_folder(folder, A_MODEL, why));
    let is_weights = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "safetensors");
    let names =
        only_known_entries(folder, A_MODEL, |name| is_weights(name) || [CONFIG, GENERATION, INDEX].contains(&name))?;
    let is_base =
        |base: &Path| fs::canonicalize(base).is_ok_and(|base| fs::canonicalize(folder).is_ok_and(|it| it == base));
    if base.is_some_and(is_base) {
        return refuse("is the base model");
    }
    let mut weights = names.iter().filter(|name| is_weights(name)).peekable();
    if weights.peek().is_none() && names.iter().any(|name| name == CONFIG) {
        return refuse("holds a config.json, but no model that was exported here");
    }
    let exported = |name: &String| Shard::open(&folder.join(name)).is_ok_and(|it| it.metadata.contains_key(EXPORT));
    match weights.find(|name| !exported(name)) {
        None => Ok(()),
        Some(name) => refuse(&format!("holds {name}, which was not exported here")),
    }
}

/// The index file of a model in several files; `kept` is the metadata of the base model's index.
pub(super) fn index_bytes<'a, T: Iterator<Item = &'a Outline>>(
    kept: &Map<String, Value>,
    files: impl Iterator<Item = (&'a str, T)>,
) -> Vec<u8> {
    let mut weight_map = BTreeMap::new();
    let (mut scalars, mut bytes) = (0, 0);
    for (file, tensors) in files {
        for tensor in tensors {
            scalars += tensor.scalars();
            bytes += tensor.bytes();
            weight_map.insert(&tensor.name, file);
        }
    }
    let mut metadata = kept.clone();
    metadata.insert("total_size".into(), bytes.into());
    if let Some(total) = metadata.get_mut("total_parameters") {
        *total = scalars.into();
    }
    let mut text = format!("{:#}", json!({ "metadata": metadata, "weight_map": weight_map })).into_bytes();
    text.push(b'\n');
    text
}
