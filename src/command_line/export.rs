//! `spartui export`

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tch::{Kind, Tensor};

use super::states::{StateOptions, newest};
use super::{end_progress, print_line, show_progress};
use spartui_adapters::{Adapter, AnyAdapter, Change, LoraAdapter, OwnAdapter, PeftFormat, Product, write_merged};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};
use spartui_facts::recipe::Recipe;
use spartui_hub as hub;
use spartui_method::{Dense, Shape, addition_of, definition};
use spartui_model::{Model, OrFailed};
use spartui_run::{RunFolder, refuse_race};
use spartui_train::Opening;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run, by name or folder.
    run: PathBuf,
    /// sparta: for peft-sparta; keyed: the same without indices, a fraction of the size; shira, super: single parameters
    /// for PEFT; lora: for PEFT; own: for a method without a format elsewhere; merged: a complete model. Default: the
    /// format of the run's method; merged if every parameter was trained.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Folder for the result.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    state: StateOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Sparta,
    Keyed,
    Lora,
    Shira,
    Super,
    Own,
    Merged,
}

/// The note for an encoder's adapter in peft-sparta's format.
const ENCODER: &str = "the model is an encoder, and peft-sparta's own loader supports decoders only; spartui loads this adapter \
                       (predict and evaluate --adapter), and --format merged gives a model that transformers loads";

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let run = RunFolder::find(runs, &arguments.run)?;
    refuse_race(&run, "spartui export ")?;
    let recipe = run.recipe();
    let shape = shape(&run);
    check_format(&run, arguments)?;
    refuse_part_of_run(&arguments.output)?;
    let chosen = match arguments.state.find(&run)? {
        None if shape != Shape::Whole && !run.adapter_path().exists() => Some(newest(&run)?),
        chosen => chosen,
    };
    if shape == Shape::Whole && chosen.is_none() {
        return Err(Error::refused(format!(
            "{} trained every parameter: {} is the complete model already; copy that folder, or name a state with --at",
            run.name(),
            run.model_path().display()
        )));
    }
    let base = hub::resolve(&recipe.model.path, &mut |what, fraction| show_progress(what, fraction))?;
    let kept = chosen.as_ref().map(|chosen| chosen.read(&run, base.clone())).transpose()?;
    let adapter = match &kept {
        None => AnyAdapter::read(&run.adapter_path(), shape, || Ok(parameters(&open(recipe, &base)?))).map(Some)?,
        Some(kept) => kept.exported(),
    };
    let bytes = match (adapter, &kept) {
        (Some(AnyAdapter::LowRank(adapter)), _) => lora(arguments, &run, &base, &adapter)?,
        (Some(AnyAdapter::Sparse(adapter)), _) => sparta(arguments, &run, &base, &adapter)?,
        (Some(AnyAdapter::Own(adapter)), _) => own(arguments, &run, &base, &adapter)?,
        (None, Some(kept)) => kept.write_model(&arguments.output)?,
        (None, None) => 0,
    };
    end_progress();
    let state = chosen.map_or_else(String::new, |chosen| format!("{}: ", chosen.describe()));
    print_line(&format!("{state}{} KiB in {}", bytes.div_ceil(1024), arguments.output.display()))
}

impl Arguments {
    /// The format that was asked for, or that of the run's method.
    fn format(&self, run: &RunFolder) -> Format {
        self.format.unwrap_or(match shape(run) {
            Shape::Whole => Format::Merged,
            Shape::LowRank => Format::Lora,
            Shape::Own => Format::Own,
            Shape::Sparse => Format::Sparta,
        })
    }
}

/// The shape of what a run learns.
fn shape(run: &RunFolder) -> Shape {
    definition(run.recipe().method.kind).shape(&run.recipe().method)
}

/// Refuses a folder that a run has written itself: its result would be lost.
fn refuse_part_of_run(output: &Path) -> Result<()> {
    let beside = || Some(fs::canonicalize(output.parent()?).ok()?.join(output.file_name()?));
    let Some(folder) = fs::canonicalize(output).ok().or_else(beside) else { return Ok(()) };
    let Some(run) = folder.parent().and_then(|parent| RunFolder::open(parent).ok()) else { return Ok(()) };
    if ![run.adapter_path(), run.model_path(), run.checkpoints_path()].contains(&folder) {
        return Ok(());
    }
    Err(Error::refused(format!(
        "{} belongs to the run {}; give --output another folder",
        place(output),
        quoted(&run.name())
    )))
}

