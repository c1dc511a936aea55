//! Loading a model, with or without an adapter, to use it.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tch::Tensor;

use crate::data::{Tokenizer, one_line};
use crate::error::{Error, Result};
use crate::hub;
use crate::method::addition_of;
use crate::model::{Config, Family, Head, Model, Open};
use crate::recipe::TaskKind;
use crate::run::{Adapter, HeadDelta, LoraAdapter, adapter_contents, is_lora};
use crate::sparse::merge;

#[derive(Debug, clap::Args)]
pub struct Source {
    /// Folder of the model in Hugging Face layout, or its name on the hub such as owner/name.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Folder of an adapter for it.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// auto, cpu, cuda, cuda:N or mps.
    #[arg(long, default_value = "auto")]
    device: String,
    /// auto (as stored), float32, bfloat16 or float16.
    #[arg(long, default_value = "auto")]
    dtype: String,
    /// What the model is used for; where it is not given, what adapter and model were made for.
    #[arg(long, value_name = "KIND")]
    task: Option<Kind>,
}

/// What a model is used for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    SequenceClassification,
    CausalLm,
}

impl From<Kind> for TaskKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::SequenceClassification => Self::SequenceClassification,
            Kind::CausalLm => Self::CausalLm,
        }
    }
}

/// A model that is ready for use.
pub struct Loaded {
    pub model: Model,
    /// None for a language model.
    pub head: Head,
    /// In the order of the logits; empty for a language model.
    pub labels: Vec<String>,
    pub tokenizer: Tokenizer,
    pub folder: PathBuf,
}

impl Source {
    /// Loads model and adapter.
    ///
    /// # Errors
    /// Refuses what will not do, a classifier without a head among it.
    pub fn load(&self) -> Result<Loaded> {
        self.load_for(None)
    }

    /// As [`Source::load`], for one task and no other.
    ///
    /// # Errors
    /// As [`Source::load`], and refuses an adapter that was made for another task.
    pub fn load_for(&self, only: Option<TaskKind>) -> Result<Loaded> {
        let folder = hub::resolve(&self.model, &mut |what, fraction| super::show_progress(what, fraction))?;
        let task = match only.or(self.task.map(TaskKind::from)) {
            Some(task) => task,
            None => self.task_of(&folder)?,
        };
        let (dtype, device) = (self.dtype.as_str(), self.device.as_str());
        let model = Model::open(&Open { folder: &folder, dtype, device, task, fresh: None })?;
        let vocabulary = usize::try_from(model.config.vocab_size).unwrap_or(0);
        let tokenizer = Tokenizer::load(&folder, vocabulary)?;
        let (head, labels) = match &self.adapter {
            Some(adapter) if is_lora(adapter) => apply_lora(adapter, &model)?,
            Some(adapter) => apply(adapter, &model)?,
            None => self.own_head(&model)?,
        };
        Ok(Loaded { model, head, labels, tokenizer, folder })
    }

    fn task_of(&self, folder: &Path) -> Result<TaskKind> {
        let classifies = match &self.adapter {
            Some(adapter) if is_lora(adapter) => !LoraAdapter::read(adapter)?.head.is_empty(),
            Some(adapter) => !adapter_contents(adapter)?.labels.is_empty(),
            None => is_classifier(&Config::load(folder)?),
        };
        Ok(if classifies { TaskKind::SequenceClassification } else { TaskKind::CausalLm })
    }

    fn own_head(&self, model: &Model) -> Result<(Head, Vec<String>)> {
        if model.task == TaskKind::CausalLm {
            return Ok((Head::none(), Vec::new()));
        }
        let missing = || {
            Error::refused(format!(
                "{}: the model has no classification head; give the adapter of a run with --adapter DIR",
                self.model.display()
            ))
        };
        Ok((model.stored_head().ok_or_else(missing)?, model.config.labels.clone().ok_or_else(missing)?))
    }
}

/// Whether a model without an adapter is one that classifies: an encoder, or a decoder whose config.json says so.
fn is_classifier(config: &Config) -> bool {
    let names = config.json.get("architectures").and_then(|names| names.as_array());
    let says = |name: &serde_json::Value| name.as_str().is_some_and(|name| name.ends_with("ForSequenceClassification"));
    match config.family {
        Family::Bert | Family::Roberta | Family::Distilbert => true,
        _ => names.is_some_and(|names| names.iter().any(says)),
    }
}

