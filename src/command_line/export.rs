//! `spartui export`

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{end_progress, print_line, show_progress};
use crate::error::{Error, Result};
use crate::hub;
use crate::model::Model;
use crate::recipe::{MethodKind, Recipe};
use crate::run::{Adapter, RunFolder, write_merged};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run: its name or its folder.
    run: PathBuf,
    /// sparta: as the run left it, for peft-sparta; keyed: without indices, a fraction of that; merged: a complete model.
    #[arg(long, value_name = "FORMAT")]
    format: Format,
    /// Folder for the result.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Sparta,
    Keyed,
    Merged,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let run = RunFolder::find(runs, &arguments.run)?;
    let recipe = run.recipe();
    if recipe.method.kind == MethodKind::Full {
        return Err(Error::refused(format!(
            "{} trained every parameter: {} is the complete model already; copy that folder",
            run.name(),
            run.model_path().display()
        )));
    }
    let base = hub::resolve(&recipe.model.path, &mut |what, fraction| show_progress(what, fraction))?;
    let adapter = Adapter::read(&run.adapter_path(), &parameters(recipe, &base)?)?;
    let bytes = match arguments.format {
        Format::Sparta => adapter.write(&arguments.output, Some(&base))?,
        Format::Keyed => {
            let keyed = adapter.to_keyed(recipe.method.seed).ok_or_else(|| {
                Error::refused(format!(
                    "{}: its trained scalars are not those of one keyed selection, since some were retired or its densities \
                     were changed by hand; take --format sparta",
                    run.name()
                ))
            })?;
            keyed.write(&arguments.output, Some(&base))?
        }
        Format::Merged => {
            write_merged(&base, &adapter, &arguments.output, &mut |share| show_progress("writing", Some(share)))?
        }
    };
    end_progress();
    print_line(&format!("{} KiB in {}", bytes.div_ceil(1024), arguments.output.display()))
}

/// Names and shapes of the model's parameters, without a look at their values.
fn parameters(recipe: &Recipe, base: &Path) -> Result<Vec<(String, Vec<usize>)>> {
    let model = Model::load(base, "auto", "cpu", recipe.task.kind)?;
    let parameters = model.parameters.iter().map(|parameter| {
        let shape = parameter.tensor.size().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect();
        (parameter.name.clone(), shape)
    });
    Ok(parameters.collect())
}
