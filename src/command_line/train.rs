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
    /// Give a field of the recipe another value; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Name of the run.
    #[arg(long = "run", value_name = "NAME")]
    name: Option<String>,
    /// Take the place of the run of that name, which is deleted once the new one is loaded.
    #[arg(long, requires = "name")]
    overwrite: bool,
    #[command(flatten)]
    pub(super) output: launch::Output,
}

pub fn run(arguments: &Arguments, runs: PathBuf) -> Result<()> {
    let mut recipe = Recipe::load(&arguments.recipe, &arguments.set)?;
    resolve_match(&mut recipe, &runs)?;
    require_paths(&recipe, &arguments.recipe)?;
    // The process that trains reads the recipe itself.
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

/// Names the columns that the recipe in this file and the fields that were set do not name, where the rows have none of the
/// usual names. What was guessed, in one sentence.
pub(super) fn guess_columns(recipe: &mut Recipe, file: &Path, set: &[String]) -> Result<Option<String>> {
    let named = named_fields(file, set)?;
    name_columns(recipe, &|field| named.contains(field))
}

/// Refuses a recipe without a model or without rows.
pub(super) fn require_paths(recipe: &Recipe, file: &Path) -> Result<()> {
    for (field, path) in [("model.path", &recipe.model.path), ("data.train", &recipe.data.train)] {
        if path.as_os_str().is_empty() {
            return Err(Error::refused(format!("{}: {field} is not given; add it", file.display())));
        }
    }
    Ok(())
}
