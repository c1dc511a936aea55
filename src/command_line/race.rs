//! `spartui race RECIPE --vary FIELD=A,B …`

use std::path::PathBuf;

use super::launch;
use super::train::{guess_columns, require_paths};
use spartui_engine::{Launch, Race};
use spartui_facts::error::Result;
use spartui_facts::recipe::{LANES_SEED, MOST_LANES, Recipe, lanes};
use spartui_run::resolve_match;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The recipe that all lanes have in common, a TOML file.
    recipe: PathBuf,
    /// A field in which the lanes differ, with its values; may be repeated, and gives a lane for each combination. With
    /// --random, a value may be a range LOW..HIGH.
    #[arg(long = "vary", value_name = "FIELD=A,B,…", required = true)]
    vary: Vec<String>,
    /// Draw this number of combinations at random instead of all; ranges above 0 are sampled log-uniformly.
    #[arg(long, value_name = "LANES")]
    random: Option<usize>,
    /// Seed of --random.
    #[arg(long, default_value_t = LANES_SEED, value_name = "SEED")]
    seed: u64,
    /// Largest number of lanes; more are refused.
    #[arg(long, default_value_t = MOST_LANES, value_name = "LANES")]
    most: usize,
    /// Stop the worse half of the lanes every so many steps, until one is left (successive halving); by default all
    /// lanes run to their end.
    #[arg(long, value_name = "STEPS")]
    halve_every: Option<u64>,
    /// Set a field of the recipe in all lanes; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Name of the race.
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
    let remarks = guess_columns(&mut recipe, &arguments.recipe, &arguments.set)?.into_iter().collect();
    let lanes = lanes(&arguments.vary, &recipe, arguments.random, arguments.seed, arguments.most)?;
    let launch = Launch { recipe, runs, name: arguments.name.clone(), overwrite: arguments.overwrite, remarks };
    launch::run(Race { launch, lanes, halve_every: arguments.halve_every }, &arguments.output)
}
