//! The plan of an export: the origin of each tensor.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;

use super::Change;
use super::shard::{Outline, Shard, alignment};
use super::source::{Source, refuse};
use super::values::is_float;
use crate::adapter::{Adapter, HeadDelta, LM_HEAD, ParameterDelta};
use crate::new_tokens::{NewRows, NewTokens, embeddings};
use spartui_facts::error::{Error, Result};
use spartui_facts::family::Family;
use spartui_facts::quote::quoted;

/// One tensor of the export.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub outline: Outline,
    pub origin: Origin<'a>,
}

/// The origin of a tensor's values.
#[derive(Debug)]
pub(super) enum Origin<'a> {
    /// The stored tensor, changed, and the rows that come after it.
    Base {
        shard: &'a Shard,
        place: u64,
        delta: Option<&'a ParameterDelta>,
        change: Option<&'a Change>,
        added: Option<&'a NewRows>,
    },
    Head(&'a HeadDelta),
}

/// One file of the export.
#[derive(Debug)]
pub(super) struct PlannedFile<'a> {
    pub name: &'a str,
    pub shard: &'a Shard,
    pub tensors: Vec<Planned<'a>>,
}

/// Parameters below the head, by name, with shapes and deltas.
type Parameters<'a> = HashMap<&'a str, (&'a [usize], Option<&'a ParameterDelta>)>;

/// Plans the files of the export.
///
/// Without a head, the export has every stored tensor. With one, it has the parameters of the transformers class: those
/// below the head under their full names, and the head in the last file.
pub(super) fn plan<'a>(
    source: &'a Source,
    adapter: &'a Adapter,
    changes: &'a [Change],
    family: Option<&Family>,
) -> Result<Vec<PlannedFile<'a>>> {
    let parameters: Parameters<'a> = adapter.below_head().map(|(name, shape, delta)| (name, (shape, delta))).collect();
    let new_tokens = &adapter.new_tokens;
    let mut names =
        Names { family, parameters: &parameters, changes, new_tokens, found: HashSet::new(), head_alone: false };
    names.head_alone = names.is_head_alone(source);
    let mut files = Vec::new();
    for (name, shard) in &source.shards {
        let mut tensors = Vec::new();
        for (stored, info) in &shard.tensors {
            tensors.extend(names.place(shard, stored, info, !adapter.head.is_empty())?);
        }
        files.push(PlannedFile { name, shard, tensors });
    }
    let missing = adapter
        .parameters
        .iter()
        .find(|(name, _)| parameters.contains_key(name.as_str()) && !names.found.contains(name.as_str()));
    let Some(last) = files.last_mut() else { return Err(Error::refused("the model has no files of weights")) };
    if let Some((name, _)) = missing {
        return Err(refuse(&last.shard.path, &format!("there is no tensor {} in the model", quoted(name))));
    }
    let dtype = most_common_dtype(source);
    last.tensors.extend(adapter.head.iter().map(|part| Planned {
        outline: Outline { name: part.parameter.clone(), dtype, shape: part.shape.clone() },
        origin: Origin::Head(part),
    }));
    last.tensors.sort_by_key(|tensor| alignment(&tensor.outline));
    files.retain(|file| !file.tensors.is_empty());
    Ok(files)
}

/// Resolves stored names to parameters.
struct Names<'a, 'n> {
    family: Option<&'n Family>,
    parameters: &'n Parameters<'a>,
    changes: &'a [Change],
    new_tokens: &'a NewTokens,
    found: HashSet<&'a str>,
    /// Whether the files hold the word embeddings under the name of the head that is tied to them.
    head_alone: bool,
}

