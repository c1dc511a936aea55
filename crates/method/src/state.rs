//! The training state of a method as plain numbers.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use spartui_sparse::Saved;

/// The training state of a method, on the CPU. With the recipe it restores the same weights, moments and ages.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The sites that training has changed, by their names, each with its parts.
    pub sites: Vec<(String, Vec<Part>)>,
    /// Dense tensors, by their names in a checkpoint.
    pub tensors: Vec<Dense>,
}

/// A dense tensor as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Its name in a checkpoint.
    pub name: String,
    /// Extents.
    pub shape: Vec<i64>,
    /// Scalars, row-major.
    pub values: Vec<f32>,
}

impl Dense {
    /// A copy of a tensor of `f32` or narrower numbers.
    #[must_use]
    pub fn new(name: String, tensor: &Tensor) -> Self {
        let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
        Self { name, shape: tensor.size(), values: Vec::try_from(flat).unwrap_or_default() }
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        4 * self.values.len() as u64
    }
}

/// The scalars of one cohort of a site, or its retired scalars.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Optimizer steps taken when they became trainable; none where they are retired.
    pub born: Option<u64>,
    /// Flat indices, ascending. Successive states share one list.
    pub indices: Arc<Vec<i64>>,
    /// Deltas.
    pub delta: Vec<f32>,
    /// First moments; empty where they are retired.
    pub first: Vec<f32>,
    /// Second moments; empty where they are retired.
    pub second: Vec<f32>,
    /// The weight's values as `bfloat16` bits, where they cannot be derived: with stochastic rounding each value
    /// depends on the step that wrote it last. Empty where the values are rounded to nearest.
    pub written: Vec<i16>,
}

impl Part {
    /// From saved scalars of a flat weight; `exact`: keep the bits of the weight too.
    #[must_use]
    pub fn new(saved: Saved, weight: &Tensor, exact: bool) -> Self {
        let Saved { born, indices, delta, first, second } = saved;
        let written = if exact { bits(weight, &indices) } else { Vec::new() };
        Self { born, indices: Arc::new(indices), delta, first, second, written }
    }

    /// The form that [`spartui_sparse::Delta::restore`] takes.
    #[must_use]
    pub fn to_saved(&self) -> Saved {
        Saved {
            born: self.born,
            indices: self.indices.to_vec(),
            delta: self.delta.clone(),
            first: self.first.clone(),
            second: self.second.clone(),
        }
    }

    /// Writes the saved bits, if there are any, into a flat weight.
    pub fn write_bits(&self, weight: &Tensor) {
        if let Some(values) = self.written(weight) {
            let indices = Tensor::from_slice(&self.indices).to_device(weight.device());
            let _ = weight.shallow_clone().index_copy_(0, &indices, &values);
        }
    }

    /// The saved values of a weight; none where no bits were saved, or the weight is of another type.
    #[must_use]
    pub fn written(&self, weight: &Tensor) -> Option<Tensor> {
        let is_kept = !self.written.is_empty() && weight.kind() == Kind::BFloat16;
        is_kept.then(|| Tensor::from_slice(&self.written).view_dtype(Kind::BFloat16).to_device(weight.device()))
    }

    /// The first inconsistency of a part that was read from a file, if there is one.
    fn fault(&self, scalars: u64, step: u64) -> Option<&'static str> {
        let len = self.indices.len();
        let moments = if self.born.is_some() { len } else { 0 };
        let fits = self.delta.len() == len && self.first.len() == moments && self.second.len() == moments;
        let inside = |index: &i64| u64::try_from(*index).is_ok_and(|index| index < scalars);
        if !fits || !(self.written.is_empty() || self.written.len() == len) {
            Some("its lists have different lengths")
        } else if !self.indices.is_sorted_by(|a, b| a < b) || !self.indices.iter().all(inside) {
            Some("its positions do not rise within the weight")
        } else if self.born.is_some_and(|born| born > step) {
            Some("it began to train after the step it is of")
        } else {
            None
        }
    }
}

fn bits(weight: &Tensor, indices: &[i64]) -> Vec<i16> {
    let indices = Tensor::from_slice(indices).to_device(weight.device());
    let chosen = weight.index_select(0, &indices).to_device(Device::Cpu).view_dtype(Kind::Int16);
    Vec::try_from(chosen).unwrap_or_default()
}

/// Checks the parts of one site with `scalars` scalars that were read from a file: all indices lie inside the weight,
/// and none occurs twice.
///
/// # Errors
/// The first inconsistency.
pub fn check(parts: &[Part], scalars: u64, step: u64) -> Result<(), String> {
    if let Some(fault) = parts.iter().find_map(|part| part.fault(scalars, step)) {
        return Err(fault.into());
    }
    let mut all: Vec<i64> = parts.iter().flat_map(|part| part.indices.iter().copied()).collect();
    all.sort_unstable();
    let retired = parts.iter().filter(|part| part.born.is_none()).count();
    if all.windows(2).any(|pair| pair[0] == pair[1]) || retired > 1 {
        return Err("it names a scalar twice".into());
    }
    Ok(())
}

impl State {
    /// Bytes in memory, lists that are shared with other states included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let part = |part: &Part| {
            let floats = part.delta.len() + part.first.len() + part.second.len();
            8 * part.indices.len() + 4 * floats + 2 * part.written.len()
        };
        let parts: usize = self.sites.iter().flat_map(|(_, parts)| parts).map(part).sum();
        parts as u64 + self.tensors.iter().map(Dense::bytes).sum::<u64>()
    }

    /// Shares the lists of indices with another state wherever they are equal. Returns the bytes that this saves.
    pub fn share(&mut self, other: &Self) -> u64 {
        let mut saved = 0;
        for ((name, parts), (other_name, others)) in self.sites.iter_mut().zip(&other.sites) {
            for (part, other) in parts.iter_mut().zip(others) {
                if name == other_name && part.indices == other.indices {
                    part.indices = Arc::clone(&other.indices);
                    saved += 8 * part.indices.len() as u64;
                }
            }
        }
        saved
    }
}

/// Copies the dense tensors with these names into the targets.
///
/// # Errors
/// The tensor that is missing or has another shape; nothing has changed then.
pub fn copy_named(targets: Vec<(String, Tensor)>, source: &[Dense]) -> Result<(), String> {
    let found = targets.into_iter().map(|(name, target)| match source.iter().find(|dense| dense.name == name) {
        Some(dense) if dense.shape == target.size() && dense.values.len() == target.numel() => Ok((target, dense)),
        Some(_) => Err(format!("{name} has another shape")),
        None => Err(format!("{name} is missing")),
    });
    let pairs = found.collect::<Result<Vec<_>, String>>()?;
    tch::no_grad(|| {
        for (mut target, dense) in pairs {
            target.copy_(&Tensor::from_slice(&dense.values).view(dense.shape.as_slice()));
        }
    });
    Ok(())
}
