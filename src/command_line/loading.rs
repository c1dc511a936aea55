//! Loading a model, with or without an adapter, to use it.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tch::Tensor;

use super::origin::{Origin, Wanted};
use spartui_adapters::{Adapter, HeadDelta, LoraAdapter, OwnAdapter, Saved, about_adapter, adapter_shape};
use spartui_data::Tokenizer;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, quoted};
use spartui_facts::recipe::{MethodKind, Recipe, TaskKind};
use spartui_hub as hub;
use spartui_method::{Shape, addition_of, definition};
use spartui_model::{Head, Model, Open, Outputs, Site, listed, task_of};
use spartui_sparse::merge;

#[derive(Debug, clap::Args)]
pub struct Source {
    #[command(flatten)]
    wanted: Wanted,
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
    /// What the logits are.
    pub outputs: Outputs,
    pub tokenizer: Tokenizer,
    pub folder: PathBuf,
    /// The recipe of the run that made it, where that is known.
    pub recipe: Option<Recipe>,
}

impl Source {
    /// Loads model and adapter.
    ///
    /// # Errors
    /// Refuses what will not do, a classifier without a head among it.
    pub fn load(&self, runs: &Path) -> Result<Loaded> {
        self.load_for(None, runs)
    }

    /// As [`Source::load`], for one task and no other.
    ///
    /// # Errors
    /// As [`Source::load`], and refuses an adapter that was made for another task.
    pub fn load_for(&self, only: Option<TaskKind>, runs: &Path) -> Result<Loaded> {
        let origin = self.wanted.origin(runs)?;
        let folder = hub::resolve(&origin.model, &mut |what, fraction| super::show_progress(what, fraction))?;
        let task = match only.or(self.task.map(TaskKind::from)) {
            Some(task) => task,
            None => origin.task_of(&folder)?,
        };
        let (dtype, device) = (self.dtype.as_str(), self.device.as_str());
        let mut model = Model::open(&Open { folder: &folder, dtype, device, task, fresh: None })?;
        let vocabulary = usize::try_from(model.config.vocab_size).unwrap_or(0);
        let tokenizer = Tokenizer::load(&folder, vocabulary)?;
        tell_remarks(&model);
        let Adapted { head, labels, outputs } = match &origin.adapter {
            Some(adapter) => match adapter_shape(adapter) {
                Shape::LowRank => apply_lora(adapter, &mut model)?,
                Shape::Own => apply_own(adapter, &model)?,
                Shape::Sparse | Shape::Whole => apply(adapter, &model)?,
            },
            None => origin.own_head(&model)?,
        };
        Ok(Loaded { model, head, labels, outputs, tokenizer, folder, recipe: origin.recipe })
    }
}

impl Origin {
    fn task_of(&self, folder: &Path) -> Result<TaskKind> {
        let classifies = match &self.adapter {
            Some(adapter) => about_adapter(adapter)?.classifies,
            None => return task_of(folder, true),
        };
        Ok(if classifies { TaskKind::SequenceClassification } else { TaskKind::CausalLm })
    }

    fn own_head(&self, model: &Model) -> Result<Adapted> {
        if model.task == TaskKind::CausalLm {
            return Ok(Adapted::writer());
        }
        let missing = || {
            Error::refused(format!(
                "{}: the model has no classification head ({}); give the adapter of a run with --adapter DIR",
                self.model.display(),
                model.head_kind().names().join(", ")
            ))
        };
        let labels = model.config.labels.clone();
        Ok(Adapted {
            head: model.stored_head().ok_or_else(missing)?,
            outputs: model.config.outputs(labels.len()),
            labels,
        })
    }
}

/// What an adapter, or the model itself, makes of the outputs of the last block.
struct Adapted {
    head: Head,
    labels: Vec<String>,
    outputs: Outputs,
}

impl Adapted {
    /// Of a language model.
    fn writer() -> Self {
        Self { head: Head::none(), labels: Vec::new(), outputs: Outputs::OneLabel }
    }
}

/// Says on standard error what is to be said of a model's files.
pub fn tell_remarks(model: &Model) {
    for remark in &model.remarks {
        super::tell(if remark.warns { "warning" } else { "note" }, &remark.text);
    }
}

/// Puts an adapter's deltas into the model's weights; its head and labels.
fn apply(folder: &Path, model: &Model) -> Result<Adapted> {
    let parameters: Vec<(String, Vec<usize>)> =
        model.parameters.iter().map(|parameter| (parameter.name.clone(), shape(&parameter.tensor))).collect();
    let (adapter, strangers) = Adapter::read_noting(folder, &parameters)?;
    tell_strangers(folder, &strangers);
    check_task(folder, model, &adapter.head)?;
    for delta in &adapter.deltas {
        if let Some(parameter) = model.parameters.iter().find(|parameter| parameter.name == delta.name) {
            let indices: Vec<i64> = delta.indices.iter().map(|&index| i64::from(index)).collect();
            merge(&parameter.tensor, &indices, &delta.deltas);
        }
    }
    let head = head(folder, model, &adapter.head, adapter.labels.len())?;
    // What is trained here is one label of several.
    Ok(Adapted { head, labels: adapter.labels, outputs: Outputs::OneLabel })
}

