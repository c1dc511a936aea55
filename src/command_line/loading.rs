//! A model with an adapter in it, ready to answer.

use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::model::{Encoder, Head};
use crate::run::Adapter;
use crate::sparse::merge;

/// Which model answers, and where.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// Folder of the model in Hugging Face layout.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Folder of an adapter for it.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// auto, cpu, cuda, cuda:N or mps.
    #[arg(long, default_value = "auto")]
    device: String,
    /// auto (as stored), float32 or bfloat16.
    #[arg(long, default_value = "auto")]
    dtype: String,
}

/// A model that can classify.
pub struct Classifier {
    pub model: Encoder,
    pub head: Head,
    pub labels: Vec<String>,
    pub tokenizer: Tokenizer,
}

impl Source {
    /// Loads model and adapter.
    ///
    /// # Errors
    /// Refuses what will not do, a model without a head among it.
    pub fn load(&self) -> Result<Classifier> {
        let mut model = Encoder::load(&self.model, &self.dtype, &self.device)?;
        let vocabulary = usize::try_from(model.config.vocab_size).unwrap_or(0);
        let tokenizer = Tokenizer::load(&self.model, vocabulary)?;
        let (head, labels) = if let Some(adapter) = &self.adapter {
            apply(adapter, &model)?
        } else {
            let missing = || {
                Error::refused(format!(
                    "{}: the model has no classification head; give the adapter of a run with --adapter DIR",
                    self.model.display()
                ))
            };
            (model.take_head().ok_or_else(missing)?, model.config.labels.clone().ok_or_else(missing)?)
        };
        Ok(Classifier { model, head, labels, tokenizer })
    }
}

/// Puts an adapter's deltas into the model's weights; its head and labels.
fn apply(folder: &Path, model: &Encoder) -> Result<(Head, Vec<String>)> {
    let parameters: Vec<(String, Vec<usize>)> =
        model.parameters.iter().map(|(name, tensor)| (name.clone(), shape(tensor))).collect();
    let adapter = Adapter::read(folder, &parameters)?;
    for delta in &adapter.deltas {
        if let Some((_, tensor)) = model.parameters.iter().find(|(name, _)| *name == delta.name) {
            let indices: Vec<i64> = delta.indices.iter().map(|&index| i64::from(index)).collect();
            merge(tensor, &indices, &delta.deltas);
        }
    }
    let part = |name: &str| {
        let part = adapter.head.iter().find(|part| part.parameter == name);
        let part = part.ok_or_else(|| {
            Error::refused(format!("{}: the adapter has no {name}; export it again", folder.display()))
        })?;
        let values: Vec<f32> = part.init.iter().zip(&part.deltas).map(|(init, delta)| init + delta).collect();
        let shape: Vec<i64> = part.shape.iter().map(|&size| size.cast_signed() as i64).collect();
        Ok::<Tensor, Error>(
            Tensor::from_slice(&values).view(shape.as_slice()).to_kind(Kind::Float).to_device(model.device),
        )
    };
    Ok((Head { weight: part("classifier.weight")?, bias: part("classifier.bias")? }, adapter.labels))
}

fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect()
}
