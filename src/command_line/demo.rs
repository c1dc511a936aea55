//! `spartui demo`

use std::path::{Path, PathBuf};

use super::launch;
use super::loading::Kind;
use spartui_engine::Launch;
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::Recipe;
use spartui_run::resolve_match;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Set a field of the recipe; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Name of the run.
    #[arg(long = "run", value_name = "NAME")]
    name: Option<String>,
    /// The task: a classifier of customers' requests, or a small language model that learns another style.
    #[arg(long, value_name = "KIND", default_value = "sequence-classification")]
    task: Kind,
    /// Folder of the model; by default all-MiniLM-L6-v2 as downloaded by `make setup`, or examples/tiny-llama.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Replace the run of that name, which is deleted.
    #[arg(long, requires = "name")]
    overwrite: bool,
    #[command(flatten)]
    pub(super) output: launch::Output,
}

/// An example that is part of the program, so that it runs from any folder.
struct Example {
    name: &'static str,
    /// The recipe and the rows: names and contents.
    files: &'static [(&'static str, &'static str)],
    /// Path of the model in a checkout of the repository.
    model: &'static str,
}

const SUPPORT: Example = Example {
    name: "support",
    files: &[
        (RECIPE, include_str!("../../examples/support/recipe.toml")),
        ("train.jsonl", include_str!("../../examples/support/train.jsonl")),
        ("validation.jsonl", include_str!("../../examples/support/validation.jsonl")),
        ("test.jsonl", include_str!("../../examples/support/test.jsonl")),
    ],
    model: "models/all-MiniLM-L6-v2",
};

const PIRATE: Example = Example {
    name: "pirate",
    files: &[
        (RECIPE, include_str!("../../examples/pirate/recipe.toml")),
        ("train.jsonl", include_str!("../../examples/pirate/train.jsonl")),
        ("validation.jsonl", include_str!("../../examples/pirate/validation.jsonl")),
    ],
    model: "examples/tiny-llama/model",
};

const RECIPE: &str = "demo.toml";

pub fn run(arguments: &Arguments, runs: PathBuf) -> Result<()> {
    let example = match arguments.task {
        Kind::SequenceClassification => &SUPPORT,
        Kind::CausalLm => &PIRATE,
    };
    let model = find_model(example, arguments.model.as_deref())?;
    let folder = runs.join(".demo-data").join(example.name);
    write_example(&folder, example.files)?;
    let mut recipe = Recipe::load(&folder.join(RECIPE), &arguments.set)?;
    resolve_match(&mut recipe, &runs)?;
    if !arguments.set.iter().any(|field| field.starts_with("model.path")) {
        recipe.model.path = std::path::absolute(&model).unwrap_or(model);
    }
    launch::run(
        Launch { recipe, runs, name: arguments.name.clone(), overwrite: arguments.overwrite, remarks: Vec::new() },
        &arguments.output,
    )
}

fn find_model(example: &Example, given: Option<&Path>) -> Result<PathBuf> {
    let beside_sources = Path::new(env!("CARGO_MANIFEST_DIR")).join(example.model);
    let places =
        given.map_or_else(|| vec![PathBuf::from(example.model), beside_sources], |given| vec![given.to_owned()]);
    places.iter().find(|place| place.join("config.json").exists()).cloned().ok_or_else(|| {
        Error::refused(format!(
            "the demo's model is not at {}; run `make setup` in the checkout, or give --model DIR",
            places[0].display()
        ))
    })
}

fn write_example(folder: &Path, files: &[(&str, &str)]) -> Result<()> {
    let refuse = |error: std::io::Error| {
        Error::refused(format!("{}: {error}; give a folder that can be written with --runs-dir", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(refuse)?;
    for (name, contents) in files {
        let path = folder.join(name);
        if std::fs::read(&path).is_ok_and(|present| present == contents.as_bytes()) {
            continue;
        }
        std::fs::write(path, contents).map_err(refuse)?;
    }
    Ok(())
}
