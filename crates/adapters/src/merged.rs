//! Complete models in Hugging Face layout: a base model with an adapter merged into it, or a fully fine-tuned model.

mod folder;
mod full;
mod plan;
mod product;
mod shard;
mod source;
mod values;

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

pub use folder::BaseFiles;
pub use full::write_model;
pub use product::{Change, Product};
pub(super) use shard::{Outline, Shard, write_shard};

use self::folder::{MERGED, index_bytes, metadata, put_model, refuse_to_replace_others};
use self::plan::{Origin, Planned, PlannedFile, plan};
use self::source::{INDEX, Source};
use super::adapter::{Adapter, CONFIG, HeadKind, LM_HEAD, family};
use super::adapter_config::insert_labels;
use spartui_facts::error::{Error, Result};
use spartui_facts::family::Family;
use spartui_facts::quote::{one_line, place, quoted};
use spartui_run::files::{failed, write_synced};

/// Bytes of a tensor that are in memory at a time.
const CHUNK: usize = 8 << 20;

/// Writes a complete model folder: the base model with the adapter merged into it, in the same files and dtypes.
/// Returns its size in bytes; `progress` is called with the share done.
///
/// `changes` apply to parameters without deltas. Every trained scalar becomes `w + delta`, rounded to nearest in the
/// stored dtype. A classifier's folder holds the parameters of its transformers class and no others; a language model's
/// holds all that the base model has.
///
/// # Errors
/// Refuses a base model that does not fit the adapter, and to replace a folder that holds anything but an earlier
/// export; fails where the folder cannot be written. An earlier export is left unchanged then.
pub fn write_merged(
    base: &Path,
    adapter: &Adapter,
    changes: &[Change],
    output: &Path,
    progress: &mut dyn FnMut(f32),
) -> Result<u64> {
    let head = adapter.check()?;
    let source = Source::open(base)?;
    let family = family(&Value::Object(source.config.clone()));
    check_family(base, &source, family, head)?;
    let files = plan(&source, adapter, changes, family)?;
    refuse_to_replace_others(output, Some(base))?;
    let total: usize = files.iter().flat_map(|file| &file.tensors).map(|tensor| tensor.outline.bytes()).sum();
    let mut config = config(&source.config, &adapter.labels, family);
    // The trained language model has an untied head, whatever config.json says.
    if adapter.head.is_empty() && adapter.parameters.iter().any(|(name, _)| name == LM_HEAD) {
        untie(&mut config);
    }
    let mut done = 0;
    // With the rows of new tokens, if there are any.
    if let Some(rows) = adapter.new_tokens.rows.first() {
        let shape = adapter.parameters.iter().find(|(name, _)| *name == rows.parameter).map(|(_, shape)| shape[0]);
        config["vocab_size"] = shape.into();
    }
    let files_beside = BaseFiles { folder: base, new_tokens: &adapter.new_tokens };
    put_model(output, &config, Some(files_beside), total as u64, |new| {
        for file in &files {
            write_file(new, file, &mut |bytes| {
                done += bytes;
                progress(share(done, total));
            })?;
        }
        let outlines = files.iter().map(|file| (file.name, file.tensors.iter().map(|tensor| &tensor.outline)));
        source.index.as_ref().map_or(Ok(()), |kept| {
            let path = new.join(INDEX);
            write_synced(&path, &index_bytes(kept, outlines)).map_err(failed("write", &path))
        })
    })
}

#[expect(clippy::cast_precision_loss, reason = "for display only")]
fn share(done: usize, total: usize) -> f32 {
    done as f32 / total.max(1) as f32
}

fn check_family(base: &Path, source: &Source, family: Option<&Family>, head: &HeadKind) -> Result<()> {
    if head.parts.is_empty() || family.is_some_and(|family| family.takes(&head.names())) {
        return Ok(());
    }
    let model_type = source.config.get("model_type").and_then(Value::as_str).unwrap_or("(none)");
    Err(Error::refused(format!(
        "{}: the adapter's head ({}) is not one of model_type {}; give the base model that the adapter was made for",
        place(&base.join(CONFIG)),
        head.parts[0].parameter,
        quoted(model_type)
    )))
}

