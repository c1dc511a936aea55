//! Reading low-rank adapters: everything is checked before anything is used.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use serde_json::{Map, Value};

use super::super::adapter::{HEADS, HeadDelta, HeadKind, NO_HEAD};
use super::super::adapter_config;
use super::targets::{Targets, matches};
use super::{CONFIG, DOWN, FACTORS, LoraAdapter, LoraSettings, MAGNITUDE, PREFIX, SETTINGS, Saved, UP, refuse};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};
use spartui_method::Factors;
use spartui_run::files::read_bounded;
use spartui_run::tensors::{Dtype, NamedTensor, parse_tensors};

const CONFIG_LIMIT: u64 = 16 << 20;
/// Largest file of an adapter, in bytes: a device or an endless file must not fill the memory.
const TENSORS_LIMIT: u64 = 64 << 30;

/// Values of `init_lora_weights` that do not change the base model's weights.
const PLAIN_STARTS: [&str; 3] = ["gaussian", "orthogonal", "eva"];
/// Keys of `adapter_config.json` that are not supported and change the model.
const UNREAD: [&str; 13] = [
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_qalora",
    "velora_config",
    "lora_ga_config",
];

/// Whether a folder holds an adapter in PEFT's format.
#[must_use]
pub fn is_lora(folder: &Path) -> bool {
    folder.join(SETTINGS).exists()
}

/// The parsed `adapter_config.json`.
struct PeftConfig {
    base: String,
    settings: LoraSettings,
    ranks: Vec<(String, f64)>,
    alphas: Vec<(String, f64)>,
    targets: Targets,
}

/// The tensors of one layer.
#[derive(Default)]
struct Layer {
    down: Option<NamedTensor>,
    up: Option<NamedTensor>,
    magnitude: Option<NamedTensor>,
}

impl LoraAdapter {
    /// Reads an adapter, without its base model.
    ///
    /// # Errors
    /// Refuses a folder that is no adapter, is damaged, or uses features that are not supported.
    pub fn read(folder: &Path) -> Result<Self> {
        let bytes = read_bounded(&folder.join(SETTINGS), CONFIG_LIMIT)
            .map_err(|error| refuse(folder, SETTINGS, &error.to_string()))?;
        let config = parse_config(&bytes).map_err(|why| refuse(folder, SETTINGS, &why))?;
        let pickled = folder.join("adapter_model.bin");
        if !folder.join(FACTORS).exists() && pickled.exists() {
            return Err(Error::refused(format!(
                "{}: adapters in pickle files are not read, since such a file can run any program; save it as safetensors",
                place(&pickled)
            )));
        }
        let bytes = read_bounded(&folder.join(FACTORS), TENSORS_LIMIT)
            .map_err(|error| refuse(folder, FACTORS, &error.to_string()))?;
        let tensors =
            parse_tensors(&bytes).map_err(|why| refuse(folder, FACTORS, &format!("it is damaged ({why})")))?;
        let (layers, head, saved) = split_tensors(tensors).map_err(|why| refuse(folder, FACTORS, &why))?;
        let layers = layers.into_iter().map(|(module, layer)| {
            let factors = layer.factors(&module, &config)?;
            Ok((format!("{module}.weight"), factors))
        });
        let layers =
            layers.collect::<std::result::Result<Vec<_>, String>>().map_err(|why| refuse(folder, FACTORS, &why))?;
        if layers.is_empty() && head.is_empty() && saved.is_empty() {
            return Err(refuse(folder, FACTORS, "it holds no factors"));
        }
        let (base_config, labels) = own_config(folder)?;
        let known = head.last().and_then(|last| last.shape.first()).is_some_and(|rows| *rows == labels.len());
        Ok(Self {
            base: config.base.into(),
            base_config,
            labels: if known { labels } else { Vec::new() },
            settings: config.settings,
            layers,
            head,
            saved,
            targets: config.targets,
        })
    }
}

/// The config.json in the folder, which only adapters of this program have, and its labels.
pub fn own_config(folder: &Path) -> Result<(Value, Vec<String>)> {
    if !folder.join(CONFIG).exists() {
        return Ok((Value::Object(Map::new()), Vec::new()));
    }
    let bytes =
        read_bounded(&folder.join(CONFIG), CONFIG_LIMIT).map_err(|error| refuse(folder, CONFIG, &error.to_string()))?;
    let json: Value =
        serde_json::from_slice(&bytes).map_err(|error| refuse(folder, CONFIG, &format!("it is not JSON: {error}")))?;
    let says = ["id2label", "num_labels"].iter().any(|key| json.get(key).is_some());
    let labels = if says { adapter_config::labels(&json).unwrap_or_default() } else { Vec::new() };
    Ok((json, labels))
}