impl<'a> Names<'a, '_> {
    /// The plan for a stored tensor; none for one that a classifier does not have.
    fn place(
        &mut self,
        shard: &'a Shard,
        stored: &str,
        info: &'a TensorInfo,
        has_head: bool,
    ) -> Result<Option<Planned<'a>>> {
        let parameter = self.parameter(stored);
        let name = match parameter {
            None if has_head => return Ok(None),
            Some(name) if has_head => name,
            // All versions of transformers find the word embeddings under their own name.
            Some(name) if self.is_head(stored) && self.head_alone => name,
            _ => stored,
        };
        let delta = match parameter {
            Some(parameter) => self.check(shard, stored, parameter, info)?,
            None => self.delta_of_tied_head(stored, info),
        };
        let change = self.changes.iter().find(|change| Some(change.name()) == parameter);
        if change.is_some_and(|change| !change.fits(&info.shape) || !is_float(info.dtype)) {
            return Err(refuse(&shard.path, &format!("{} does not fit what is to be added to it", quoted(stored))));
        }
        let added = match parameter {
            Some(parameter) => self.new_tokens.rows_of(parameter),
            // A stored head that repeats the tied word embeddings gets their rows too.
            None if self.is_head(stored) => {
                self.family.and_then(|family| self.new_tokens.rows_of(&embeddings(family))).filter(|_| delta.is_some())
            }
            None => None,
        };
        let mut outline = Outline { name: name.to_owned(), dtype: info.dtype, shape: info.shape.clone() };
        outline.shape.first_mut().into_iter().for_each(|rows| *rows += added.map_or(0, |added| added.shape[0]));
        let place = shard.range(info).0;
        Ok(Some(Planned { outline, origin: Origin::Base { shard, place, delta, change, added } }))
    }

    /// The parameter that is stored under this name: old checkpoints call the scale and shift of a layer norm gamma
    /// and beta, and some lack the prefix of the family's names.
    fn parameter(&self, stored: &str) -> Option<&'a str> {
        let usual = self.usual_name(stored);
        let renamed = [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]
            .into_iter()
            .find_map(|(old, new)| Some(format!("{}{new}", usual.strip_suffix(old)?)))
            .unwrap_or_else(|| usual.into_owned());
        let known = |name: &str| self.parameters.get_key_value(name).map(|(name, _)| *name);
        if self.is_head(stored) && self.head_alone {
            return known(&embeddings(self.family?));
        }
        known(&renamed).or_else(|| known(&format!("{}{renamed}", self.family?.prefix)))
    }

    fn usual_name<'s>(&self, stored: &'s str) -> Cow<'s, str> {
        self.family.map_or(Cow::Borrowed(stored), |family| family.usual_name(stored))
    }

    /// Whether the language-model head is stored under this name.
    fn is_head(&self, stored: &str) -> bool {
        self.usual_name(stored) == LM_HEAD
    }

    fn is_head_alone(&self, source: &Source) -> bool {
        let Some(family) = self.family.filter(|_| !self.parameters.contains_key(LM_HEAD)) else { return false };
        let stored = || source.shards.iter().flat_map(|(_, shard)| &shard.tensors).map(|(name, _)| name.as_str());
        stored().any(|name| self.is_head(name))
            && !stored().any(|name| self.parameter(name) == Some(embeddings(family).as_str()))
    }

    fn check(
        &mut self,
        shard: &Shard,
        stored: &str,
        parameter: &'a str,
        info: &TensorInfo,
    ) -> Result<Option<&'a ParameterDelta>> {
        let refuse = |why: String| Err(refuse(&shard.path, &format!("{} {why}", quoted(stored))));
        let (shape, delta) = self.parameters[parameter];
        if self.with_new_rows(parameter, &info.shape) != shape {
            return refuse(format!("has the shape {:?}, but the adapter is for {shape:?}", info.shape));
        }
        if delta.is_some() && !is_float(info.dtype) {
            return refuse(format!("is of type {}, which nothing can be added to", info.dtype));
        }
        if !self.found.insert(parameter) {
            return refuse("is there twice".into());
        }
        Ok(delta)
    }

    /// The deltas for a stored head that repeats the tied word embeddings; both must stay the same.
    fn delta_of_tied_head(&self, stored: &str, info: &TensorInfo) -> Option<&'a ParameterDelta> {
        let words = embeddings(self.family?);
        let (shape, delta) = self.parameters.get(words.as_str())?;
        let fits = self.with_new_rows(&words, &info.shape) == *shape;
        (self.is_head(stored) && fits && is_float(info.dtype)).then_some(*delta)?
    }

    /// The shape of a parameter that is stored with this one: with the rows of new tokens.
    fn with_new_rows(&self, parameter: &str, stored: &[usize]) -> Vec<usize> {
        let mut shape = stored.to_vec();
        let new = self.new_tokens.rows_of(parameter).map_or(0, |rows| rows.shape[0]);
        shape.first_mut().into_iter().for_each(|rows| *rows += new);
        shape
    }
}

/// The dtype of most bytes of the weights.
fn most_common_dtype(source: &Source) -> Dtype {
    let mut bytes: Vec<(Dtype, usize)> =
        [Dtype::F32, Dtype::BF16, Dtype::F16, Dtype::F64].map(|dtype| (dtype, 0)).into();
    for (_, info) in source.shards.iter().flat_map(|(_, shard)| &shard.tensors) {
        if let Some((_, sum)) = bytes.iter_mut().find(|(dtype, _)| *dtype == info.dtype) {
            *sum += info.data_offsets.1 - info.data_offsets.0;
        }
    }
    bytes.into_iter().max_by_key(|(_, sum)| *sum).map_or(Dtype::F32, |(dtype, _)| dtype)
}
