//! A healthy folder with models, adapters, rows and recipes, and ways to spoil it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::case::Spoil;

const CHAT: &str = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}\
                    {% if add_generation_prompt %}assistant: {% endif %}";

/// `model` is an encoder with a head, `lm` a decoder with a chat template, `causal` and `classes` are adapters of it.
pub struct Folder(TempDir);

impl Folder {
    pub fn healthy() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let copies = [
            ("bert-a", "model", &["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"][..]),
            (
                "sparta_adapter/model",
                "lm",
                &[
                    "config.json",
                    "generation_config.json",
                    "model.safetensors",
                    "tokenizer.json",
                    "tokenizer_config.json",
                ],
            ),
            ("sparta_adapter/causal", "causal", &["config.json", "sparse_deltas.safetensors"]),
            (
                "sparta_adapter/classification",
                "classes",
                &["config.json", "sparse_deltas.safetensors", "head_init.safetensors"],
            ),
        ];
        for (source, name, files) in copies {
            std::fs::create_dir(folder.at(name)).unwrap();
            for file in files {
                std::fs::copy(golden(source).join(file), folder.at(name).join(file)).unwrap();
            }
        }
        folder.write("lm/chat_template.jinja", CHAT);
        folder.write(
            "train.jsonl",
            lines((0..24).map(|row| json!({"text": "late parcel", "label": (["a", "b"][row % 2])}))),
        );
        folder.write("known.jsonl", lines([json!({"text": "late", "label": "other"})]));
        let turns = json!([{"role": "user", "content": "the rain"}, {"role": "assistant", "content": "the sun"}]);
        folder.write("chat.jsonl", lines((0..8).map(|_| json!({"messages": turns}))));
        let data = "validation = 0.25\nmax_length = 32\nbad_rows = \"fail\"\n[method]\nsparsity = 0.9\n[train]\nmax_steps = 1\n";
        folder.write("recipe.toml", format!("[model]\npath = \"model\"\n[data]\ntrain = \"train.jsonl\"\n{data}"));
        folder.write(
            "chat.toml",
            format!("[model]\npath = \"lm\"\n[task]\nkind = \"causal-lm\"\n[data]\ntrain = \"chat.jsonl\"\n{data}"),
        );
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, file: &str, contents: impl AsRef<[u8]>) {
        let path = self.at(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Some file systems wait for the disk where an old file is written over.
        _ = std::fs::remove_file(&path);
        std::fs::write(path, contents).unwrap();
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.at(file)).unwrap()
    }

    pub fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&self.read(file)).unwrap()
    }

    /// Names of what lies in it.
    pub fn entries(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub fn lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().flat_map(|row| [row.to_string(), "\n".into()]).collect()
}

pub fn nothing() -> Spoil {
    Box::new(|_| {})
}

pub fn write(file: impl Into<String>, contents: impl Into<Vec<u8>>) -> Spoil {
    let (file, contents) = (file.into(), contents.into());
    Box::new(move |folder| folder.write(&file, &contents))
}

pub fn remove(file: &'static str) -> Spoil {
    Box::new(move |folder| std::fs::remove_file(folder.at(file)).unwrap())
}

/// Puts a folder in the place of a file.
pub fn folder_for(file: &'static str) -> Spoil {
    Box::new(move |folder| {
        std::fs::remove_file(folder.at(file)).unwrap();
        std::fs::create_dir(folder.at(file)).unwrap();
    })
}

/// Puts a pipe, which would be read for ever, in the place of a file.
pub fn pipe_for(file: &'static str) -> Spoil {
    Box::new(move |folder| {
        std::fs::remove_file(folder.at(file)).unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.at(file)).status().unwrap();
        assert!(made.success());
    })
}

pub fn rename(from: &'static str, to: &'static str) -> Spoil {
    Box::new(move |folder| std::fs::rename(folder.at(from), folder.at(to)).unwrap())
}

/// Leaves the first `share` of a file, in hundredths.
pub fn cut(file: &'static str, share: usize) -> Spoil {
    Box::new(move |folder| {
        let bytes = folder.read(file);
        folder.write(file, &bytes[..bytes.len() * share / 100]);
    })
}

/// Gives the place that a JSON pointer names another value.
pub fn set(file: &'static str, pointer: &str, value: Value) -> Spoil {
    let pointer = pointer.to_owned();
    Box::new(move |folder| {
        let mut json = folder.json(file);
        put(&mut json, &pointer, Some(value.clone()));
        folder.write(file, json.to_string());
    })
}

pub fn unset(file: &'static str, pointer: &str) -> Spoil {
    let pointer = pointer.to_owned();
    Box::new(move |folder| {
        let mut json = folder.json(file);
        put(&mut json, &pointer, None);
        folder.write(file, json.to_string());
    })
}

/// Changes, adds or (none) takes away what a JSON pointer names.
pub fn put(json: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (json.pointer_mut(parent), value) {
        (Some(Value::Object(map)), Some(value)) => _ = map.insert(key, value),
        (Some(Value::Object(map)), None) => _ = map.shift_remove(&key),
        (Some(Value::Array(list)), value) => {
            let at: usize = key.parse().unwrap();
            match value {
                Some(value) => list[at] = value,
                None => _ = list.remove(at),
            }
        }
        _ => panic!("there is no {pointer}"),
    }
}

/// Changes header and data of a safetensors file.
pub fn tensors(
    file: &'static str,
    change: impl Fn(&mut Map<String, Value>, &mut Vec<u8>) + Send + Sync + 'static,
) -> Spoil {
    Box::new(move |folder| {
        let bytes = folder.read(file);
        let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        let mut header: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let mut data = bytes[8 + length..].to_vec();
        change(&mut header, &mut data);
        let header = Value::Object(header).to_string();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        folder.write(file, bytes);
    })
}

/// Where a tensor's data begins.
pub fn start(header: &Map<String, Value>, name: &str) -> usize {
    usize::try_from(header[name]["data_offsets"][0].as_u64().unwrap()).unwrap()
}