fn parse_config(bytes: &[u8]) -> std::result::Result<PeftConfig, String> {
    let json: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    let json = json.as_object().ok_or("it is no JSON object")?;
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    match text("peft_type") {
        Some("LORA") => {}
        Some(other) => return Err(format!("its peft_type is {}, and only LORA is read", quoted(other))),
        None => return Err("it has no peft_type".into()),
    }
    let is_set = |name: &&&str| !matches!(json.get(**name), None | Some(Value::Null | Value::Bool(false)));
    if let Some(name) = UNREAD.iter().find(is_set) {
        return Err(format!("it has {name}, which is not read by this version"));
    }
    if text("bias").is_some_and(|bias| bias != "none") {
        return Err("it trains biases, which is not read by this version".into());
    }
    match json.get("init_lora_weights") {
        None | Some(Value::Null | Value::Bool(_)) => {}
        Some(Value::String(start)) if PLAIN_STARTS.contains(&start.as_str()) => {}
        Some(_) => {
            return Err("its init_lora_weights changed the base model too, which is not read by this version".into());
        }
    }
    let number = |name: &str| {
        let value = json.get(name).and_then(Value::as_f64).filter(|value| value.is_finite());
        value.ok_or_else(|| format!("it has no number {name}"))
    };
    let flag = |name: &str| json.get(name).and_then(Value::as_bool).unwrap_or(false);
    let patterns = |name: &str| match json.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(patterns)) => patterns
            .iter()
            .map(|(pattern, value)| {
                let value = value.as_f64().filter(|value| value.is_finite());
                Ok((pattern.clone(), value.ok_or_else(|| format!("its {name} has something else than numbers"))?))
            })
            .collect::<std::result::Result<Vec<_>, String>>(),
        Some(_) => Err(format!("its {name} is no object")),
    };
    let rank = number("r")?;
    let settings = LoraSettings {
        rank: whole(rank).ok_or("its r is no rank")?,
        alpha: number("lora_alpha")?,
        dropout: number("lora_dropout").unwrap_or(0.0),
        by_root: flag("use_rslora"),
        magnitudes: flag("use_dora"),
    };
    Ok(PeftConfig {
        base: text("base_model_name_or_path").unwrap_or("unknown").to_owned(),
        settings,
        ranks: patterns("rank_pattern")?,
        alphas: patterns("alpha_pattern")?,
        targets: Targets::of(json),
    })
}

/// A rank from a number; none where it is not a valid rank.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn whole(number: f64) -> Option<usize> {
    (number.fract() == 0.0 && (1.0..=65536.0).contains(&number)).then_some(number as usize)
}

/// The value of the first pattern that matches a module.
fn of_pattern(patterns: &[(String, f64)], module: &str) -> std::result::Result<Option<f64>, String> {
    for (pattern, value) in patterns {
        if matches(pattern, module)? {
            return Ok(Some(*value));
        }
    }
    Ok(None)
}

type Layers = BTreeMap<String, Layer>;

/// Splits tensors into the factors by layer, the head, and the parameters of other modules in `modules_to_save`.
fn split_tensors(tensors: Vec<NamedTensor>) -> std::result::Result<(Layers, Vec<HeadDelta>, Vec<Saved>), String> {
    let mut layers = Layers::new();
    let mut rest: BTreeMap<String, NamedTensor> = BTreeMap::new();
    for tensor in tensors {
        let shown = quoted(&tensor.name);
        let name =
            tensor.name.strip_prefix(PREFIX).ok_or_else(|| format!("it holds {shown}, no part of an adapter"))?;
        let end = |end: &str| name.strip_suffix(end).map(str::to_owned);
        let older = name.strip_suffix(".weight").and_then(|name| name.strip_suffix(MAGNITUDE)).map(str::to_owned);
        if let Some(module) = end(DOWN) {
            layers.entry(module).or_default().down = Some(tensor);
        } else if let Some(module) = end(UP) {
            layers.entry(module).or_default().up = Some(tensor);
        } else if let Some(module) = end(MAGNITUDE).or(older) {
            layers.entry(module).or_default().magnitude = Some(tensor);
        } else {
            rest.insert(name.to_owned(), tensor);
        }
    }
    // Tensors of unsupported features must not be ignored: the model would be another one.
    let is_odd = |name: &&String| name.contains("lora_") || name.contains("modules_to_save");
    if let Some(odd) = rest.keys().find(is_odd) {
        return Err(format!("it holds {}, which is not read by this version", quoted(odd)));
    }
    let (head, saved) = split_head(rest)?;
    Ok((layers, head, saved))
}

