//! The file of deltas without indices.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use safetensors::Dtype;
use serde::{Deserialize, Serialize};

use super::{scalars, selected};
use crate::adapter::{HeadDelta, ParameterDelta};
use crate::merged::{Outline, Shard};
use spartui_facts::error::Result;
use spartui_facts::quote::quoted;
use spartui_run::files::failed;

/// Key in the metadata of the safetensors header.
const METADATA: &str = "sparta_keyed";
const VERSION: u32 = 1;

/// Seed and counts of the file; stored as JSON in the metadata of the safetensors header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    version: u32,
    seed: u64,
    /// The counts of all parameters below the head.
    pub parameters: BTreeMap<String, Counts>,
    /// Checksum of all indices and deltas: neither a wrong seed nor damaged deltas can be detected otherwise.
    blake3: String,
}

/// Number of scalars of a parameter, and of its deltas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    pub scalars: usize,
    pub count: usize,
}

impl Header {
    pub fn new(seed: u64, parameters: BTreeMap<String, Counts>, blake3: String) -> Self {
        Self { version: VERSION, seed, parameters, blake3 }
    }

    pub fn metadata(&self) -> BTreeMap<String, String> {
        [(METADATA.to_owned(), serde_json::json!(self).to_string())].into()
    }

    fn parse(metadata: &HashMap<String, String>) -> std::result::Result<Self, String> {
        let text = metadata.get(METADATA).ok_or_else(|| format!("its header has no {METADATA}"))?;
        let header: Self = serde_json::from_str(text).map_err(|error| format!("its header is damaged ({error})"))?;
        match header.version {
            VERSION => Ok(header),
            other => Err(format!("it is of version {other} of this format, and only {VERSION} is known")),
        }
    }
}

pub(super) fn outline(name: &str, values: usize) -> Outline {
    Outline { name: name.into(), dtype: Dtype::F32, shape: vec![values] }
}

pub(super) fn write_values(values: &[f32], to: &mut dyn Write, path: &Path) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    to.write_all(&bytes).map_err(failed("write", path))
}

/// Checksum of the names, indices and deltas of all parameters that have deltas, sorted by name, and of the head.
pub(super) fn digest<'a>(deltas: impl Iterator<Item = &'a ParameterDelta>, head: &[HeadDelta]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |name: &str, indices: &[u32], values: &[f32]| {
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(&(values.len() as u64).to_le_bytes());
        let words = indices.iter().copied().chain(values.iter().map(|value| value.to_bits()));
        hasher.update(&words.flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    };
    let mut deltas: Vec<&ParameterDelta> = deltas.filter(|delta| !delta.indices.is_empty()).collect();
    deltas.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    for delta in deltas {
        add(&delta.name, &delta.indices, &delta.deltas);
    }
    for part in head {
        add(&part.parameter, &[], &part.deltas);
    }
    hasher.finalize().to_hex().to_string()
}

/// An open file of deltas without indices.
#[derive(Debug)]
pub(crate) struct KeyedFile {
    pub header: Header,
    shard: Shard,
}

/// Opens a file of deltas without indices; the error says what is wrong with it.
pub(crate) fn read_keyed(path: &Path) -> std::result::Result<KeyedFile, String> {
    let shard = Shard::open(path).map_err(|error| error.to_string())?;
    Ok(KeyedFile { header: Header::parse(&shard.metadata)?, shard })
}

impl KeyedFile {
    /// Indices and deltas of a parameter of this name and shape.
    pub fn delta(&self, name: &str, shape: &[usize]) -> std::result::Result<ParameterDelta, String> {
        let shown = quoted(name);
        let Counts { scalars: of, count } =
            *self.header.parameters.get(name).ok_or_else(|| format!("there is nothing about {shown}"))?;
        if of != scalars(shape) || count > of {
            return Err(format!("{count} of {of} scalars of {shown} do not fit its shape {shape:?}"));
        }
        let deltas = if count == 0 { Vec::new() } else { self.values(name, count)? };
        Ok(ParameterDelta { name: name.into(), indices: selected(self.header.seed, name, of, count), deltas })
    }

    /// The deltas of a parameter all of whose scalars train.
    pub fn values(&self, name: &str, count: usize) -> std::result::Result<Vec<f32>, String> {
        let shown = quoted(name);
        let (_, info) = self
            .shard
            .tensors
            .iter()
            .find(|(stored, _)| stored == name)
            .ok_or_else(|| format!("there are no values of {shown}"))?;
        if info.dtype != Dtype::F32 || info.shape != [count] {
            return Err(format!("the values of {shown} are {:?} of {}, not {count} of F32", info.shape, info.dtype));
        }
        let (place, len) = self.shard.range(info);
        let mut bytes = vec![0; len];
        self.shard.read_at(place, &mut bytes).map_err(|error| error.to_string())?;
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(format!("{shown} has the value {value}")),
            None => Ok(values),
        }
    }

    /// All parameters with the number of their deltas.
    pub fn scalars(&self) -> Vec<(String, usize)> {
        let below = self.header.parameters.iter().map(|(name, counts)| (name.clone(), counts.count));
        let is_head = |name: &String| !self.header.parameters.contains_key(name);
        let head = self.shard.tensors.iter().filter(|(name, _)| is_head(name));
        below.chain(head.map(|(name, info)| (name.clone(), scalars(&info.shape)))).collect()
    }

    /// Compares the checksum of these indices and deltas with that of the file.
    pub fn check(&self, deltas: &[ParameterDelta], head: &[HeadDelta]) -> std::result::Result<(), String> {
        let named = |name: &String| deltas.iter().any(|delta| delta.name == *name);
        let unknown = self.header.parameters.iter().find(|(name, counts)| counts.count > 0 && !named(name));
        if let Some((name, _)) = unknown {
            return Err(format!("the model has no parameter {}", quoted(name)));
        }
        if digest(deltas.iter(), head) == self.header.blake3 {
            return Ok(());
        }
        Err("it is damaged: its positions and values have another checksum".into())
    }
}