/// Says of what parameters an adapter has something that this model does not have.
fn tell_strangers<T: AsRef<str>>(folder: &Path, names: &[T]) {
    if let Some(tensors) = listed("tensor", names) {
        let folder = folder.display();
        super::tell(
            "warning",
            &format!("{folder}: it holds {tensors} that nobody reads: this model has no place for them"),
        );
    }
}

/// Puts an adapter of low rank on top of the model's layers; its head and labels.
fn apply_lora(folder: &Path, model: &mut Model) -> Result<Adapted> {
    let adapter = LoraAdapter::read(folder)?;
    let refuse = |why: &str| Error::refused(format!("{}: {why}", folder.display()));
    check_task(folder, model, &adapter.head)?;
    let mut strangers = put_saved(folder, model, &adapter)?;
    let mut additions = Vec::new();
    for (name, factors) in &adapter.layers {
        let Some(site) = layers_of(model).find(|site| site.name == *name) else {
            strangers.push(name.clone());
            continue;
        };
        let addition =
            addition_of(site, factors).map_err(|why| refuse(&format!("{why}; it was made for another model")))?;
        additions.push((site, addition));
    }
    // What the model has and cannot have anything on top of would make another model; what it does not have is passed over.
    let of_layers = adapter.layers.iter().map(|(name, _)| name).filter(|name| strangers.contains(name));
    let mut refused = of_layers.filter(|name| model.has(name) || additions.is_empty());
    if let Some(name) = refused.next() {
        return Err(refuse(&format!(
            "the adapter is for {}, which this model does not have, or not to adapt",
            one_line(name)
        )));
    }
    tell_strangers(folder, &strangers);
    tell_missing(folder, &adapter.missing(layers_of(model).map(|site| site.name.as_str())));
    for (site, addition) in additions {
        site.overlay.set(Some(Box::new(addition)));
    }
    let count = adapter.head.last().and_then(|last| last.shape.first()).copied().unwrap_or(0);
    let of_base = Some(model.config.labels.clone()).filter(|labels| labels.len() == count);
    let labels = match of_base {
        _ if adapter.labels.len() == count => adapter.labels.clone(),
        Some(labels) => labels,
        None => (0..count).map(|label| format!("LABEL_{label}")).collect(),
    };
    if model.task == TaskKind::CausalLm {
        return Ok(Adapted::writer());
    }
    // What was trained here says so in its own config.json; peft trains what the base model's says.
    let outputs = if adapter.is_own() { Outputs::OneLabel } else { model.config.outputs(count) };
    Ok(Adapted { head: head(folder, model, &adapter.head, count)?, labels, outputs })
}

/// Puts what only its own method understands on the model's layers; its head and labels.
fn apply_own(folder: &Path, model: &Model) -> Result<Adapted> {
    let adapter = OwnAdapter::read(folder)?;
    let refuse = |why: &str| Error::refused(format!("{}: {why}", folder.display()));
    check_task(folder, model, &adapter.head)?;
    let kind = MethodKind::ALL.into_iter().find(|kind| kind.name() == adapter.method);
    let unknown =
        || refuse(&format!("it is one of the method {}, which this version does not know", quoted(&adapter.method)));
    let overlays = definition(kind.ok_or_else(unknown)?).overlays(&adapter.learned, model);
    for (site, overlay) in overlays.map_err(|why| refuse(&format!("{why}; it was made for another model")))? {
        model.sites[site].overlay.set(Some(overlay));
    }
    let head = head(folder, model, &adapter.head, adapter.labels.len())?;
    Ok(Adapted { head, labels: adapter.labels, outputs: Outputs::OneLabel })
}

/// The layers that an adapter of low rank may adapt.
fn layers_of(model: &Model) -> impl Iterator<Item = &Site> {
    model.sites.iter().chain(&model.others)
}

/// Gives modules that an adapter saved whole their values; names that the model does not have.
fn put_saved(folder: &Path, model: &mut Model, adapter: &LoraAdapter) -> Result<Vec<String>> {
    let refuse = |why: String| Error::refused(format!("{}: {why}; it was made for another model", folder.display()));
    let of_head = model.head_kind().names();
    // The pooler of a BERT that has one is no part of its head.
    let of_model = adapter.head.iter().filter(|part| !of_head.contains(&part.parameter.as_str()));
    let of_model = of_model.map(|part| (&part.parameter, &part.shape, &part.init));
    let saved = adapter.saved.iter().map(|Saved { name, shape, values }| (name, shape, values));
    let mut strangers = Vec::new();
    for (name, shape, values) in of_model.chain(saved) {
        if !model.has(name) {
            strangers.push(name.clone());
            continue;
        }
        let shape: Vec<i64> = shape.iter().map(|&size| size.cast_signed() as i64).collect();
        model.replace(name, &Tensor::from_slice(values).view(shape.as_slice())).map_err(refuse)?;
    }
    Ok(strangers)
}

/// Says of which layers an adapter lacks what it says it has, as peft does: they stay as the base model has them.
fn tell_missing(folder: &Path, names: &[&str]) {
    if let Some(layers) = listed("layer", names) {
        let folder = folder.display();
        super::tell(
            "warning",
            &format!("{folder}: it lacks {layers} of its target_modules; the base model's weights are used there"),
        );
    }
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