/// Puts an adapter's deltas into the model's weights; its head and labels.
fn apply(folder: &Path, model: &Model) -> Result<(Head, Vec<String>)> {
    let parameters: Vec<(String, Vec<usize>)> =
        model.parameters.iter().map(|parameter| (parameter.name.clone(), shape(&parameter.tensor))).collect();
    let adapter = Adapter::read(folder, &parameters)?;
    check_task(folder, model, &adapter.head)?;
    for delta in &adapter.deltas {
        if let Some(parameter) = model.parameters.iter().find(|parameter| parameter.name == delta.name) {
            let indices: Vec<i64> = delta.indices.iter().map(|&index| i64::from(index)).collect();
            merge(&parameter.tensor, &indices, &delta.deltas);
        }
    }
    Ok((head(folder, model, &adapter.head, adapter.labels.len())?, adapter.labels))
}

/// Puts an adapter of low rank on top of the model's layers; its head and labels.
fn apply_lora(folder: &Path, model: &Model) -> Result<(Head, Vec<String>)> {
    let adapter = LoraAdapter::read(folder)?;
    let refuse = |why: &str| Error::refused(format!("{}: {why}", folder.display()));
    check_task(folder, model, &adapter.head)?;
    let mut additions = Vec::new();
    for (name, factors) in &adapter.layers {
        let site = model.sites.iter().find(|site| site.name == *name);
        let site = site.ok_or_else(|| {
            refuse(&format!("the adapter is for {}, which this model does not have, or not to adapt", one_line(name)))
        })?;
        let addition =
            addition_of(site, factors).map_err(|why| refuse(&format!("{why}; it was made for another model")))?;
        additions.push((site, addition));
    }
    for (site, addition) in additions {
        site.addition.set(Some(addition));
    }
    let count = adapter.head.last().and_then(|last| last.shape.first()).copied().unwrap_or(0);
    let of_base = model.config.labels.clone().filter(|labels| labels.len() == count);
    let labels = match of_base {
        _ if adapter.labels.len() == count => adapter.labels,
        Some(labels) => labels,
        None => (0..count).map(|label| format!("LABEL_{label}")).collect(),
    };
    Ok((head(folder, model, &adapter.head, count)?, labels))
}

/// Whether a head is there where the model classifies, and not where it writes.
fn check_task(folder: &Path, model: &Model, head: &[HeadDelta]) -> Result<()> {
    let refuse = |why: &str| Err(Error::refused(format!("{}: {why}", folder.display())));
    match (model.task, head.is_empty()) {
        (TaskKind::CausalLm, false) => refuse("the adapter classifies; leave --task out"),
        (TaskKind::SequenceClassification, true) => {
            refuse("the adapter is a language model's and has no classification head; leave --task out")
        }
        _ => Ok(()),
    }
}

/// The head of an adapter for so many labels.
fn head(folder: &Path, model: &Model, parts: &[HeadDelta], labels: usize) -> Result<Head> {
    let refuse = |why: &str| Error::refused(format!("{}: {why}", folder.display()));
    let kind = model.head_kind();
    let expected = kind.shapes(labels.cast_signed() as i64, model.config.hidden_size);
    let tensors = kind.names().iter().zip(expected).map(|(name, expected)| {
        let part = parts.iter().find(|part| part.parameter == *name);
        let part = part.ok_or_else(|| refuse(&format!("the adapter has no {name}; it was made for another model")))?;
        let shape: Vec<i64> = part.shape.iter().map(|&size| size.cast_signed() as i64).collect();
        if shape != expected {
            return Err(refuse(&format!(
                "{name} has the shape {shape:?}, not {expected:?}; it was made for another model"
            )));
        }
        let values: Vec<f32> = part.init.iter().zip(&part.deltas).map(|(init, delta)| init + delta).collect();
        Ok(Tensor::from_slice(&values).view(shape.as_slice()).to_device(model.device))
    });
    Ok(Head { kind, tensors: tensors.collect::<Result<_>>()? })
}

fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect()
}
