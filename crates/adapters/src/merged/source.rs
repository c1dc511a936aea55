//! The base model's files.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::shard::Shard;
use crate::adapter::CONFIG;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};
use spartui_run::files::read_bounded;

pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
const JSON_LIMIT: u64 = 256 << 20;

/// A model folder, open for reading.
#[derive(Debug)]
pub(super) struct Source {
    /// config.json.
    pub config: Map<String, Value>,
    /// The files of weights, sorted by name; the export has the same names.
    pub shards: Vec<(String, Shard)>,
    /// `metadata` of the index, for a model in more than one file.
    pub index: Option<Map<String, Value>>,
}

impl Source {
    /// Opens all files of weights; a single file takes precedence over an index.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = read_object(&folder.join(CONFIG))?;
        let (names, index) = if folder.join(SINGLE).exists() {
            ([SINGLE.to_owned()].into(), None)
        } else {
            let mut index = read_object(&folder.join(INDEX))?;
            let names = shard_names(&index).map_err(|why| refuse(&folder.join(INDEX), &why))?;
            (names, Some(index.shift_remove("metadata").and_then(into_object).unwrap_or_default()))
        };
        let open = |name: String| {
            let path = folder.join(&name);
            Shard::open(&path).map(|shard| (name, shard)).map_err(|error| refuse(&path, &error.to_string()))
        };
        let shards = names.into_iter().map(open).collect::<Result<_>>()?;
        Ok(Self { config, shards, index })
    }
}

pub(super) fn refuse(path: &Path, why: &str) -> Error {
    Error::refused(format!("{}: {}; get the model's files again", place(path), one_line(why)))
}

fn read_object(path: &Path) -> Result<Map<String, Value>> {
    let bytes = read_bounded(path, JSON_LIMIT).map_err(|error| refuse(path, &error.to_string()))?;
    let json: Value =
        serde_json::from_slice(&bytes).map_err(|error| refuse(path, &format!("it is not JSON: {error}")))?;
    into_object(json).ok_or_else(|| refuse(path, "it is no JSON object"))
}

fn into_object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

fn shard_names(index: &Map<String, Value>) -> std::result::Result<BTreeSet<String>, String> {
    let map = index.get("weight_map").and_then(Value::as_object).ok_or("there is no weight_map")?;
    map.values()
        .map(|name| {
            let name = name.as_str().ok_or("its weight_map has something else than file names")?;
            // The export uses the same names, which must not lead out of its folder.
            let mut parts = Path::new(name).components();
            let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
            if plain { Ok(name.to_owned()) } else { Err(format!("the file name {} is no plain name", quoted(name))) }
        })
        .collect()
}
