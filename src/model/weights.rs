//! Weights from safetensors files, memory-mapped.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use memmap2::{MmapMut, MmapOptions};
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// The tensors of a model by their checkpoint names.
///
/// On the CPU, in the stored type, a tensor *is* the mapped file: private pages, copied by the system when they are
/// written to, so that training touches memory only where it trains and the file never changes.
#[derive(Debug)]
pub struct Weights {
    tensors: HashMap<String, Tensor>,
    files: Vec<PathBuf>,
    /// After `tensors`, so that it is dropped last.
    maps: Vec<MmapMut>,
}

impl Weights {
    /// Maps the safetensors file or files of a model folder.
    ///
    /// # Errors
    /// Refuses missing, truncated or foreign files, and names in an index that lead out of the folder.
    pub fn load(folder: &Path) -> Result<Self> {
        let mut weights = Self { tensors: HashMap::new(), files: files(folder)?, maps: Vec::new() };
        for path in weights.files.clone() {
            weights.map(&path)?;
        }
        Ok(weights)
    }

    /// The files that the weights lie in.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor of this name and shape, in `kind` (none: as stored) on `device`.
    ///
    /// # Errors
    /// Refuses a missing tensor and another shape.
    pub fn get(&self, name: &str, shape: &[i64], kind: Option<Kind>, device: Device) -> Result<Tensor> {
        let refuse = |why: String| {
            let file = self.files.first().map_or_else(String::new, |file| file.display().to_string());
            Error::refused(format!("{file}: {why}; the weights do not fit config.json, get the model's files again"))
        };
        let tensor = self.tensors.get(name).ok_or_else(|| refuse(format!("there is no tensor {name}")))?;
        if tensor.size() != shape {
            return Err(refuse(format!("{name} has the shape {:?}, not {shape:?}", tensor.size())));
        }
        Ok(tensor.to_device(device).to_kind(kind.unwrap_or(tensor.kind())))
    }

    /// The type in which the tensor of this name is stored.
    #[must_use]
    pub fn stored_kind(&self, name: &str) -> Option<Kind> {
        self.tensors.get(name).map(Tensor::kind)
    }

    #[allow(unsafe_code)]
    fn map(&mut self, path: &Path) -> Result<()> {
        let refuse = |why: &dyn std::fmt::Display| {
            Error::refused(format!("{}: {why}; get the model's files again", path.display()))
        };
        let file = File::open(path).map_err(|error| refuse(&error))?;
        // SAFETY: the mapping is private (copy on write). If another program truncates the file meanwhile, reading it
        // ends this process, as it does for every program that maps its weights.
        let mut map = unsafe { MmapOptions::new().map_copy(&file) }.map_err(|error| refuse(&error))?;
        let base = map.as_mut_ptr();
        let contents =
            SafeTensors::deserialize(&map).map_err(|error| refuse(&format!("broken safetensors file ({error})")))?;
        for (name, view) in contents.tensors() {
            let Some(kind) = kind_of(view.dtype()) else { continue };
            let shape: Vec<i64> = view.shape().iter().map(|&size| size.cast_signed() as i64).collect();
            let offset = view.data().as_ptr() as usize - base as usize;
            let tensor = if (base as usize + offset).is_multiple_of(kind.elt_size_in_bytes()) {
                // SAFETY: safetensors checked that shape and type fit the bytes; the map outlives the tensor, since
                // both are in `self`, and the model that takes tensors keeps `self`.
                unsafe { Tensor::f_from_blob(base.add(offset), &shape, &[], kind, Device::Cpu) }?
            } else {
                Tensor::f_from_data_size(view.data(), &shape, kind)?
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
        Dtype::I64 => Some(Kind::Int64),
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
    let refuse = |why: &str| Error::refused(format!("{}: {why}; get the model's files again", index.display()));
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| refuse(&error.to_string()))?;
    let map = json.get("weight_map").and_then(|map| map.as_object()).ok_or_else(|| refuse("there is no weight_map"))?;
    let mut names: Vec<&str> = map.values().filter_map(|name| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let plain = |name: &str| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(refuse(&format!("the file name \"{}\" leads out of the folder", name.escape_debug())));
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
