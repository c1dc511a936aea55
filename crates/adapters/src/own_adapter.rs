//! Adapters of methods whose tensors have no format in other programs: the method's tensors unchanged, and a file of
//! settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::adapter::refuse_part as refuse;
use super::adapter::{Adapter, AdapterFiles, CONFIG, HEADS, HeadDelta, HeadKind, finite, put_adapter};
use super::merged::trained_config;
use super::new_tokens::NewTokens;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;
use spartui_method::{Dense, OwnTensors};
use spartui_run::files::read_bounded;
use spartui_run::tensors::{NamedTensor, parse_tensors};

const SETTINGS: &str = "method.json";
const TENSORS: &str = "method.safetensors";
/// Prefix of the names of the head's parameters.
const HEAD: &str = "head.";
const SETTINGS_LIMIT: u64 = 16 << 20;
/// Largest file of an adapter, in bytes: a device or an endless file must not fill the memory.
const TENSORS_LIMIT: u64 = 64 << 30;

/// An adapter that only its own method interprets.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnAdapter {
    /// The method's name in a recipe.
    pub method: String,
    /// The base model: its folder, or its name on the hub.
    pub base: PathBuf,
    /// The base model's config.json.
    pub base_config: Value,
    /// Labels in the order of the logits; empty for a language model.
    pub labels: Vec<String>,
    /// The method's tensors and settings.
    pub learned: OwnTensors,
    /// The trained classification head: values in `init`, zero deltas.
    pub head: Vec<HeadDelta>,
}

/// The contents of `method.json`.
#[derive(Debug, Serialize, Deserialize)]
struct ConfigFile {
    method: String,
    base_model: String,
    labels: Vec<String>,
    settings: Value,
}

/// Whether a folder holds such an adapter.
pub(super) fn is_own(folder: &Path) -> bool {
    folder.join(SETTINGS).exists()
}

impl OwnAdapter {
    /// Writes the adapter's folder with the tokenizer's files and a config.json that holds the labels; an earlier
    /// adapter is replaced. Returns the size of the folder in bytes.
    ///
    /// # Errors
    /// Fails for a value that is not finite, and where the folder cannot be written; refuses to replace a folder that
    /// holds anything else. An earlier adapter is left unchanged then.
    pub fn write(&self, folder: &Path, tokenizer_folder: Option<&Path>) -> Result<u64> {
        self.learned.tensors.iter().try_for_each(|tensor| finite(&tensor.name, &tensor.values))?;
        self.head.iter().try_for_each(|part| finite(&part.parameter, &part.init))?;
        let config = trained_config(self.base_config.as_object().unwrap_or(&Map::new()), &self.labels);
        let config_file = ConfigFile {
            method: self.method.clone(),
            base_model: self.base.to_string_lossy().into_owned(),
            labels: self.labels.clone(),
            settings: self.learned.settings.clone(),
        };
        let tensors = self.tensors();
        let settings = serde_json::to_value(&config_file).map_err(|error| Error::failed(error.to_string()))?;
        let files =
            AdapterFiles { names: [SETTINGS, TENSORS], tensors: &tensors, settings: &settings, config: &config };
        put_adapter(folder, &files, tokenizer_folder)
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let own = self.learned.tensors.iter().map(|dense| {
            let shape = dense.shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
            NamedTensor::float32(&dense.name, shape, &dense.values)
        });
        let head = self.head.iter();
        let head =
            head.map(|part| NamedTensor::float32(format!("{HEAD}{}", part.parameter), part.shape.clone(), &part.init));
        own.chain(head).collect()
    }

    /// Reads an adapter, without its base model.
    ///
    /// # Errors
    /// Refuses a folder that is no such adapter, or is damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        let read = |file: &str, limit: u64| {
            read_bounded(&folder.join(file), limit).map_err(|error| refuse(folder, file, &error.to_string()))
        };
        let json = |file: &str, bytes: &[u8]| -> Result<Value> {
            serde_json::from_slice(bytes).map_err(|error| refuse(folder, file, &format!("it is not JSON: {error}")))
        };
        let config_file = json(SETTINGS, &read(SETTINGS, SETTINGS_LIMIT)?)?;
        let config_file: ConfigFile =
            serde_json::from_value(config_file).map_err(|error| refuse(folder, SETTINGS, &error.to_string()))?;
        let base_config = json(CONFIG, &read(CONFIG, SETTINGS_LIMIT)?)?;
        let tensors = parse_tensors(&read(TENSORS, TENSORS_LIMIT)?)
            .map_err(|why| refuse(folder, TENSORS, &format!("it is damaged ({why})")))?;
        let (tensors, head) =
            split_tensors(tensors, config_file.labels.len()).map_err(|why| refuse(folder, TENSORS, &why))?;
        Ok(Self {
            method: config_file.method,
            base: config_file.base_model.into(),
            base_config,
            labels: config_file.labels,
            learned: OwnTensors { settings: config_file.settings, tensors },
            head,
        })
    }

    /// A sparse adapter with the head and no deltas.
    #[must_use]
    pub fn with_head_only(&self, parameters: Vec<(String, Vec<usize>)>) -> Adapter {
        Adapter {
            base: self.base.clone(),
            base_config: self.base_config.clone(),
            labels: self.labels.clone(),
            parameters,
            deltas: Vec::new(),
            head: self.head.clone(),
            new_tokens: NewTokens::default(),
        }
    }
}

