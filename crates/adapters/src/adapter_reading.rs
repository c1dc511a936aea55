//! Reading sparse adapters: everything is checked before anything is used.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::adapter::refuse_part as refuse;
use super::adapter::{Adapter, CONFIG, DELTAS, HEAD, HeadDelta, HeadPart, KEYED, LM_HEAD, ParameterDelta};
use super::adapter_config::{self, AdapterConfig};
use super::keyed::{KeyedFile, read_keyed};
use super::new_tokens::NewTokens;
use super::sparse_peft::{self, PeftFormat};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};
use spartui_run::files::read_bounded;
use spartui_run::tensors::{Dtype, NamedTensor, parse_tensors};

const CONFIG_LIMIT: u64 = 16 << 20;
/// Largest file of an adapter, in bytes: a device or an endless file must not fill the memory.
const TENSORS_LIMIT: u64 = 64 << 30;

/// Summary of an adapter's folder, read without the base model.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// The base model: its folder, or its name on the hub.
    pub base: PathBuf,
    /// Labels in the order of the logits.
    pub labels: Vec<String>,
    /// Whether it has a classification head.
    pub classifies: bool,
    /// All parameters, sorted by name, with the number of their deltas.
    pub scalars: Vec<(String, usize)>,
}

/// Reads the summary of an adapter's folder.
///
/// # Errors
/// Refuses a folder that is no adapter.
pub fn adapter_contents(folder: &Path) -> Result<Contents> {
    if let Some(format) = PeftFormat::of(folder) {
        return sparse_peft::contents(folder, format);
    }
    let config = read_config(folder)?;
    let mut scalars = Deltas::open(folder)?.scalars();
    scalars.sort();
    Ok(Contents { base: config.base.into(), classifies: !config.labels.is_empty(), labels: config.labels, scalars })
}

impl Adapter {
    /// Reads an adapter, with or without indices, for a model with these parameters (the head's may be among them). The
    /// result has no entries for parameters without deltas.
    ///
    /// # Errors
    /// Refuses a folder that is no adapter, is damaged, or was made for another model.
    pub fn read(folder: &Path, parameters: &[(String, Vec<usize>)]) -> Result<Self> {
        Self::read_noting(folder, parameters).map(|(adapter, _)| adapter)
    }

    /// As [`Adapter::read`]; also returns the names of parameters that have deltas in the file and do not exist in the
    /// model.
    ///
    /// # Errors
    /// As [`Adapter::read`].
    pub fn read_noting(folder: &Path, parameters: &[(String, Vec<usize>)]) -> Result<(Self, Vec<String>)> {
        if let Some(format) = PeftFormat::of(folder) {
            return sparse_peft::read(folder, format, parameters);
        }
        let config = read_config(folder)?;
        let new_tokens = NewTokens::of_adapter(folder)?;
        new_tokens.check_base(folder, &config.json, parameters)?;
        let file = Deltas::open(folder)?;
        let is_classifier = !config.head.parts.is_empty();
        let of_head = |name: &str| {
            config.head.parts.iter().any(|part| part.parameter == name) || (is_classifier && name == LM_HEAD)
        };
        let touched = file.scalars();
        let is_known = |name: &String| of_head(name) || parameters.iter().any(|(known, _)| known == name);
        let unknown = touched.iter().filter(|(name, scalars)| *scalars > 0 && !is_known(name));
        let mut unknown: Vec<String> = unknown.map(|(name, _)| name.clone()).collect();
        unknown.sort_unstable();
        // Adapters of versions that tied head and word embeddings have no entry for the head.
        let of_head =
            |name: &str| of_head(name) || (name == LM_HEAD && !touched.iter().any(|(known, _)| known == name));
        let mut deltas = Vec::new();
        for (name, shape) in parameters.iter().filter(|(name, _)| !of_head(name)) {
            let delta = file.delta(name, shape).map_err(|why| refuse(folder, file.name(), &why))?;
            if !delta.indices.is_empty() {
                deltas.push(delta);
            }
        }
        let head = if is_classifier { read_head(folder, &config, &file)? } else { Vec::new() };
        if let Deltas::Keyed(keyed) = &file {
            keyed.check(&deltas, &head).map_err(|why| refuse(folder, KEYED, &why))?;
        }
        let adapter = Self {
            base: config.base.into(),
            base_config: config.json,
            labels: config.labels,
            parameters: parameters.to_vec(),
            deltas,
            head,
            new_tokens,
        };
        Ok((adapter, unknown))
    }
}

/// The file of deltas, with or without indices.
enum Deltas {
    Listed(Tensors),
    Keyed(KeyedFile),
}

impl Deltas {
    fn open(folder: &Path) -> Result<Self> {
        if folder.join(DELTAS).exists() || !folder.join(KEYED).exists() {
            return Ok(Self::Listed(read_tensors(folder, DELTAS)?));
        }
        read_keyed(&folder.join(KEYED)).map(Self::Keyed).map_err(|why| refuse(folder, KEYED, &why))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Listed(_) => DELTAS,
            Self::Keyed(_) => KEYED,
        }
    }

    fn delta(&self, name: &str, shape: &[usize]) -> std::result::Result<ParameterDelta, String> {
        match self {
            Self::Listed(tensors) => parameter_delta(tensors, name, shape),
            Self::Keyed(file) => file.delta(name, shape),
        }
    }

    /// The deltas of a parameter all of whose scalars train.
    fn whole(&self, name: &str, shape: &[usize], scalars: usize) -> std::result::Result<Vec<f32>, String> {
        let deltas = match self {
            Self::Listed(tensors) => parameter_delta(tensors, name, shape)?.deltas,
            Self::Keyed(file) => file.values(name, scalars)?,
        };
        if deltas.len() == scalars {
            return Ok(deltas);
        }
        Err(format!("{name} has {} deltas, not one for each of its {scalars} scalars", deltas.len()))
    }

    fn scalars(&self) -> Vec<(String, usize)> {
        match self {
            Self::Listed(tensors) => tensors
                .iter()
                .filter_map(|(name, tensor)| Some((name.strip_prefix("deltas.")?.to_owned(), *tensor.shape.first()?)))
                .collect(),
            Self::Keyed(file) => file.scalars(),
        }
    }
}

