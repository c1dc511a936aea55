//! `spartui curves [RUN…]`

use std::path::{Path, PathBuf};

use super::console;
use super::launch::no_signals;
use super::live::Stage;
use super::looks::Looks;
use spartui_facts::error::{Error, Result};
use spartui_interface::Inspector;
use spartui_interface::input::watch_signals_of_screen;
use spartui_run::{RunFolder, runs_of};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The runs to show at first, by name or folder; a race stands for its lanes; none: the latest ones
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    looks: Looks,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let mut selected = Vec::new();
    for run in &arguments.runs {
        selected.extend(runs_of(RunFolder::find(runs, run)?)?.into_iter().map(|run| run.path().to_owned()));
    }
    if let Some(why) = console::why_unusable() {
        return Err(Error::refused(format!(
            "curves are shown in a terminal, and {why}; a run's metrics.jsonl has the numbers"
        )));
    }
    let look = arguments.looks.look()?;
    let signals = watch_signals_of_screen().map_err(no_signals)?;
    let mut inspector = Inspector::new(runs.to_owned(), selected, look);
    Stage::take(signals, &inspector.env.look)?.show(&mut inspector);
    Looks::save_theme(&inspector.env.look);
    Ok(())
}
