//! Sparse adapters in the format of the Python package peft-sparta: written here, read in `adapter_reading`.

mod families;
mod folder;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, View};

pub(super) use families::{HEADS, HeadKind, LM_HEAD, NO_HEAD, family, head_kind, head_of_extension};
pub use families::{HeadPart, head_parts};
pub(super) use folder::{AdapterFiles, put_adapter, refuse_part, refuse_to_replace_others};
pub(super) use folder::{copy_files, copy_licences_and_templates, only_known_entries, put_folder, refuse_folder};

use super::adapter_config::edited;
use super::new_tokens::{NewTokens, ROWS};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::one_line;
use spartui_run::TOKENIZER;
use spartui_run::files::{failed, write_synced};
use spartui_run::tensors::{NamedTensor, write_tensors};

pub(super) const DELTAS: &str = "sparse_deltas.safetensors";
pub(super) const HEAD: &str = "head_init.safetensors";
pub(super) const CONFIG: &str = "config.json";
/// The index-free form of the deltas.
pub(super) const KEYED: &str = "sparta_keyed.safetensors";
const AN_ADAPTER: &str = "an adapter";

/// A sparse adapter: deltas of single scalars, and the head.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// The base model: its folder, or its name on the hub.
    pub base: PathBuf,
    /// The base model's config.json.
    pub base_config: serde_json::Value,
    /// Labels in the order of the logits.
    pub labels: Vec<String>,
    /// All parameters of the base model with their shapes, also those without deltas. The head may be among them.
    pub parameters: Vec<(String, Vec<usize>)>,
    /// The deltas of the base model's parameters; at most one entry for each parameter.
    pub deltas: Vec<ParameterDelta>,
    /// The parameters of the head, as [`head_parts`] lists them for the family; none for a causal language model.
    pub head: Vec<HeadDelta>,
    /// Tokens beyond those of the base model. The matrices of the parameters have rows for them.
    pub new_tokens: NewTokens,
}

/// The deltas of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterDelta {
    /// Name of the parameter.
    pub name: String,
    /// Flat indices in row-major order, ascending.
    pub indices: Vec<u32>,
    /// The delta at each index.
    pub deltas: Vec<f32>,
}

/// A parameter of the head; all of its scalars train.
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
    /// Its deltas.
    pub deltas: Vec<f32>,
}

impl Adapter {
    /// Writes the adapter's folder with the tokenizer's files; an earlier adapter is replaced. Returns the size of the
    /// folder in bytes.
    ///
    /// # Errors
    /// Fails for a value that is not finite, and where the folder cannot be written; refuses to replace a folder that
    /// holds anything else. An earlier adapter is left unchanged then.
    pub fn write(&self, folder: &Path, tokenizer_folder: Option<&Path>) -> Result<u64> {
        self.write_with(folder, tokenizer_folder, self.bytes(3), |new| {
            write_tensors(&new.join(DELTAS), self.entries()).map_err(failed("write the adapter to", folder))
        })
    }

    /// Writes all files but that of the deltas, which `write_deltas` writes.
    pub(super) fn write_with(
        &self,
        folder: &Path,
        tokenizer_folder: Option<&Path>,
        bytes: u64,
        write_deltas: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<u64> {
        let head = self.check()?;
        let mut config = edited(&self.base_config, &self.base, &self.labels, head).map_err(Error::refused)?;
        self.new_tokens.note(&mut config);
        refuse_to_replace_others(folder, AN_ADAPTER, &[DELTAS, KEYED], &[HEAD, ROWS])?;
        put_folder(folder, AN_ADAPTER, bytes, |new| {
            write_deltas(new)?;
            let write_rest = || {
                if !self.head.is_empty() {
                    let init = |part: &HeadDelta| NamedTensor::float32(&part.init_key, part.shape.clone(), &part.init);
                    let init: Vec<NamedTensor> = self.head.iter().map(init).collect();
                    write_tensors(&new.join(HEAD), init.iter().map(|tensor| (tensor.name.as_str(), tensor)))?;
                }
                self.new_tokens.write(new)?;
                write_synced(&new.join(CONFIG), &serde_json::to_vec_pretty(&config)?)?;
                tokenizer_folder.map_or(Ok(()), |source| {
                    copy_files(source, TOKENIZER, new)?;
                    self.new_tokens.add_to_tokenizer(new)
                })
            };
            write_rest().map_err(failed("write the adapter to", folder))
        })
    }

    /// Approximate size of the files in bytes, with `numbers` numbers of 4 bytes for each scalar.
    pub(super) fn bytes(&self, numbers: usize) -> u64 {
        let scalars = self.deltas.iter().map(|delta| delta.indices.len());
        let head = self.head.iter().map(|part| 2 * part.deltas.len());
        (scalars.chain(head).sum::<usize>() * 4 * numbers) as u64
    }

    /// Checks that all parts fit each other. Returns the kind of head.
    pub(super) fn check(&self) -> Result<&'static HeadKind> {
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
        self.check_head()
    }

    fn check_head(&self) -> Result<&'static HeadKind> {
        let names: Vec<(&str, &str)> =
            self.head.iter().map(|part| (part.parameter.as_str(), part.init_key.as_str())).collect();
        let kind = head_kind(&names)
            .ok_or_else(|| Error::failed(format!("a head of {names:?} cannot be exported; please report this")))?;
        for (part, expected) in self.head.iter().zip(kind.parts) {
            let size: usize = part.shape.iter().product();
            let fits_labels = !expected.of_labels || part.shape.first() == Some(&self.labels.len());
            if part.init.len() != size || part.deltas.len() != size || !fits_labels {
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

    /// All parameters below the head, each with its shape and its deltas, if there are any. A classifier has no
    /// language-model head.
    pub(super) fn below_head(&self) -> impl Iterator<Item = (&str, &[usize], Option<&ParameterDelta>)> {
        let given: HashMap<&str, &ParameterDelta> =
            self.deltas.iter().map(|delta| (delta.name.as_str(), delta)).collect();
        let of_head = |name: &str| self.head.iter().any(|part| part.parameter == name);
        let below = move |name: &str| !of_head(name) && (self.head.is_empty() || name != LM_HEAD);
        self.parameters
            .iter()
            .filter(move |(name, _)| below(name))
            .map(move |(name, shape)| (name.as_str(), shape.as_slice(), given.get(name.as_str()).copied()))
    }

    /// The tensors of the file of deltas: indices and deltas of every parameter.
    fn entries(&self) -> Vec<(String, Entry<'_>)> {
        let base = self.below_head().map(|(name, shape, delta)| {
            let (indices, deltas) = delta.map_or((&[][..], &[][..]), |delta| (&delta.indices, &delta.deltas));
            (name, shape, Positions::Listed(indices), deltas)
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

pub(super) fn finite(name: &str, values: &[f32]) -> Result<()> {
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

/// One tensor of the file of deltas; its bytes are computed when it is written.
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
