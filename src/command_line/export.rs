//! `spartui export`

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tch::Kind;

use super::kept::{Choice, newest};
use super::{end_progress, print_line, show_progress};
use crate::data::one_line;
use crate::error::{Error, Result};
use crate::hub;
use crate::method::addition_of;
use crate::model::Model;
use crate::recipe::{MethodKind, Recipe};
use crate::run::{Adapter, LoraAdapter, Product, RunFolder, refuse_race, write_merged};
use crate::train::Exported;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run: its name or its folder.
    run: PathBuf,
    /// sparta: for peft-sparta; keyed: without indices, a fraction of that; lora: for peft; merged: a complete model. Without
    /// it: sparta or lora, as the run was trained, and merged where every parameter was.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Folder for the result.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    state: Choice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
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
    check_format(&run, arguments)?;
    let chosen = match arguments.state.find(&run)? {
        None if recipe.method.kind != MethodKind::Full && !run.adapter_path().exists() => Some(newest(&run)?),
        chosen => chosen,
    };
    if recipe.method.kind == MethodKind::Full && chosen.is_none() {
        return Err(Error::refused(format!(
            "{} trained every parameter: {} is the complete model already; copy that folder, or name a state with --at",
            run.name(),
            run.model_path().display()
        )));
    }
    let base = hub::resolve(&recipe.model.path, &mut |what, fraction| show_progress(what, fraction))?;
    let kept = chosen.as_ref().map(|chosen| chosen.read(&run, base.clone())).transpose()?;
    let exported = match &kept {
        Some(kept) => Some((kept, kept.exported()?)),
        None => None,
    };
    let bytes = match exported {
        None if recipe.method.kind == MethodKind::Lora => {
            lora(arguments, &run, &base, &LoraAdapter::read(&run.adapter_path())?)?
        }
        None => {
            let adapter = Adapter::read(&run.adapter_path(), &parameters(&open(recipe, &base)?))?;
            sparta(arguments, &run, &base, &adapter)?
        }
        Some((_, Exported::LowRank(adapter))) => lora(arguments, &run, &base, &adapter)?,
        Some((_, Exported::Sparse(adapter))) => sparta(arguments, &run, &base, &adapter)?,
        Some((kept, Exported::Whole)) => kept.write_model(&arguments.output)?,
    };
    end_progress();
    let state = chosen.map_or_else(String::new, |chosen| format!("{}: ", chosen.told()));
    print_line(&format!("{state}{} KiB in {}", bytes.div_ceil(1024), arguments.output.display()))
}

impl Arguments {
    /// The format that was asked for, or the one of the run's own method.
    fn format(&self, run: &RunFolder) -> Format {
        self.format.unwrap_or(match run.recipe().method.kind {
            MethodKind::Full => Format::Merged,
            MethodKind::Lora => Format::Lora,
            MethodKind::Sparta | MethodKind::Head => Format::Sparta,
        })
    }
}

/// Refuses a format that a run of this method does not have, before anything is read.
fn check_format(run: &RunFolder, arguments: &Arguments) -> Result<()> {
    let refuse = |its_own: &str| {
        Err(Error::refused(format!("{} was trained with another method; take --format {its_own}", run.name())))
    };
    match (run.recipe().method.kind, arguments.format(run)) {
        (MethodKind::Full, Format::Merged) | (MethodKind::Lora, Format::Lora | Format::Merged) => Ok(()),
        (MethodKind::Full, _) if arguments.state.at.is_some() => refuse("merged"),
        (MethodKind::Lora, _) => refuse("lora or merged"),
        (MethodKind::Sparta | MethodKind::Head, Format::Lora) => refuse("sparta or merged"),
        _ => Ok(()),
    }
}

fn sparta(arguments: &Arguments, run: &RunFolder, base: &Path, adapter: &Adapter) -> Result<u64> {
    match arguments.format(run) {
        Format::Keyed => {
            let keyed = adapter.to_keyed(run.recipe().method.seed).ok_or_else(|| {
                Error::refused(format!(
                    "{}: its trained scalars are not those of one keyed selection, since some were retired or its densities \
                     were changed by hand; take --format sparta",
                    run.name()
                ))
            })?;
            keyed.write(&arguments.output, Some(base))
        }
        Format::Merged => write_merged(base, adapter, &[], &arguments.output, &mut writing),
        Format::Sparta | Format::Lora => {
            let bytes = adapter.write(&arguments.output, Some(base))?;
            if !open(run.recipe(), base)?.config.family.is_decoder() {
                super::tell("note", ENCODER);
            }
            Ok(bytes)
        }
    }
}

fn lora(arguments: &Arguments, run: &RunFolder, base: &Path, adapter: &LoraAdapter) -> Result<u64> {
    let model = open(run.recipe(), base)?;
    if arguments.format(run) == Format::Lora {
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
