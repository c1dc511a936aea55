//! Adapters in the format of the Python package peft-sparta: written here, read in `adapter_reading`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, View};

use super::adapter_config::{DECODER_HEAD, ENCODER_HEAD, HeadNames, edited};
use super::files::{failed, need_space, parent, settle, sibling, size_of_folder, swap_in, sync_folder, write_synced};
use super::tensors::{NamedTensor, write_tensors};
use crate::data::{one_line, place, quoted};
use crate::error::{Error, Result};

pub(super) const DELTAS: &str = "sparse_deltas.safetensors";
pub(super) const HEAD: &str = "head_init.safetensors";
pub(super) const CONFIG: &str = "config.json";
/// Copied from the model, byte for byte, where they are there.
const TOKENIZER: [&str; 11] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
];

/// What a run learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// The base model: its folder, or its name on the hub.
    pub base: PathBuf,
    /// The base model's config.json.
    pub base_config: serde_json::Value,
    /// Labels in the order of the logits.
    pub labels: Vec<String>,
    /// Every parameter of the base model with its shape, those without a delta too. The head may be among them.
    pub parameters: Vec<(String, Vec<usize>)>,
    /// What was added to scalars of the base model; at most one for each parameter.
    pub deltas: Vec<ParameterDelta>,
    /// The parameters of the head: `score.weight` of a decoder, `classifier.weight` and `classifier.bias` of an
    /// encoder.
    pub head: Vec<HeadDelta>,
}

/// What was added to scalars of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterDelta {
    /// Name of the parameter.
    pub name: String,
    /// Flat positions in row-major order, rising.
    pub indices: Vec<u32>,
    /// What was added at each.
    pub deltas: Vec<f32>,
}

/// A parameter of the head; all of it trains.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadDelta {
    /// Name of the parameter.
    pub parameter: String,
    /// Its key in `head_init.safetensors`.
    pub init_key: String,
    /// Its shape; `[labels, hidden]` for a weight.
    pub shape: Vec<usize>,
    /// Its values before training.
    pub init: Vec<f32>,
    /// What was added.
    pub deltas: Vec<f32>,
}

impl Adapter {
    /// Writes the adapter's folder, in the place of an earlier adapter if there is one, with the tokenizer's files
    /// beside it. Gives the size of the folder.
    ///
    /// # Errors
    /// Fails for a value that is not finite, and where the folder cannot be written; refuses to replace a folder that
    /// holds anything else. An earlier adapter is still there then.
    pub fn write(&self, folder: &Path, tokenizer_folder: Option<&Path>) -> Result<u64> {
        let failed = failed("write the adapter to", folder);
        let head = self.check()?;
        let config = edited(&self.base_config, &self.base, &self.labels, head).map_err(Error::refused)?;
        refuse_to_replace_others(folder)?;
        fs::create_dir_all(parent(folder)).map_err(&failed)?;
        need_space(parent(folder), self.bytes())?;
        let (new, old) = (sibling(folder, "new"), sibling(folder, "old"));
        settle(&new, folder, &old).map_err(&failed)?;
        let write = || -> io::Result<u64> {
            fs::create_dir(&new)?;
            write_tensors(&new.join(DELTAS), self.entries())?;
            if !self.head.is_empty() {
                let init = |part: &HeadDelta| NamedTensor::float32(&part.init_key, part.shape.clone(), &part.init);
                let init: Vec<NamedTensor> = self.head.iter().map(init).collect();
                write_tensors(&new.join(HEAD), init.iter().map(|tensor| (tensor.name.as_str(), tensor)))?;
            }
            write_synced(&new.join(CONFIG), &serde_json::to_vec_pretty(&config)?)?;
            if let Some(source) = tokenizer_folder {
                for name in TOKENIZER.into_iter().filter(|name| source.join(name).is_file()) {
                    write_synced(&new.join(name), &fs::read(source.join(name))?)?;
                }
            }
            sync_folder(&new)?;
            swap_in(&new, folder, &old)?;
            size_of_folder(folder)
        };
        write().map_err(|error| {
            // The error that led here is the one to tell.
            let _ = super::files::remove(&new);
            failed(error)
        })
    }

    fn bytes(&self) -> u64 {
        let scalars = self.deltas.iter().map(|delta| delta.indices.len());
        let head = self.head.iter().map(|part| 2 * part.deltas.len());
        (scalars.chain(head).sum::<usize>() * 12) as u64
    }

