//! Loads a model's parameters from its files, or draws them, and lists each by name.

use tch::{Device, Kind, Tensor};

use super::config::Config;
use super::layers::{Factor, Linear, Norm};
use super::random::normal;
use super::{AddedRows, Parameter, Site, Slot, Stage, Weights, task, tie};
use spartui_facts::error::{Error, Result};
use spartui_facts::random;

/// The source of the parameters.
pub(super) enum Source<'a> {
    /// The model's files.
    Files(&'a Weights),
    /// None: tensors with shapes and without memory.
    Shapes,
    /// Random initialization: weights normal with config.json's `initializer_range`, norms neutral, biases zero.
    Random { seed: u64 },
}

/// Loads parameters and collects them.
pub(super) struct Loader<'a> {
    pub config: &'a Config,
    pub source: Source<'a>,
    /// Prefix of all names but that of the language-model head.
    pub prefix: &'static str,
    pub kind: Kind,
    pub device: Device,
    pub parameters: Vec<Parameter>,
    pub sites: Vec<Site>,
    /// Layers that no method here adapts, but that an adapter of PEFT may.
    pub others: Vec<Site>,
    /// The stage of the parameters that are loaded next.
    pub stage: Stage,
    /// Rows for new tokens.
    pub added: AddedRows,
}

#[derive(Clone, Copy)]
enum Fresh {
    Normal,
    Zeros,
    Ones,
}

