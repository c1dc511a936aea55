//! `spartui train RECIPE`

use std::path::{Path, PathBuf};

use super::launch;
use spartui_data::name_columns;
use spartui_engine::Launch;
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{Recipe, named_fields};
use spartui_run::resolve_match;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The recipe, a TOML file.
    recipe: PathBuf,
    /// Set a field of the recipe; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Name of the run.
    #[arg(long = "run", value_name = "NAME")]
    name: Option<String>,
    /// Replace the run of that name, which is deleted once the new one is loaded.
    #[arg(long, requires = "name")]
    overwrite: bool,
    #[command(flatten)]
    pub(super) output: launch::Output,
}

pub fn run(arguments: &Arguments, runs: PathBuf) -> Result<()> {
    let mut recipe = Recipe::load(&arguments.recipe, &arguments.set)?;
    resolve_match(&mut recipe, &runs)?;
    require_paths(&recipe, &arguments.recipe)?;
    // With an interface, another process trains, which reads the recipe itself.
    let guessed = if arguments.output.trains_here() {
        guess_columns(&mut recipe, &arguments.recipe, &arguments.set)?
    } else {
        None
    };
    let remarks = guessed.into_iter().collect();
    launch::run(
        Launch { recipe, runs, name: arguments.name.clone(), overwrite: arguments.overwrite, remarks },
        &arguments.output,
    )
}

/// Guesses the columns that neither the recipe in this file nor the fields that were set name, if the rows do not have
/// the default columns. Gives the guess in one sentence.
pub(super) fn guess_columns(recipe: &mut Recipe, file: &Path, set: &[String]) -> Result<Option<String>> {
    let named = named_fields(file, set)?;
    name_columns(recipe, &|field| named.contains(field))
}

/// Refuses a recipe without a model or without training rows.
pub(super) fn require_paths(recipe: &Recipe, file: &Path) -> Result<()> {
    for (field, path) in [("model.path", &recipe.model.path), ("data.train", &recipe.data.train)] {
        if path.as_os_str().is_empty() {
            return Err(Error::refused(format!("{}: {field} is not given; add it", file.display())));
        }
    }
    Ok(())
}
