//! Loading a model, with or without an adapter, for inference.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tch::Tensor;

use super::origin::{ModelOptions, Origin};
use spartui_adapters::{Adapter, HeadDelta, LoraAdapter, NewTokens, OwnAdapter, Saved, about_adapter, adapter_shape};
use spartui_data::Tokenizer;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, quoted};
use spartui_facts::recipe::{MethodKind, Recipe, TaskKind};
use spartui_hub as hub;
use spartui_method::{Shape, addition_of, definition};
use spartui_model::{AddedRows, Head, Model, Open, Outputs, Site, listed, task_of};
use spartui_sparse::merge;
use spartui_train::ExtendedTokenizer;

#[derive(Debug, clap::Args)]
pub struct Source {
    #[command(flatten)]
    model: ModelOptions,
    /// auto, cpu, cuda, cuda:N or mps.
    #[arg(long, default_value = "auto")]
    device: String,
    /// auto (as stored), float32, bfloat16 or float16.
    #[arg(long, default_value = "auto")]
    dtype: String,
    /// Task of the model; default: the task for which adapter and model were made.
    #[arg(long, value_name = "KIND")]
    task: Option<Kind>,
}

/// The task of a model.
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
    /// The classification head; empty for a language model.
    pub head: Head,
    /// The labels in the order of the logits; empty for a language model.
    pub labels: Vec<String>,
    /// The meaning of the logits.
    pub outputs: Outputs,
    pub tokenizer: Tokenizer,
    pub folder: PathBuf,
    /// The recipe of the run that made it, if known.
    pub recipe: Option<Recipe>,
}

impl Source {
    /// Loads model and adapter.
    ///
    /// # Errors
    /// Refuses invalid options and files, and a classifier without a head.
    pub fn load(&self, runs: &Path) -> Result<Loaded> {
        self.load_for(None, runs)
    }

