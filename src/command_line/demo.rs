//! `spartui demo`

use std::path::{Path, PathBuf};

use super::launch;
use crate::engine::Launch;
use crate::error::{Error, Result};
use crate::recipe::Recipe;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Give a field of the recipe another value; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Name of the run.
    #[arg(long = "run", value_name = "NAME")]
    name: Option<String>,
    /// The model, all-MiniLM-L6-v2; where it is not given, the one that `make setup` downloaded.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    #[command(flatten)]
    output: launch::Output,
}

/// The example, carried in the program so that it runs from any folder.
const FILES: [(&str, &str); 4] = [
    ("demo.toml", include_str!("../../examples/support/recipe.toml")),
    ("train.jsonl", include_str!("../../examples/support/train.jsonl")),
    ("validation.jsonl", include_str!("../../examples/support/validation.jsonl")),
    ("test.jsonl", include_str!("../../examples/support/test.jsonl")),
];

const MODEL: &str = "models/all-MiniLM-L6-v2";

pub fn run(arguments: &Arguments, runs: PathBuf) -> Result<()> {
    let model = find_model(arguments.model.as_deref())?;
    let folder = runs.join(".demo-data");
    write_example(&folder)?;
    let mut recipe = Recipe::load(&folder.join("demo.toml"), &arguments.set)?;
    if !arguments.set.iter().any(|field| field.starts_with("model.path")) {
        recipe.model.path = std::path::absolute(&model).unwrap_or(model);
    }
    launch::run(Launch { recipe, runs, name: arguments.name.clone() }, &arguments.output)
}

fn find_model(given: Option<&Path>) -> Result<PathBuf> {
    let beside_sources = Path::new(env!("CARGO_MANIFEST_DIR")).join(MODEL);
    let places = given.map_or_else(|| vec![PathBuf::from(MODEL), beside_sources], |given| vec![given.to_owned()]);
    places.iter().find(|place| place.join("config.json").exists()).cloned().ok_or_else(|| {
        Error::refused(format!(
            "the demo's model is not at {}; run `make setup` in the checkout, or give --model DIR",
            places[0].display()
        ))
    })
}

fn write_example(folder: &Path) -> Result<()> {
    let refuse = |error: std::io::Error| {
        Error::refused(format!("{}: {error}; give a folder that can be written with --runs-dir", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(refuse)?;
    for (name, contents) in FILES {
        let path = folder.join(name);
        if std::fs::read(&path).is_ok_and(|present| present == contents.as_bytes()) {
            continue;
        }
        std::fs::write(path, contents).map_err(refuse)?;
    }
    Ok(())
}