/// Splits tensors into the method's own and the head for this number of labels.
fn split_tensors(
    tensors: Vec<NamedTensor>,
    labels: usize,
) -> std::result::Result<(Vec<Dense>, Vec<HeadDelta>), String> {
    let (mut own, mut rest) = (Vec::new(), BTreeMap::new());
    for tensor in tensors {
        let name = quoted(&tensor.name);
        let values = tensor.as_float32().ok_or_else(|| format!("{name} is {:?}, not float32", tensor.dtype))?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(format!("{name} has the value {value}"));
        }
        match tensor.name.strip_prefix(HEAD) {
            Some(parameter) => _ = rest.insert(parameter.to_owned(), (tensor.shape, values)),
            None => {
                let shape =
                    tensor.shape.iter().map(|&extent| i64::try_from(extent)).collect::<std::result::Result<_, _>>();
                own.push(Dense {
                    shape: shape.map_err(|error| format!("{name}: {error}"))?,
                    name: tensor.name,
                    values,
                });
            }
        }
    }
    own.sort_by(|one: &Dense, other| one.name.cmp(&other.name));
    let is_it = |kind: &&&HeadKind| {
        kind.parts.len() == rest.len() && kind.parts.iter().all(|part| rest.contains_key(part.parameter))
    };
    let kind = HEADS.iter().find(is_it).ok_or("its head is none that is known")?;
    let parts = kind.parts.iter().filter_map(|part| Some((part, rest.get(part.parameter)?.clone())));
    let head = parts.map(|(part, (shape, init))| {
        if part.of_labels && shape.first() != Some(&labels) {
            return Err(format!("{} has the shape {shape:?}, but there are {labels} labels", part.parameter));
        }
        let deltas = vec![0.0; init.len()];
        Ok(HeadDelta { parameter: part.parameter.into(), init_key: part.init_key.into(), shape, init, deltas })
    });
    Ok((own, head.collect::<std::result::Result<_, String>>()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn adapter() -> OwnAdapter {
        let dense = |name: &str, values: &[f32]| {
            let shape = vec![i64::try_from(values.len()).unwrap()];
            Dense { name: name.into(), shape, values: values.to_vec() }
        };
        let part = |parameter: &str, init_key: &str, shape: &[usize]| {
            let init = vec![0.5; shape.iter().product()];
            let (shape, deltas) = (shape.to_vec(), vec![0.0; init.len()]);
            HeadDelta { parameter: parameter.into(), init_key: init_key.into(), shape, init, deltas }
        };
        OwnAdapter {
            method: "gates".into(),
            base: "models/base".into(),
            base_config: json!({"model_type": "bert"}),
            labels: vec!["no".into(), "yes".into()],
            learned: OwnTensors {
                settings: json!({"target": 0.4}),
                tensors: vec![dense("layer.0.gate", &[1.0, -2.0, 3.0]), dense("layer.1.gate", &[0.0])],
            },
            head: vec![part("classifier.weight", "head", &[2, 4]), part("classifier.bias", "head_bias", &[2])],
        }
    }

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adapter");
        let written = adapter();
        written.write(&path, None).unwrap();
        let read = OwnAdapter::read(&path).unwrap();
        assert_eq!(OwnAdapter { base_config: written.base_config.clone(), ..read.clone() }, written);
        assert_eq!(read.base_config["id2label"], json!({"0": "no", "1": "yes"}));
        // Once more over itself, and with another head.
        written.write(&path, None).unwrap();
        let headless = OwnAdapter { labels: Vec::new(), head: Vec::new(), ..written.clone() };
        headless.write(&path, None).unwrap();
        assert_eq!(OwnAdapter::read(&path).unwrap().head, []);
        let half = OwnAdapter { head: written.head[..1].to_vec(), ..written.clone() };
        half.write(&path, None).unwrap();
        let why = OwnAdapter::read(&path).unwrap_err();
        assert!(why.message().contains("its head is none that is known"), "{why}");
        let mut infinite = written;
        infinite.learned.tensors[0].values[1] = f32::INFINITY;
        assert!(infinite.write(&path, None).unwrap_err().message().contains("cannot be exported"));
        std::fs::write(path.join(SETTINGS), "{}").unwrap();
        assert!(OwnAdapter::read(&path).unwrap_err().message().contains("missing field"));
    }
}