/// Refuses a format that does not exist for the run's method, before anything is read.
fn check_format(run: &RunFolder, arguments: &Arguments) -> Result<()> {
    let formats = match (shape(run), arguments.format(run)) {
        // A whole model is refused later, with another message.
        (Shape::Whole, _) if arguments.state.at.is_none() => return Ok(()),
        (_, Format::Merged)
        | (Shape::Sparse, Format::Sparta | Format::Keyed | Format::Shira | Format::Super)
        | (Shape::LowRank, Format::Lora)
        | (Shape::Own, Format::Own) => return Ok(()),
        (Shape::Whole, _) => "merged",
        (Shape::Sparse, _) => "sparta, keyed, shira, super or merged",
        (Shape::LowRank, _) => "lora or merged",
        (Shape::Own, _) => "own or merged",
    };
    Err(Error::refused(format!(
        "{} was trained with method.kind \"{}\", which has no such format; use --format {formats}",
        run.name(),
        run.recipe().method.kind.name()
    )))
}

fn sparta(arguments: &Arguments, run: &RunFolder, base: &Path, adapter: &Adapter) -> Result<u64> {
    match arguments.format(run) {
        Format::Keyed => {
            let keyed = adapter.to_keyed(run.recipe().method.seed).ok_or_else(|| {
                Error::refused(format!(
                    "{}: its trained scalars are not those of one keyed selection: they were chosen in another way than at random, or \
                     some were retired, or densities were changed by hand, or rows of tokens train in full; use --format sparta",
                    run.name()
                ))
            })?;
            keyed.write(&arguments.output, Some(base))
        }
        Format::Merged => write_merged(base, adapter, &[], &arguments.output, &mut writing),
        Format::Shira => peft(arguments, run, base, adapter, PeftFormat::Shira),
        Format::Super => peft(arguments, run, base, adapter, PeftFormat::Supertuning),
        Format::Sparta | Format::Lora | Format::Own => {
            let bytes = adapter.write(&arguments.output, Some(base))?;
            if !open(run.recipe(), base)?.config.family.is_decoder() {
                super::print_note("note", ENCODER);
            }
            Ok(bytes)
        }
    }
}

fn peft(arguments: &Arguments, run: &RunFolder, base: &Path, adapter: &Adapter, format: PeftFormat) -> Result<u64> {
    let model = open(run.recipe(), base)?;
    let names: Vec<&str> = model.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    adapter.write_peft(format, &arguments.output, &names, Some(base))
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
        Ok(Change::Product(Product::new(name, site.transposed, factors, by_output.transpose().or_failed()?)))
    });
    let products = products.collect::<Result<Vec<_>>>()?;
    let whole = adapter.with_head_only(parameters(&model), adapter.labels.clone());
    write_merged(base, &whole, &products, &arguments.output, &mut writing)
}

fn own(arguments: &Arguments, run: &RunFolder, base: &Path, adapter: &OwnAdapter) -> Result<u64> {
    if arguments.format(run) == Format::Own {
        return adapter.write(&arguments.output, Some(base));
    }
    let model = open(run.recipe(), base)?;
    let refuse = |why: &str| Error::refused(format!("{}: {why}; export the run again", run.adapter_path().display()));
    let overlays = definition(run.recipe().method.kind).overlays(&adapter.learned, &model);
    let mut changes = Vec::new();
    for (site, overlay) in overlays.map_err(|why| refuse(&why))? {
        let site = &model.sites[site];
        let turned = |weight: &Tensor| if site.transposed { weight.tr() } else { weight.shallow_clone() };
        let name = format!("{}.bias", site.name.trim_end_matches(".weight"));
        let bias = model.parameters.iter().find(|parameter| parameter.name == name).map(|bias| &bias.tensor);
        let (weight, new_bias) = overlay.merge(&turned(&site.weight), bias).ok_or_else(|| {
            Error::refused(format!(
                "{}: what method.kind \"{}\" learned cannot be merged into the weights; use --format own",
                run.name(),
                adapter.method
            ))
        })?;
        if new_bias.is_some() != bias.is_some() {
            return Err(refuse(&format!("it has a bias for {}, which has none", site.name)));
        }
        changes.push(Change::Values(Dense::new(site.name.clone(), &turned(&weight))));
        changes.extend(new_bias.map(|bias| Change::Values(Dense::new(name, &bias))));
    }
    let whole = adapter.with_head_only(parameters(&model));
    write_merged(base, &whole, &changes, &arguments.output, &mut writing)
}

fn writing(share: f32) {
    show_progress("writing", Some(share));
}

fn open(recipe: &Recipe, base: &Path) -> Result<Model> {
    let opening = Opening { folder: base, dtype: "auto", device: "cpu", weights: true };
    Ok(opening.open(recipe)?.0)
}

/// Names and shapes of the model's parameters.
fn parameters(model: &Model) -> Vec<(String, Vec<usize>)> {
    let parameters = model.parameters.iter().map(|parameter| {
        let shape = parameter.tensor.size().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect();
        (parameter.name.clone(), shape)
    });
    parameters.collect()
}