    /// Whether all parts fit each other; which head it is.
    fn check(&self) -> Result<HeadNames> {
        let shapes: HashMap<&str, &[usize]> =
            self.parameters.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
        for ParameterDelta { name, indices, deltas } in &self.deltas {
            let wrong = |why: &str| Error::failed(format!("the delta of {} {why}; please report this", one_line(name)));
            let shape = shapes.get(name.as_str()).ok_or_else(|| wrong("belongs to no parameter of the model"))?;
            let size: usize = shape.iter().product();
            let rising = indices.is_sorted_by(|a, b| a < b);
            if indices.len() != deltas.len() || !rising || indices.last().is_some_and(|&last| last as usize >= size) {
                return Err(wrong("has positions that do not fit the parameter"));
            }
            finite(name, deltas)?;
        }
        let names: Vec<(&str, &str)> =
            self.head.iter().map(|part| (part.parameter.as_str(), part.init_key.as_str())).collect();
        let kinds: [HeadNames; 3] = [&[], DECODER_HEAD, ENCODER_HEAD];
        let kind = kinds.into_iter().find(|kind| *kind == names);
        let kind =
            kind.ok_or_else(|| Error::failed(format!("a head of {names:?} cannot be exported; please report this")))?;
        for part in &self.head {
            let size: usize = part.shape.iter().product();
            if part.init.len() != size || part.deltas.len() != size || part.shape.first() != Some(&self.labels.len()) {
                return Err(Error::failed(format!(
                    "{} does not fit its shape or the labels; please report this",
                    part.parameter
                )));
            }
            finite(&part.parameter, &part.init)?;
            finite(&part.parameter, &part.deltas)?;
        }
        Ok(kind)
    }

    /// What goes into the file of deltas: for every parameter, where and what.
    fn entries(&self) -> Vec<(String, Entry<'_>)> {
        let given: HashMap<&str, &ParameterDelta> =
            self.deltas.iter().map(|delta| (delta.name.as_str(), delta)).collect();
        let of_head = |name: &str| self.head.iter().any(|part| part.parameter == name);
        let base = self.parameters.iter().filter(|(name, _)| !of_head(name)).map(|(name, shape)| {
            let delta = given.get(name.as_str());
            let (indices, deltas) = delta.map_or((&[][..], &[][..]), |delta| (&delta.indices, &delta.deltas));
            (name.as_str(), shape.as_slice(), Positions::Listed(indices), deltas)
        });
        let head = self.head.iter().map(|part| {
            (part.parameter.as_str(), part.shape.as_slice(), Positions::All(part.deltas.len()), part.deltas.as_slice())
        });
        base.chain(head)
            .flat_map(|(name, shape, positions, deltas)| {
                [
                    (format!("indices.{name}"), Entry::indices(positions, shape)),
                    (format!("deltas.{name}"), Entry::deltas(deltas)),
                ]
            })
            .collect()
    }
}

fn finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::failed(format!(
            "{} has the value {} (number {at}), which cannot be exported; go back to an earlier checkpoint, or train with a \
             lower optimizer.learning_rate",
            one_line(name),
            values[at]
        ))),
    }
}

/// A user may have named any folder.
fn refuse_to_replace_others(folder: &Path) -> Result<()> {
    let refuse = |why: &str| Err(Error::refused(format!("{} {why}; name a new folder for the adapter", place(folder))));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return refuse(&format!("cannot be read: {error}")),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The last is what macOS leaves in every folder that was looked at.
        if ![DELTAS, HEAD, CONFIG, ".DS_Store"].contains(&&*name) && !TOKENIZER.contains(&&*name) {
            return refuse(&format!("holds {}, which is no part of an adapter", quoted(&name)));
        }
    }
    let is_model = folder.join(CONFIG).exists() && !folder.join(DELTAS).exists();
    if is_model { refuse("holds a config.json, but no adapter") } else { Ok(()) }
}

/// One tensor of the file of deltas, made only while it is written.
enum Entry<'a> {
    Indices { positions: Positions<'a>, extents: &'a [usize], shape: [usize; 2] },
    Deltas { values: &'a [f32], shape: [usize; 1] },
}

#[derive(Clone, Copy)]
enum Positions<'a> {
    Listed(&'a [u32]),
    All(usize),
}

impl<'a> Entry<'a> {
    fn indices(positions: Positions<'a>, extents: &'a [usize]) -> Self {
        let len = match positions {
            Positions::Listed(indices) => indices.len(),
            Positions::All(len) => len,
        };
        Self::Indices { positions, extents, shape: [len, extents.len()] }
    }

    fn deltas(values: &'a [f32]) -> Self {
        Self::Deltas { values, shape: [values.len()] }
    }
}

impl View for Entry<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Indices { .. } => Dtype::I32,
            Self::Deltas { .. } => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Indices { shape, .. } => shape,
            Self::Deltas { shape, .. } => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        match self {
            Self::Deltas { values, .. } => values.iter().for_each(|value| bytes.extend(value.to_le_bytes())),
            Self::Indices { positions: Positions::Listed(indices), extents, .. } => {
                indices.iter().for_each(|&index| push_coordinates(&mut bytes, index as usize, extents));
            }
            Self::Indices { positions: Positions::All(len), extents, .. } => {
                (0..*len).for_each(|index| push_coordinates(&mut bytes, index, extents));
            }
        }
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.shape().iter().product::<usize>() * 4
    }
}

fn push_coordinates(bytes: &mut Vec<u8>, flat: usize, extents: &[usize]) {
    let start = bytes.len();
    bytes.resize(start + 4 * extents.len(), 0);
    let mut rest = flat;
    for (place, &extent) in bytes[start..].as_chunks_mut::<4>().0.iter_mut().zip(extents).rev() {
        // A tensor with an extent of 2^31 does not exist; an empty one has no positions.
        *place = i32::try_from(rest % extent.max(1)).unwrap_or(i32::MAX).to_le_bytes();
        rest /= extent.max(1);
    }
}

#[cfg(test)]
mod tests;
