//! The options that name a model and an adapter, and the recipe of the run that made them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::show_progress;
use super::states::StateOptions;
use spartui_adapters::about_adapter;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_facts::recipe::Recipe;
use spartui_hub as hub;
use spartui_method::{Shape, definition};
use spartui_run::{RunFolder, refuse_race};

#[derive(Debug, clap::Args)]
pub struct ModelOptions {
    /// Folder of the model in Hugging Face layout, or its name on the hub such as owner/name. Not needed with --run, or
    /// with an adapter that names its model.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Folder of an adapter.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// A run, by name or folder, instead of both: its model with its adapter.
    #[arg(long, value_name = "RUN", conflicts_with = "adapter")]
    run: Option<PathBuf>,
    #[command(flatten)]
    state: StateOptions,
}

/// A model with its adapter.
#[derive(Debug)]
pub struct Origin {
    /// The model: its folder, or its name on the hub.
    pub model: PathBuf,
    /// Folder of the adapter, if there is one.
    pub adapter: Option<PathBuf>,
    /// The recipe of the run that made it, if known.
    pub recipe: Option<Recipe>,
    /// The temporary folder of a kept state, which is removed on drop.
    _scratch: Option<TempDir>,
}

impl ModelOptions {
    /// Finds the model and the adapter that the options name.
    ///
    /// # Errors
    /// Refuses a run without a result, an adapter that does not name its model, and options that name nothing.
    pub fn origin(&self, runs: &Path) -> Result<Origin> {
        if self.state.at.is_some() && self.run.is_none() {
            return Err(Error::refused("--at names a state of a run; name the run with --run"));
        }
        match (&self.run, &self.adapter, &self.model) {
            (Some(run), ..) => self.of_run(&RunFolder::find(runs, run)?),
            (None, Some(adapter), model) => {
                let model = model.clone().map_or_else(|| model_of(adapter), Ok)?;
                Ok(Origin { model, adapter: Some(adapter.clone()), recipe: recipe_of(adapter), _scratch: None })
            }
            (None, None, Some(model)) => {
                Ok(Origin { model: model.clone(), adapter: None, recipe: recipe_of(model), _scratch: None })
            }
            (None, None, None) => Err(Error::refused(
                "no model is named; give a run with --run NAME, an adapter with --adapter DIR, or a model with --model DIR",
            )),
        }
    }

    fn of_run(&self, run: &RunFolder) -> Result<Origin> {
        refuse_race(run, "--run ")?;
        let whole = definition(run.recipe().method.kind).shape(&run.recipe().method) == Shape::Whole;
        let (result, scratch) = match self.state.find(run)? {
            Some(chosen) => {
                let scratch = tempfile::tempdir()
                    .map_err(|error| Error::failed(format!("no temporary folder can be made: {error}; set TMPDIR")))?;
                let folder = scratch.path().join("state");
                let base = hub::resolve(&run.recipe().model.path, &mut |what, share| show_progress(what, share))?;
                let kept = chosen.read(run, base)?;
                match kept.exported() {
                    Some(adapter) => adapter.write(&folder, &kept.parameters(), None)?,
                    None => kept.write_model(&folder)?,
                };
                (folder, Some(scratch))
            }
            None => (if whole { run.model_path() } else { run.adapter_path() }, None),
        };
        if !result.is_dir() {
            return Err(Error::refused(format!(
                "{} has no {} yet; choose one of its kept states with --at last or --at STEP",
                run.name(),
                if whole { "model" } else { "adapter" }
            )));
        }
        let recipe = Some(run.recipe().clone());
        let model = self.model.clone().unwrap_or_else(|| run.recipe().model.path.clone());
        Ok(if whole {
            Origin { model: result, adapter: None, recipe, _scratch: scratch }
        } else {
            Origin { model, adapter: Some(result), recipe, _scratch: scratch }
        })
    }
}

/// The base model that an adapter names.
fn model_of(adapter: &Path) -> Result<PathBuf> {
    let model = about_adapter(adapter)?.base;
    let known = model.is_dir() || spartui_facts::recipe::is_hub_name(&model.to_string_lossy());
    if known {
        return Ok(model);
    }
    Err(Error::refused(format!(
        "{} names {} as its model, which does not exist; give the model with --model DIR",
        place(adapter),
        place(&model)
    )))
}

/// The recipe of the run in whose folder an adapter or a model is.
fn recipe_of(result: &Path) -> Option<Recipe> {
    let result = std::fs::canonicalize(result).ok()?;
    let run = RunFolder::open(result.parent()?).ok()?;
    let is_its_own = [run.adapter_path(), run.model_path()].contains(&result);
    is_its_own.then(|| run.recipe().clone())
}
