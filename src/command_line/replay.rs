//! `spartui replay RUN`

use std::path::{Path, PathBuf};

use super::launch::{Output, run_to_end};
use super::print_line;
use spartui_engine::Replay;
use spartui_facts::error::{Error, Result};
use spartui_run::{RunFolder, refuse_race};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run, by name or folder.
    run: PathBuf,
    /// Name of the new run.
    #[arg(long = "run", value_name = "NAME")]
    name: Option<String>,
    /// Repeat it although these parts have changed: recipe, weights, tokenizer, data.
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    allow_changed: Vec<String>,
    /// Print every event as a line of JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, runs: PathBuf) -> Result<()> {
    let original = RunFolder::find(&runs, &arguments.run)?;
    refuse_race(&original, "spartui replay ")?;
    let replay = Replay {
        runs,
        run: arguments.run.clone(),
        name: arguments.name.clone(),
        allow_changed: arguments.allow_changed.clone(),
    };
    let summary = run_to_end(replay.into(), &Output::headless(arguments.json))?;
    match summary.adapter {
        Some(adapter) if !arguments.json => {
            let before = adapter.file_name().map(|name| original.path().join(name));
            before
                .filter(|before| before.is_dir())
                .map_or(Ok(()), |before| print_comparison(&original, &before, &adapter))
        }
        _ => Ok(()),
    }
}

/// Prints that two results are equal.
///
/// # Errors
/// Fails if they are not, and says whether the number of threads is the reason.
fn print_comparison(original: &RunFolder, before: &Path, now: &Path) -> Result<()> {
    let name = original.name();
    let differs = |file: &String| std::fs::read(before.join(file)).ok() != std::fs::read(now.join(file)).ok();
    let entries = std::fs::read_dir(now).into_iter().flatten().flatten();
    let mut files: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    match files.iter().find(|file| differs(file)) {
        None => print_line(&format!("the result is that of {name}, byte for byte")),
        Some(file) => {
            Err(Error::failed(format!("the result is not that of {name}: {file} differs{}", threads(original, now))))
        }
    }
}

/// The reason, if two runs used different numbers of threads: the results then differ in their last bits.
fn threads(original: &RunFolder, adapter: &Path) -> String {
    let of = |run: &RunFolder| run.status().ok().and_then(|status| status.threads);
    let replay = adapter.parent().and_then(|folder| RunFolder::open(folder).ok());
    match (of(original), replay.as_ref().and_then(of)) {
        (Some(before), Some(now)) if before != now => {
            let s = if before == 1 { "" } else { "s" };
            format!(
                ", since it was trained with {before} thread{s} and this run with {now}; OMP_NUM_THREADS={before} repeats it"
            )
        }
        _ => String::new(),
    }
}
