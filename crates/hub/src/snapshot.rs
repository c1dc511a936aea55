//! Whether a snapshot in the cache has the needed files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::cache::Repository;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The most bytes read of an index: that of a model with a million tensors is smaller.
const LONGEST_INDEX: u64 = 256 << 20;

/// How complete a cached model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    /// Too incomplete to load.
    TooLittle,
    /// Configuration and weights; another program may have left out the tokenizer.
    Usable,
    /// Complete. Weights are downloaded last, so that checking a few files is enough.
    Complete,
}

/// How complete a cached revision is, and its folder.
pub(super) fn held(repository: &Repository, revision: &str) -> Result<(Holding, PathBuf)> {
    let Some(commit) = repository.commit(revision) else { return Ok((Holding::TooLittle, PathBuf::new())) };
    let folder = repository.snapshot(&commit);
    let holding = if !folder.join(CONFIG).is_file() || !has_weights(&folder)? {
        Holding::TooLittle
    } else if folder.join(TOKENIZER).is_file() || repository.lacks(&commit, TOKENIZER) {
        Holding::Complete
    } else {
        Holding::Usable
    };
    Ok((holding, folder))
}

fn has_weights(folder: &Path) -> Result<bool> {
    if folder.join(WEIGHTS).is_file() {
        return Ok(true);
    }
    let index = folder.join(INDEX);
    Ok(index.is_file() && shards(&index)?.iter().all(|name| folder.join(name).is_file()))
}

/// The files in an index, each once; refused if one would be outside the folder.
pub(super) fn shards(index: &Path) -> Result<Vec<String>> {
    let refuse = |why: String| Error::refused(format!("{}: {why}; use another model or revision", place(index)));
    let mut text = String::new();
    let read = File::open(index).and_then(|file| file.take(LONGEST_INDEX).read_to_string(&mut text));
    read.map_err(|error| refuse(format!("it cannot be read ({error})")))?;
    let json: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| refuse(format!("it is no JSON ({})", one_line(&error.to_string()))))?;
    let map = json.get("weight_map").and_then(serde_json::Value::as_object);
    let map = map.filter(|map| !map.is_empty()).ok_or_else(|| refuse("it has no weight_map".into()))?;
    let mut names = BTreeSet::new();
    for (tensor, name) in map {
        let name = name.as_str().ok_or_else(|| refuse(format!("{} has no file name", quoted(tensor))))?;
        if !is_shard(name) {
            return Err(refuse(format!("{} is no safetensors file of this folder", quoted(name))));
        }
        names.insert(name.to_owned());
    }
    Ok(names.into_iter().collect())
}

fn is_shard(name: &str) -> bool {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    // `Path` components normalise parts that a comparison of names would not.
    let plain = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.')) && !name.contains(['\\', '\0']);
    inside && plain && name.ends_with(".safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        shards(file.path()).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn shards_of_an_index() {
        let text = r#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        assert_eq!(read(text).unwrap(), ["m-1.safetensors", "m-2.safetensors"]);
        assert_eq!(read(r#"{"weight_map": {"a": "sub/m.safetensors"}}"#).unwrap(), ["sub/m.safetensors"]);
    }

    #[test]
    fn an_index_that_leads_out_of_the_folder() {
        for name in [
            "../m.safetensors",
            "/etc/m.safetensors",
            "a/../../m.safetensors",
            "./m.safetensors",
            "m.bin",
            "",
            "a//m.safetensors",
            "..\\\\m.safetensors",
            ".git/m.safetensors",
        ] {
            let why = read(&format!(r#"{{"weight_map": {{"a": "{name}"}}}}"#)).unwrap_err();
            assert!(why.contains("is no safetensors file of this folder"), "{name}: {why}");
        }
    }

    #[test]
    fn a_broken_index() {
        for (text, why) in [
            ("{", "no JSON"),
            ("[]", "no weight_map"),
            (r#"{"weight_map": {}}"#, "no weight_map"),
            (r#"{"weight_map": {"a": 1}}"#, "\"a\" has no file name"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }
}
