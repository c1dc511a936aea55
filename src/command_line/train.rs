//! `spartui train RECIPE`

use std::path::{Path, PathBuf};

use super::launch;
use crate::engine::Launch;
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::run::take_count;

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
    take_count(&mut recipe, &runs)?;
    require_paths(&recipe, &arguments.recipe)?;
    launch::run(
        Launch { recipe, runs, name: arguments.name.clone(), overwrite: arguments.overwrite },
        &arguments.output,
    )
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
