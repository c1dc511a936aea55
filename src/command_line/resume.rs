//! `spartui resume RUN`

use std::path::PathBuf;

use super::launch;
use spartui_engine::Resume;
use spartui_facts::error::Result;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run, by name or folder.
    run: PathBuf,
    /// Set a field from here on: one that can be changed while a run trains, or one that gives the run more steps; may
    /// be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Continue although these parts have changed: recipe, weights, tokenizer, data.
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    allow_changed: Vec<String>,
    #[command(flatten)]
    pub(super) output: launch::Output,
}

pub fn run(arguments: &Arguments, runs: PathBuf) -> Result<()> {
    let resume = Resume {
        runs,
        run: arguments.run.clone(),
        set: arguments.set.clone(),
        allow_changed: arguments.allow_changed.clone(),
    };
    launch::run(resume, &arguments.output)
}
