//! Export of a stored state, as its run would have exported it at that step. It needs no row of the data.

use std::path::PathBuf;

use tch::Tensor;

use super::checkpoint::{held, largest_of};
use super::export::{ExportContext, write_whole};
use super::{Opening, Snapshot, TrainedHead, start_from_adapter, starting_head};
use spartui_adapters::AnyAdapter;
use spartui_data::Tokenizer;
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{Recipe, TaskKind};
use spartui_method::{self as method, Learned, State};
use spartui_model::{Head, Model};
use spartui_run::{Checkpoint, Found, read_checkpoint};

/// A stored state, with its model.
#[derive(Debug)]
pub struct Kept {
    model: Model,
    base: PathBuf,
    snapshot: Snapshot,
    labels: Vec<String>,
    head: Head,
    start: Head,
    learned: Learned,
}

impl Kept {
    /// Reads a checkpoint of a run with this recipe, whose model is in the folder `base`. `labels` is called where the
    /// checkpoint does not hold the labels, as in earlier versions.
    ///
    /// # Errors
    /// Refuses a checkpoint that is damaged or does not fit, and a model that cannot be read.
    pub fn read(
        found: &Found,
        recipe: &Recipe,
        base: PathBuf,
        labels: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<Self> {
        let opening = Opening {
            // Computing in float16 needs a CUDA device; an export does not compute.
            dtype: if recipe.model.dtype == "float16" { "auto" } else { &recipe.model.dtype },
            device: "cpu",
            ..Opening::of(recipe, &base)
        };
        let (model, tokenizer) = opening.open(recipe)?;
        let checkpoint = read_checkpoint(found, largest_of(model.base_parameters()))?;
        Self::of(&checkpoint, recipe, (model, &tokenizer, base), labels)
    }

    fn of(
        checkpoint: &Checkpoint,
        recipe: &Recipe,
        (model, tokenizer, base): (Model, &Tokenizer, PathBuf),
        labels: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<Self> {
        let mut snapshot = held(checkpoint, recipe)?.snapshot;
        let labels = match recipe.task.kind {
            TaskKind::CausalLm => Vec::new(),
            TaskKind::SequenceClassification if snapshot.labels.is_empty() => labels()?,
            TaskKind::SequenceClassification => snapshot.labels.to_vec(),
        };
        let start = match recipe.task.kind {
            TaskKind::CausalLm => Head::none(),
            TaskKind::SequenceClassification => starting_head(recipe, &model, &labels, tokenizer)?,
        };
        let refuse = |why: String| Error::refused(format!("the state of step {} does not fit: {why}", snapshot.step));
        let by_itself = method::definition(recipe.method.kind).learned(&snapshot.method, &model, snapshot.step);
        let (start, learned) = match by_itself {
            Some(learned) => (start, learned),
            None => {
                let mut method = method::build(&recipe.method, &model, &start, recipe.optimizer.betas)?;
                let start = start_from_adapter(recipe, &model, method.as_mut(), start)?;
                method.restore(&snapshot.method, &snapshot.recipe.method, snapshot.step).map_err(refuse)?;
                (start, Ok(method.export()))
            }
        };
        let trained = TrainedHead::new(start);
        let head = trained.of_state(&snapshot.head).map_err(refuse)?;
        let learned = learned.map_err(|why| refuse_state(&snapshot, &why))?;
        if learned != Learned::Whole {
            snapshot.method = State::default();
        }
        Ok(Self { model, base, labels, head, start: trained.start, learned, snapshot })
    }

    /// The adapter of this state; none where every parameter trains, for which [`Kept::write_model`] writes a complete
    /// model.
    #[must_use]
    pub fn exported(&self) -> Option<AnyAdapter> {
        self.export_context().exported(&self.learned)
    }

    /// Names of the model's parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&str> {
        self.model.parameters.iter().map(|parameter| parameter.name.as_str()).collect()
    }

    /// Writes the complete model of a run that trained every parameter.
    ///
    /// # Errors
    /// Refuses a state without some of the model's weights, and fails where the folder cannot be written.
    pub fn write_model(&self, folder: &std::path::Path) -> Result<u64> {
        let tensors = self.model.parameters.iter().map(|parameter| {
            let name = method::stored_value(&parameter.name);
            let dense = self.snapshot.method.tensors.iter().find(|dense| dense.name == name);
            let fits = dense.filter(|dense| dense.shape == parameter.tensor.size());
            let dense =
                fits.ok_or_else(|| refuse_state(&self.snapshot, &format!("{name} is missing or has another shape")))?;
            let value = Tensor::from_slice(&dense.values).view(dense.shape.as_slice()).to_kind(self.model.kind);
            Ok((parameter.name.clone(), value))
        });
        let tensors = tensors.collect::<Result<Vec<_>>>()?;
        write_whole(&self.export_context(), tensors, &self.base, folder)
    }

    fn export_context(&self) -> ExportContext<'_> {
        ExportContext {
            recipe: &self.snapshot.recipe,
            model: &self.model,
            labels: &self.labels,
            head: &self.head,
            start: &self.start,
        }
    }
}

fn refuse_state(snapshot: &Snapshot, why: &str) -> Error {
    Error::refused(format!("the state of step {} does not fit: {why}; use another one", snapshot.step))
}