impl Loader<'_> {
    /// A weight, by its name after the prefix.
    pub fn weight(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        self.take(&format!("{}{name}", self.prefix), shape, Fresh::Normal)
    }

    /// The language-model head of a model that does not tie it.
    pub fn language_head(&mut self, shape: &[i64]) -> Result<Tensor> {
        if let Source::Files(weights) = &self.source {
            task::check_language_head(weights)?;
        }
        self.take(tie::LM_HEAD, shape, Fresh::Normal)
    }

    fn bias(&mut self, name: &str, size: i64) -> Result<Tensor> {
        self.take(&format!("{}{name}.bias", self.prefix), &[size], Fresh::Zeros)
    }

    /// The bias of the language-model head.
    pub fn language_bias(&mut self, size: i64) -> Result<Tensor> {
        self.take(tie::LM_HEAD_BIAS, &[size], Fresh::Zeros)
    }

    pub fn layer_norm(&mut self, name: &str, size: i64, epsilon: f64, has_bias: bool) -> Result<Norm> {
        let weight = self.take(&format!("{}{name}.weight", self.prefix), &[size], Fresh::Ones)?;
        let bias = if has_bias { Some(self.bias(name, size)?) } else { None };
        Ok(Norm::Layer { weight, bias, epsilon })
    }

    pub fn rms_norm(&mut self, name: &str, size: i64, epsilon: f64, factor: Factor) -> Result<Norm> {
        let fresh = if factor == Factor::FromOne { Fresh::Zeros } else { Fresh::Ones };
        let weight = self.take(&format!("{}{name}.weight", self.prefix), &[size], fresh)?;
        Ok(Norm::Rms { weight, epsilon, factor })
    }

    /// A layer that no method adapts.
    pub fn frozen_linear(&mut self, name: &str, [out, input]: [i64; 2]) -> Result<Linear> {
        let weight = self.weight(&format!("{name}.weight"), &[out, input])?;
        let bias = Some(self.bias(name, out)?);
        let overlay = Slot::default();
        self.others.push(Site {
            name: format!("{}{name}.weight", self.prefix),
            group: "other",
            layer: self.stage.layer(),
            weight: weight.shallow_clone(),
            transposed: false,
            overlay: overlay.clone(),
        });
        Ok(Linear { weight, bias, transposed: false, site: None, overlay })
    }

    /// A layer that methods may adapt.
    pub fn site(&mut self, name: &str, group: &'static str, shape: Shape) -> Result<Linear> {
        let Shape { out, input, bias, transposed } = shape;
        let size = if transposed { [input, out] } else { [out, input] };
        let weight = self.weight(&format!("{name}.weight"), &size)?;
        let bias = if bias { Some(self.bias(name, out)?) } else { None };
        let (place, overlay) = (self.sites.len(), Slot::default());
        self.sites.push(Site {
            name: format!("{}{name}.weight", self.prefix),
            group,
            layer: self.stage.layer(),
            weight: weight.shallow_clone(),
            transposed,
            overlay: overlay.clone(),
        });
        Ok(Linear { weight, bias, transposed, site: Some(place), overlay })
    }

    fn take(&mut self, name: &str, shape: &[i64], fresh: Fresh) -> Result<Tensor> {
        let (stored, tensor) = match &self.source {
            Source::Files(weights) => {
                let stored = self.stored_name(weights, name);
                let of_tokens =
                    name == tie::LM_HEAD || name.strip_prefix(self.prefix) == Some(self.config.family.words);
                let added = if of_tokens { i64::from(self.added.count) } else { 0 };
                let of_files = [&[shape[0] - added], &shape[1..]].concat();
                let tensor = weights.get(&stored, &of_files, Some(self.kind), self.device)?;
                if added == 0 {
                    (stored, tensor)
                } else {
                    let new = drawn_rows(name, shape[1], self.added, self.config, (self.kind, self.device));
                    (stored, Tensor::cat(&[tensor, new], 0))
                }
            }
            Source::Shapes => {
                let scalar = Tensor::zeros([1], (self.kind, Device::Cpu));
                (name.to_owned(), scalar.expand(shape, false))
            }
            Source::Random { seed } => (name.to_owned(), self.draw(*seed, name, shape, fresh)?),
        };
        let stage = self.stage;
        self.parameters.push(Parameter { name: name.to_owned(), stored, tensor: tensor.shallow_clone(), stage });
        Ok(tensor)
    }

    fn stored_name(&self, weights: &Weights, name: &str) -> String {
        match name.strip_prefix(self.prefix) {
            Some(bare) if bare == self.config.family.words => {
                tie::stored_words(weights, self.prefix, self.config).unwrap_or_else(|| name.to_owned())
            }
            _ => stored_name(weights, self.prefix, name),
        }
    }

    fn draw(&self, seed: u64, name: &str, shape: &[i64], fresh: Fresh) -> Result<Tensor> {
        let count = room(shape).ok_or_else(|| {
            Error::refused(format!(
                "{name} of the shape {shape:?} does not fit into the memory; make config.json's sizes smaller"
            ))
        })?;
        let options = (self.kind, self.device);
        Ok(match fresh {
            Fresh::Zeros => Tensor::zeros(shape, options),
            Fresh::Ones => Tensor::ones(shape, options),
            Fresh::Normal => {
                let source = random::Source::new(seed, "weights", name);
                normal(&source, count, self.config.initializer_range, options).view(shape)
            }
        })
    }
}

/// The rows for new tokens before training, of the matrix with this name and rows of this width.
pub(super) fn drawn_rows(name: &str, width: i64, added: AddedRows, config: &Config, of: (Kind, Device)) -> Tensor {
    let count = i64::from(added.count);
    let source = random::Source::new(added.seed, "new tokens", name);
    normal(&source, count * width, config.initializer_range, of).view([count, width])
}

/// Number of scalars of a tensor, if they fit into memory. Allocating a size from a damaged file would abort the
/// program.
fn room(shape: &[i64]) -> Option<i64> {
    let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(usize::try_from(size).ok()?))?;
    Vec::<f32>::new().try_reserve_exact(count).ok()?;
    i64::try_from(count).ok()
}

/// The shape of a linear layer.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub out: i64,
    pub input: i64,
    pub bias: bool,
    pub transposed: bool,
}

/// The name in the checkpoint. Files of a bare model lack the prefix; the oldest ones call a norm's weight and bias
/// gamma and beta.
fn stored_name(weights: &Weights, prefix: &str, name: &str) -> String {
    let bare = name.strip_prefix(prefix).unwrap_or(name);
    let older =
        |name: &str| name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    let candidates = [name.to_owned(), bare.to_owned(), older(name), older(bare)];
    candidates.into_iter().find(|candidate| weights.contains(candidate)).unwrap_or_else(|| name.to_owned())
}
