//! Weights from safetensors files, memory-mapped.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use memmap2::{MmapMut, MmapOptions};
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use super::OrFailed;
use spartui_facts::error::{Error, Result};
use spartui_facts::family::Family;

/// Longest file name in bytes, and longest message of another library in characters.
const LONGEST: usize = 255;
/// Most dimensions of a tensor in libtorch.
const MOST_EXTENTS: usize = 64;

/// The tensors of a model by their checkpoint names.
///
/// On the CPU, in the stored type, a tensor *is* the mapped file: private pages, copied by the system when they are
/// written to, so that training touches memory only where it trains and the file never changes.
#[derive(Debug)]
pub struct Weights {
    family: &'static Family,
    tensors: HashMap<String, Tensor>,
    /// Tensors of unsupported dtypes.
    others: HashMap<String, Dtype>,
    files: Vec<PathBuf>,
    /// The mapped files; declared after `tensors`, so that they are dropped last.
    maps: Vec<MmapMut>,
}

impl Weights {
    /// Maps the safetensors file or files of a model folder. Tensors have the names that transformers gives to them.
    ///
    /// # Errors
    /// Refuses missing, truncated or foreign files, and names in an index that lead out of the folder.
    pub fn load(folder: &Path, family: &'static Family) -> Result<Self> {
        let mut weights =
            Self { family, tensors: HashMap::new(), others: HashMap::new(), files: files(folder)?, maps: Vec::new() };
        for path in weights.files.clone() {
            weights.map(&path)?;
        }
        Ok(weights)
    }

    /// The files of weights.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Names of all tensors, those of unsupported dtypes included.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().chain(self.others.keys()).map(String::as_str)
    }

    /// The tensor of this name in its stored dtype, without a copy.
    pub(super) fn peek(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The tensor of this name and shape, in `kind` (none: as stored) on `device`.
    ///
    /// # Errors
    /// Refuses a missing tensor and another shape.
    pub fn get(&self, name: &str, shape: &[i64], kind: Option<Kind>, device: Device) -> Result<Tensor> {
        let refuse = |why: String| {
            let file = self.files.first().map_or_else(String::new, |file| place(file));
            Error::refused(format!("{file}: {why}; the weights do not fit config.json, get the model's files again"))
        };
        let tensor = self.tensors.get(name).ok_or_else(|| {
            refuse(match self.others.get(name) {
                None => format!("there is no tensor {name}"),
                Some(dtype) => format!("{name} is of the type {dtype}, which no weight here has"),
            })
        })?;
        if tensor.size() != shape {
            return Err(refuse(format!("{name} has the shape {:?}, not {shape:?}", tensor.size())));
        }
        let kind = kind.unwrap_or(tensor.kind());
        let copied = tensor.to_device(device).to_kind(kind);
        if kind != tensor.kind() || device != tensor.device() {
            self.release_pages(tensor);
        }
        Ok(copied)
    }

    /// Releases the mapped pages of a tensor that was copied, so that the model is not in memory twice. A later read
    /// loads them from the file again.
    #[allow(unsafe_code)]
    pub(super) fn release_pages(&self, tensor: &Tensor) {
        #[cfg(unix)]
        {
            let (start, length) = (tensor.data_ptr() as usize, tensor.numel() * tensor.kind().elt_size_in_bytes());
            let holds = |map: &&MmapMut| (map.as_ptr() as usize..map.as_ptr() as usize + map.len()).contains(&start);
            if let Some(map) = self.maps.iter().find(holds) {
                let offset = start - map.as_ptr() as usize;
                // SAFETY: nobody has written to these pages: what trains in place was not copied, and its neighbours on
                // a shared page are written to after everything is loaded. So they hold what the file holds. If the
                // system will not, nothing is lost but memory.
                let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, length) };
            }
        }
        #[cfg(not(unix))]
        let _ = tensor;
    }

    /// The type in which the tensor of this name is stored.
    #[must_use]
    pub fn stored_kind(&self, name: &str) -> Option<Kind> {
        self.tensors.get(name).map(Tensor::kind)
    }

    #[allow(unsafe_code)]
    fn map(&mut self, path: &Path) -> Result<()> {
        let refuse = |why: &dyn std::fmt::Display| {
            let why: String = one_line(&why.to_string()).chars().take(LONGEST).collect();
            Error::refused(format!("{}: {why}; get the model's files again", place(path)))
        };
        // Opening a named pipe would block.
        if path.exists() && !path.is_file() {
            return Err(refuse(&"it is no file"));
        }
        let file = File::open(path).map_err(|error| refuse(&error))?;
        // SAFETY: the mapping is private (copy on write). If another program truncates the file meanwhile, reading it
        // ends this process, as it does for every program that maps its weights.
        let mut map = unsafe { MmapOptions::new().map_copy(&file) }.map_err(|error| refuse(&error))?;
        let base = map.as_mut_ptr();
        let contents =
            SafeTensors::deserialize(&map).map_err(|error| refuse(&format!("broken safetensors file ({error})")))?;
        for (name, view) in contents.tensors() {
            let name = self.family.usual_name(&name).into_owned();
            let Some(kind) = kind_of(view.dtype()) else {
                self.others.insert(name, view.dtype());
                continue;
            };
            let shape: Vec<i64> = view.shape().iter().map(|&size| size.cast_signed() as i64).collect();
            // safetensors accepts any extents of an empty tensor; libtorch refuses negative ones.
            if shape.len() > MOST_EXTENTS || shape.iter().any(|size| *size < 0) {
                return Err(refuse(&format!("the shape of {name} is no tensor's")));
            }
            let offset = view.data().as_ptr() as usize - base as usize;
            let tensor = if (base as usize + offset).is_multiple_of(kind.elt_size_in_bytes()) {
                // SAFETY: safetensors checked that shape and type fit the bytes; the map outlives the tensor, since
                // both are in `self`, and the model that takes tensors keeps `self`.
                unsafe { Tensor::f_from_blob(base.add(offset), &shape, &[], kind, Device::Cpu) }.or_failed()?
            } else {
                Tensor::f_from_data_size(view.data(), &shape, kind).or_failed()?
            };
            self.tensors.insert(name, tensor);
        }
        self.maps.push(map);
        Ok(())
    }
}

