//! `spartui export`

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tch::Kind;

use super::{end_progress, print_line, show_progress};
use crate::data::one_line;
use crate::error::{Error, Result};
use crate::hub;
use crate::method::addition_of;
use crate::model::Model;
use crate::recipe::{MethodKind, Recipe};
use crate::run::{Adapter, LoraAdapter, Product, RunFolder, refuse_race, write_merged};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run: its name or its folder.
    run: PathBuf,
    /// sparta: as the run left it, for peft-sparta; keyed: without indices, a fraction of that; lora: as the run left it, for
    /// peft; merged: a complete model.
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
    Lora,
    Merged,
}

/// What is to be said of an encoder's adapter in peft-sparta's format.
const ENCODER: &str = "the model is an encoder, and peft-sparta's own loader knows decoders only; spartui loads this adapter \
                       (predict and evaluate --adapter), and --format merged gives a model that transformers loads";

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let run = RunFolder::find(runs, &arguments.run)?;
    refuse_race(&run, "spartui export ")?;
    let recipe = run.recipe();
    if recipe.method.kind == MethodKind::Full {
        return Err(Error::refused(format!(
            "{} trained every parameter: {} is the complete model already; copy that folder",
            run.name(),
            run.model_path().display()
        )));
    }
    let base = hub::resolve(&recipe.model.path, &mut |what, fraction| show_progress(what, fraction))?;
    let bytes = match (recipe.method.kind, arguments.format) {
        (MethodKind::Lora, Format::Lora | Format::Merged) => lora(arguments, &run, &base)?,
        (MethodKind::Lora, _) => return Err(other_format(&run, "lora")),
        (_, Format::Lora) => return Err(other_format(&run, "sparta")),
        _ => sparta(arguments, &run, &base)?,
    };
    end_progress();
    print_line(&format!("{} KiB in {}", bytes.div_ceil(1024), arguments.output.display()))
}

fn other_format(run: &RunFolder, its_own: &str) -> Error {
    Error::refused(format!("{} was trained with another method; take --format {its_own} or merged", run.name()))
}

fn sparta(arguments: &Arguments, run: &RunFolder, base: &Path) -> Result<u64> {
    let recipe = run.recipe();
    let model = open(recipe, base)?;
    let adapter = Adapter::read(&run.adapter_path(), &parameters(&model))?;
    match arguments.format {
        Format::Keyed => {
            let keyed = adapter.to_keyed(recipe.method.seed).ok_or_else(|| {
                Error::refused(format!(
                    "{}: its trained scalars are not those of one keyed selection, since some were retired or its densities \
                     were changed by hand; take --format sparta",
                    run.name()
                ))
            })?;
            keyed.write(&arguments.output, Some(base))
        }
        Format::Merged => write_merged(base, &adapter, &[], &arguments.output, &mut writing),
        Format::Sparta | Format::Lora => {
            let bytes = adapter.write(&arguments.output, Some(base))?;
            if !model.config.family.is_decoder() {
                super::tell("note", ENCODER);
            }
            Ok(bytes)
        }
    }
}

fn lora(arguments: &Arguments, run: &RunFolder, base: &Path) -> Result<u64> {
    let adapter = LoraAdapter::read(&run.adapter_path())?;
    let model = open(run.recipe(), base)?;
    if matches!(arguments.format, Format::Lora) {
        let names: Vec<&str> = model.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        return adapter.write(&arguments.output, &names, Some(base));
    }
    let products = adapter.layers.iter().map(|(name, factors)| {
        let refuse =
            |why: String| Error::refused(format!("{}: {why}; export the run again", run.adapter_path().display()));
        let site = model.sites.iter().find(|site| site.name == *name);
        let site = site.ok_or_else(|| refuse(format!("the model has no layer {}", one_line(name))))?;
        let addition = addition_of(site, factors).map_err(refuse)?;
        let by_output = addition.factor.map(|factor| Vec::<f32>::try_from(factor.to_kind(Kind::Float)));
        Ok(Product::new(name, site.transposed, factors, by_output.transpose()?))
    });
    let products = products.collect::<Result<Vec<_>>>()?;
    let whole = adapter.with_head_only(parameters(&model), adapter.labels.clone());
    write_merged(base, &whole, &products, &arguments.output, &mut writing)
}

fn writing(share: f32) {
    show_progress("writing", Some(share));
}

fn open(recipe: &Recipe, base: &Path) -> Result<Model> {
    Model::load(base, "auto", "cpu", recipe.task.kind)
}

/// Names and shapes of the model's parameters, without a look at their values.
fn parameters(model: &Model) -> Vec<(String, Vec<usize>)> {
    let parameters = model.parameters.iter().map(|parameter| {
        let shape = parameter.tensor.size().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect();
        (parameter.name.clone(), shape)
    });
    parameters.collect()
}