/// The base model's config.json, edited for the trained model: a classifier with these labels, or a language model
/// where there are none.
#[must_use]
pub fn trained_config(base: &Map<String, Value>, labels: &[String]) -> Value {
    config(base, labels, family(&Value::Object(base.clone())))
}

fn config(base: &Map<String, Value>, labels: &[String], family: Option<&Family>) -> Value {
    let mut config = base.clone();
    let classifies = !labels.is_empty();
    if let Some(class) = family.and_then(|family| if classifies { family.classifier } else { family.causal }) {
        config.insert("architectures".into(), json!([class]));
    }
    if classifies {
        insert_labels(&mut config, labels);
    }
    Value::Object(config)
}

/// Sets `tie_word_embeddings` to false in a configuration where it is true, explicitly or by the family's default.
pub fn untie(config: &mut Value) {
    const TIED: &str = "tie_word_embeddings";
    // The family's default where the key is missing.
    let by_default = family(config).and_then(Family::decoder).is_some_and(|decoder| decoder.tied);
    if config.get(TIED).and_then(Value::as_bool).unwrap_or(by_default) {
        config[TIED] = false.into();
    }
}

fn write_file(folder: &Path, file: &PlannedFile<'_>, done: &mut dyn FnMut(usize)) -> Result<()> {
    let path = folder.join(file.name);
    let outlines: Vec<Outline> = file.tensors.iter().map(|tensor| tensor.outline.clone()).collect();
    let metadata = metadata(file.shard.metadata.clone(), MERGED);
    write_shard(&path, &metadata, &outlines, |number, to| write_tensor(&file.tensors[number], &path, to, done))
}

fn write_tensor(tensor: &Planned<'_>, path: &Path, to: &mut dyn Write, done: &mut dyn FnMut(usize)) -> Result<()> {
    let Outline { name, dtype, .. } = &tensor.outline;
    let out_of_range = |scalar: usize| {
        Error::failed(format!(
            "number {scalar} of {} leaves the range of {dtype}; train with a lower optimizer.learning_rate",
            one_line(name)
        ))
    };
    match &tensor.origin {
        Origin::Head(part) => {
            let trained = part.init.iter().zip(&part.deltas).map(|(init, delta)| init + delta);
            let bytes = values::cast(trained, *dtype).map_err(out_of_range)?;
            to.write_all(&bytes).map_err(failed("write", path))?;
            done(bytes.len());
        }
        Origin::Base { shard, place, delta, change, added } => {
            let new = added.map_or(0, |rows| rows.init.len() * dtype.bitsize() / 8);
            let stored = tensor.outline.bytes() - new;
            let mut chunk = vec![0; CHUNK.min(stored)];
            let mut from = 0;
            while from < stored {
                let chunk_len = chunk.len().min(stored - from);
                let bytes = &mut chunk[..chunk_len];
                let unread = |error: io::Error| source::refuse(&shard.path, &error.to_string());
                shard.read_at(place + from as u64, bytes).map_err(unread)?;
                let first = from * 8 / dtype.bitsize();
                if let Some(delta) = delta {
                    values::add(bytes, *dtype, first, delta).map_err(out_of_range)?;
                }
                if let Some(change) = change {
                    change.apply(bytes, *dtype, first).map_err(out_of_range)?;
                }
                to.write_all(bytes).map_err(failed("write", path))?;
                from += chunk_len;
                done(chunk_len);
            }
            if let Some(rows) = added {
                let mut bytes = values::cast(rows.init.iter().copied(), *dtype).map_err(out_of_range)?;
                if let Some(delta) = delta {
                    values::add(&mut bytes, *dtype, stored * 8 / dtype.bitsize(), delta).map_err(out_of_range)?;
                }
                to.write_all(&bytes).map_err(failed("write", path))?;
                done(bytes.len());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