/// Splits the tensors beside those of an adapter's layers, by name without [`PREFIX`], into the head and the parameters of
/// other modules in `modules_to_save`.
pub fn split_head(
    mut rest: BTreeMap<String, NamedTensor>,
) -> std::result::Result<(Vec<HeadDelta>, Vec<Saved>), String> {
    let is_there = |kind: &&&HeadKind| kind.parts.iter().all(|part| rest.contains_key(part.parameter));
    let kind: &HeadKind =
        HEADS.iter().filter(is_there).max_by_key(|kind| kind.parts.len()).map_or(&NO_HEAD, |kind| kind);
    let tensors = kind.parts.iter().filter_map(|part| Some((part, rest.remove(part.parameter)?)));
    let tensors: Vec<_> = tensors.collect();
    let labels = tensors.last().and_then(|(_, last)| last.shape.first().copied());
    let head = tensors.iter().map(|(part, tensor)| {
        if part.of_labels && tensor.shape.first().copied() != labels {
            return Err(format!("{} does not fit the rest of the head", part.parameter));
        }
        let init = floats(tensor)?;
        let (parameter, init_key) = (part.parameter.into(), part.init_key.into());
        Ok(HeadDelta { parameter, init_key, shape: tensor.shape.clone(), deltas: vec![0.0; init.len()], init })
    });
    let head = head.collect::<std::result::Result<_, String>>()?;
    let saved =
        rest.into_iter().map(|(name, tensor)| Ok(Saved { values: floats(&tensor)?, shape: tensor.shape, name }));
    Ok((head, saved.collect::<std::result::Result<_, String>>()?))
}

impl Layer {
    fn factors(self, module: &str, config: &PeftConfig) -> std::result::Result<Factors, String> {
        let shown = quoted(module);
        let (Some(down), Some(up)) = (self.down, self.up) else {
            return Err(format!("of {shown} it has only one of lora_A and lora_B"));
        };
        let ([rank, _], [out, other]) = (two(&down, &shown)?, two(&up, &shown)?);
        let expected = match of_pattern(&config.ranks, module)? {
            Some(own) => whole(own).ok_or_else(|| format!("the rank of {shown} is none"))?,
            None => config.settings.rank,
        };
        if rank != other || rank != expected {
            return Err(format!("the factors of {shown} are {rank} and {other} wide, not {expected}"));
        }
        let magnitude = match (self.magnitude, config.settings.magnitudes) {
            (None, false) => None,
            (Some(magnitude), true) if magnitude.shape.iter().product::<usize>() == out => Some(floats(&magnitude)?),
            (Some(_), true) => return Err(format!("the magnitudes of {shown} are not {out}")),
            _ => return Err(format!("{shown} has magnitudes, or none, other than use_dora says")),
        };
        let alpha = of_pattern(&config.alphas, module)?.unwrap_or(config.settings.alpha);
        let scale = config.settings.scale(rank, alpha);
        Ok(Factors { rank, down: floats(&down)?, up: floats(&up)?, magnitude, scale })
    }
}

fn two(tensor: &NamedTensor, shown: &str) -> std::result::Result<[usize; 2], String> {
    match tensor.shape[..] {
        [rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
        _ => Err(format!("a factor of {shown} has the shape {:?} and is no matrix", tensor.shape)),
    }
}

/// The values of a tensor as `f32`; refuses values that are not finite.
fn floats(tensor: &NamedTensor) -> std::result::Result<Vec<f32>, String> {
    let halves = || tensor.bytes.as_chunks().0.iter().copied();
    let values: Vec<f32> = match tensor.dtype {
        Dtype::Bfloat16 => halves().map(|bytes| bf16::from_le_bytes(bytes).to_f32()).collect(),
        Dtype::Float16 => halves().map(|bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
        _ => tensor
            .as_float32()
            .ok_or_else(|| format!("{} is {:?}, no type of factors", quoted(&tensor.name), tensor.dtype))?,
    };
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("{} has the value {value}", quoted(&tensor.name))),
        None => Ok(values),
    }
}