/// `float32` for [`Kind::Float`] and so on, as in a recipe.
#[must_use]
pub fn dtype_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Float => "float32",
        Kind::BFloat16 => "bfloat16",
        Kind::Half => "float16",
        Kind::Double => "float64",
        _ => "integer",
    }
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::F16 => Some(Kind::Half),
        Dtype::F64 => Some(Kind::Double),
        _ => None,
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join("model.safetensors");
    let index = folder.join("model.safetensors.index.json");
    if single.exists() {
        return Ok(vec![single]);
    }
    let text = std::fs::read_to_string(&index).map_err(|_| {
        Error::refused(format!(
            "{}: there is no model.safetensors; give a folder whose weights are in safetensors files",
            folder.display()
        ))
    })?;
    let refuse = |why: &str| {
        let why: String = one_line(why).chars().take(LONGEST).collect();
        Error::refused(format!("{}: {why}; get the model's files again", place(&index)))
    };
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| refuse(&error.to_string()))?;
    let map = json.get("weight_map").and_then(|map| map.as_object()).ok_or_else(|| refuse("there is no weight_map"))?;
    let name_of = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let names: Option<BTreeSet<String>> = map.values().map(name_of).collect();
    let names = names.filter(|names| !names.is_empty()).ok_or_else(|| refuse("weight_map names no files"))?;
    let plain = |name: &str| {
        (1..=LONGEST).contains(&name.len())
            && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
    };
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        let name: String = name.chars().take(80).collect();
        return Err(refuse(&format!("the file name \"{name}\" leads out of the folder, or is none")));
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// A text from a file for a message: escaped to one line.
fn one_line(text: &str) -> String {
    let safe = |c: char| if matches!(c, '"' | '\'' | '\\') { c.to_string() } else { c.escape_debug().to_string() };
    text.chars().map(safe).collect()
}

fn place(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}