type Tensors = HashMap<String, NamedTensor>;

fn read_config(folder: &Path) -> Result<AdapterConfig> {
    let refuse = |why: &str| refuse(folder, CONFIG, why);
    let bytes = read_bounded(&folder.join(CONFIG), CONFIG_LIMIT).map_err(|error| refuse(&error.to_string()))?;
    adapter_config::parse(&bytes).map_err(|why| refuse(&why))
}

fn read_tensors(folder: &Path, file: &str) -> Result<Tensors> {
    let pickled = folder.join(file).with_extension("pt");
    if !folder.join(file).exists() && pickled.exists() {
        return Err(Error::refused(format!(
            "{}: adapters in pickle files are not read, since such a file can run any program; save it as safetensors",
            place(&pickled)
        )));
    }
    let bytes =
        read_bounded(&folder.join(file), TENSORS_LIMIT).map_err(|error| refuse(folder, file, &error.to_string()))?;
    let tensors = parse_tensors(&bytes).map_err(|why| refuse(folder, file, &format!("it is damaged ({why})")))?;
    Ok(tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect())
}

fn parameter_delta(tensors: &Tensors, name: &str, shape: &[usize]) -> std::result::Result<ParameterDelta, String> {
    let shown = quoted(name);
    let part =
        |role: &str| tensors.get(&format!("{role}.{name}")).ok_or_else(|| format!("there are no {role} of {shown}"));
    let (indices, deltas) = (part("indices")?, part("deltas")?);
    let values = finite(deltas, &shown)?;
    let [scalars, dimensions] = indices.shape[..] else {
        return Err(format!("the indices of {shown} are no matrix"));
    };
    if dimensions != shape.len() || scalars != values.len() || deltas.shape.len() != 1 {
        return Err(format!(
            "indices {:?} and deltas {:?} of {shown} do not fit each other or its shape {shape:?}",
            indices.shape, deltas.shape
        ));
    }
    let coordinates =
        integers(indices).ok_or_else(|| format!("the indices of {shown} are no integers of 32 or 64 bits"))?;
    let mut sorted = Vec::with_capacity(scalars);
    if dimensions == 0 && scalars > 0 {
        return Err(format!("the indices of {shown} have no dimension"));
    }
    for (position, &value) in coordinates.chunks_exact(dimensions.max(1)).zip(&values) {
        let flat = flat(position, shape)
            .ok_or_else(|| format!("{shown} has no position {position:?}: its shape is {shape:?}"))?;
        sorted.push((flat, value));
    }
    sorted.sort_unstable_by_key(|(flat, _)| *flat);
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("{shown} has two deltas for the position {}", pair[0].0));
    }
    let (indices, deltas) = sorted.into_iter().unzip();
    Ok(ParameterDelta { name: name.to_owned(), indices, deltas })
}

fn flat(position: &[i64], shape: &[usize]) -> Option<u32> {
    let mut flat = 0_usize;
    for (&at, &extent) in position.iter().zip(shape) {
        let at = usize::try_from(at).ok().filter(|&at| at < extent)?;
        flat = flat.checked_mul(extent)?.checked_add(at)?;
    }
    u32::try_from(flat).ok()
}

fn integers(tensor: &NamedTensor) -> Option<Vec<i64>> {
    match tensor.dtype {
        Dtype::Int32 => Some(tensor.as_int32()?.into_iter().map(i64::from).collect()),
        Dtype::Int64 => Some(tensor.bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()),
        _ => None,
    }
}

fn finite(tensor: &NamedTensor, shown: &str) -> std::result::Result<Vec<f32>, String> {
    let values =
        tensor.as_float32().ok_or_else(|| format!("the values of {shown} are {:?}, not float32", tensor.dtype))?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("{shown} has the value {value}")),
        None => Ok(values),
    }
}

fn read_head(folder: &Path, config: &AdapterConfig, file: &Deltas) -> Result<Vec<HeadDelta>> {
    let init = read_tensors(folder, HEAD)?;
    let part = |part: &HeadPart| {
        let HeadPart { parameter, init_key: key, of_labels } = *part;
        let start = init.get(key).ok_or_else(|| refuse(folder, HEAD, &format!("there is no {key}")))?;
        let shape = start.shape.clone();
        if of_labels && shape.first() != Some(&config.labels.len()) {
            let why = format!("{key} has the shape {shape:?}, but there are {} labels", config.labels.len());
            return Err(refuse(folder, HEAD, &why));
        }
        let init = finite(start, key).map_err(|why| refuse(folder, HEAD, &why))?;
        let deltas = file.whole(parameter, &shape, init.len()).map_err(|why| refuse(folder, file.name(), &why))?;
        Ok(HeadDelta { parameter: parameter.into(), init_key: key.into(), shape, init, deltas })
    };
    config.head.parts.iter().map(part).collect()
}