    /// As [`Source::load`], for one task only.
    ///
    /// # Errors
    /// As [`Source::load`], and refuses an adapter that was made for another task.
    pub fn load_for(&self, only: Option<TaskKind>, runs: &Path) -> Result<Loaded> {
        let origin = self.model.origin(runs)?;
        let folder = hub::resolve(&origin.model, &mut |what, fraction| super::show_progress(what, fraction))?;
        let task = match only.or(self.task.map(TaskKind::from)) {
            Some(task) => task,
            None => origin.task_of(&folder)?,
        };
        let (dtype, device) = (self.dtype.as_str(), self.device.as_str());
        let new_tokens = origin.adapter.as_deref().map_or(Ok(NewTokens::default()), NewTokens::of_adapter)?;
        let added = AddedRows { count: u32::try_from(new_tokens.count()).unwrap_or(u32::MAX), seed: 0 };
        let mut model = Model::open(&Open { folder: &folder, dtype, device, task, fresh: None, added })?;
        let tokenizer = tokenizer(&model, &folder, origin.adapter.as_deref(), &new_tokens)?;
        set_new_rows(&model, &new_tokens)?;
        print_remarks(&model);
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

/// The model's tokenizer with an adapter's new tokens; where they have other ids in it, the tokenizer beside the adapter.
fn tokenizer(model: &Model, folder: &Path, adapter: Option<&Path>, new_tokens: &NewTokens) -> Result<Tokenizer> {
    let texts: Vec<String> = new_tokens.tokens.iter().map(|(text, _)| text.clone()).collect();
    let extended = ExtendedTokenizer::read(folder, &texts);
    let same_ids = |extended: &ExtendedTokenizer| {
        extended.new.iter().map(|token| token.id).eq(new_tokens.tokens.iter().map(|(_, id)| *id))
    };
    match (extended, adapter.filter(|_| !new_tokens.is_empty())) {
        (Ok(extended), _) if same_ids(&extended) => Ok(extended.tokenizer),
        (_, Some(adapter)) => Tokenizer::load(adapter, usize::try_from(model.config.vocab_size).unwrap_or(0)),
        (extended, None) => extended.map(|extended| extended.tokenizer),
    }
}

/// Sets the rows of an adapter's new tokens to their values before training.
fn set_new_rows(model: &Model, new_tokens: &NewTokens) -> Result<()> {
    for place in model.matrices_with_added_rows() {
        let name = &model.parameters[place].name;
        let rows = new_tokens.rows.iter().find(|rows| rows.parameter == *name);
        let rows =
            rows.filter(|rows| rows.shape[1].cast_signed() as i64 == model.config.hidden_size).ok_or_else(|| {
                Error::refused(format!(
                    "the adapter adds tokens and has no rows of {name} for them; it was made for another model"
                ))
            })?;
        let [count, width] = rows.shape.map(|size| size.cast_signed() as i64);
        model.set_added_rows(place, &Tensor::from_slice(&rows.init).view([count, width]));
    }
    Ok(())
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
            return Ok(Adapted::language_model());
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

/// The head of an adapter or of the model itself, which is applied to the outputs of the last block.
struct Adapted {
    head: Head,
    labels: Vec<String>,
    outputs: Outputs,
}

impl Adapted {
    /// The empty head of a language model.
    fn language_model() -> Self {
        Self { head: Head::none(), labels: Vec::new(), outputs: Outputs::OneLabel }
    }
}

/// Prints the remarks on a model's files on standard error.
pub fn print_remarks(model: &Model) {
    for remark in &model.remarks {
        super::print_note(if remark.warns { "warning" } else { "note" }, &remark.text);
    }
}

/// Adds an adapter's deltas to the model's weights; gives its head and labels.
fn apply(folder: &Path, model: &Model) -> Result<Adapted> {
    let parameters: Vec<(String, Vec<usize>)> =
        model.parameters.iter().map(|parameter| (parameter.name.clone(), shape(&parameter.tensor))).collect();
    let (adapter, unused) = Adapter::read_noting(folder, &parameters)?;
    warn_unused_tensors(folder, &unused);
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

/// Warns of tensors of an adapter for parameters that the model does not have.
fn warn_unused_tensors<T: AsRef<str>>(folder: &Path, names: &[T]) {
    if let Some(tensors) = listed("tensor", names) {
        let folder = folder.display();
        super::print_note(
            "warning",
            &format!("{folder}: it holds {tensors} that nobody reads: this model has no place for them"),
        );
    }
}

/// Applies a low-rank adapter to the model's layers; gives its head and labels.
fn apply_lora(folder: &Path, model: &mut Model) -> Result<Adapted> {
    let adapter = LoraAdapter::read(folder)?;
    let refuse = |why: &str| Error::refused(format!("{}: {why}", folder.display()));
    check_task(folder, model, &adapter.head)?;
    let mut unused = put_saved(folder, model, &adapter)?;
    let mut additions = Vec::new();
    for (name, factors) in &adapter.layers {
        let Some(site) = layers_of(model).find(|site| site.name == *name) else {
            unused.push(name.clone());
            continue;
        };
        let addition =
            addition_of(site, factors).map_err(|why| refuse(&format!("{why}; it was made for another model")))?;
        additions.push((site, addition));
    }
    // An adapter for a layer that exists but cannot be adapted is refused; layers that do not exist are ignored with a
    // warning.
    let of_layers = adapter.layers.iter().map(|(name, _)| name).filter(|name| unused.contains(name));
    let mut refused = of_layers.filter(|name| model.has(name) || additions.is_empty());
    if let Some(name) = refused.next() {
        return Err(refuse(&format!(
            "the adapter is for {}, which this model does not have or cannot adapt",
            one_line(name)
        )));
    }
    warn_unused_tensors(folder, &unused);
    warn_missing_layers(folder, &adapter.missing(layers_of(model).map(|site| site.name.as_str())));
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
        return Ok(Adapted::language_model());
    }
    // An adapter of this program has one label for each row; for one of PEFT, config.json of the base model decides.
    let outputs = if adapter.is_own() { Outputs::OneLabel } else { model.config.outputs(count) };
    Ok(Adapted { head: head(folder, model, &adapter.head, count)?, labels, outputs })
}

/// Applies an adapter in the format of its own method to the model's layers; gives its head and labels.
fn apply_own(folder: &Path, model: &Model) -> Result<Adapted> {
    let adapter = OwnAdapter::read(folder)?;
    let refuse = |why: &str| Error::refused(format!("{}: {why}", folder.display()));
    check_task(folder, model, &adapter.head)?;
    let kind = MethodKind::ALL.into_iter().find(|kind| kind.name() == adapter.method);
    let unknown = || refuse(&format!("its method is {}, which this version does not know", quoted(&adapter.method)));
    let overlays = definition(kind.ok_or_else(unknown)?).overlays(&adapter.learned, model);
    for (site, overlay) in overlays.map_err(|why| refuse(&format!("{why}; it was made for another model")))? {
        model.sites[site].overlay.set(Some(overlay));
    }
    let head = head(folder, model, &adapter.head, adapter.labels.len())?;
    Ok(Adapted { head, labels: adapter.labels, outputs: Outputs::OneLabel })
}

/// The layers that a low-rank adapter may adapt.
fn layers_of(model: &Model) -> impl Iterator<Item = &Site> {
    model.sites.iter().chain(&model.others)
}

/// Replaces the parameters that an adapter saved whole; gives the names of those that the model does not have.
fn put_saved(folder: &Path, model: &mut Model, adapter: &LoraAdapter) -> Result<Vec<String>> {
    let refuse = |why: String| Error::refused(format!("{}: {why}; it was made for another model", folder.display()));
    let of_head = model.head_kind().names();
    // The pooler of a BERT model is not a part of its head.
    let of_model = adapter.head.iter().filter(|part| !of_head.contains(&part.parameter.as_str()));
    let of_model = of_model.map(|part| (&part.parameter, &part.shape, &part.init));
    let saved = adapter.saved.iter().map(|Saved { name, shape, values }| (name, shape, values));
    let mut unused = Vec::new();
    for (name, shape, values) in of_model.chain(saved) {
        if !model.has(name) {
            unused.push(name.clone());
            continue;
        }
        let shape: Vec<i64> = shape.iter().map(|&size| size.cast_signed() as i64).collect();
        model.replace(name, &Tensor::from_slice(values).view(shape.as_slice())).map_err(refuse)?;
    }
    Ok(unused)
}

/// Warns, as PEFT does, of layers that an adapter names but has no tensors for: they stay as in the base model.
fn warn_missing_layers(folder: &Path, names: &[&str]) {
    if let Some(layers) = listed("layer", names) {
        let folder = folder.display();
        super::print_note(
            "warning",
            &format!("{folder}: it lacks {layers} of its target_modules; the base model's weights are used there"),
        );
    }
}

/// Checks that an adapter has a head if the model classifies, and none if it is a language model.
fn check_task(folder: &Path, model: &Model, head: &[HeadDelta]) -> Result<()> {
    let refuse = |why: &str| Err(Error::refused(format!("{}: {why}", folder.display())));
    match (model.task, head.is_empty()) {
        (TaskKind::CausalLm, false) => refuse("the adapter is that of a classifier; leave --task out"),
        (TaskKind::SequenceClassification, true) => {
            refuse("the adapter is a language model's and has no classification head; leave --task out")
        }
        _ => Ok(()),
    }
}

/// The head of an adapter with this number of labels.
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
