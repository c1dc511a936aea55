//! `spartui attach RUN`

use std::path::{Path, PathBuf};

use super::live::{self, Run};
use super::looks::Looks;
use super::printer::Printer;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Purpose, ServerMessage};
use spartui_facts::quote::place;
use spartui_run::{RunFolder, State, read_race};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run, by name or folder.
    run: PathBuf,
    /// Watch only, even if no other interface steers the run.
    #[arg(long)]
    watch: bool,
    /// Print progress lines instead of the interface; the run is only watched.
    #[arg(long)]
    headless: bool,
    /// Print every event as a line of JSON, past events included; implies --headless.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    looks: Looks,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let run = RunFolder::find(runs, &arguments.run)?;
    let state = run.status()?.state;
    if state != State::Running {
        return Err(Error::refused(not_running(&arguments.run, state)));
    }
    let folder = run.path().to_owned();
    if arguments.headless || arguments.json || !live::is_possible() {
        return print(&folder, Printer::new(arguments.json));
    }
    let purpose = if arguments.watch { Purpose::Watch } else { Purpose::Steer };
    let look = arguments.looks.look()?;
    if read_race(&folder)?.is_some() {
        return live::run_race(Run::Found { folder, purpose }, look);
    }
    live::run(Run::Found { folder, purpose }, look)
}

fn not_running(run: &Path, state: State) -> String {
    let name = place(run);
    match state {
        State::Completed => {
            format!("the run {name} has taken all its steps; `spartui inspect {name}` shows its results")
        }
        State::Interrupted => format!(
            "the run {name} is not running: its process was killed or crashed; `spartui resume {name}` continues it from its \
             newest checkpoint"
        ),
        state => format!(
            "the run {name} is not running: it is {state}; `spartui resume {name}` continues it from its newest checkpoint"
        ),
    }
}

/// Prints the events until the run ends.
fn print(folder: &Path, mut printer: Printer) -> Result<()> {
    let link = live::open(folder, Purpose::Watch).map_err(|lost| Error::failed(lost.why))?;
    for news in link.news {
        match news {
            ServerMessage::Event(event) => {
                printer.print(&event)?;
                if let Some(ended) = super::launch::ended(event) {
                    return ended.map(|_| ());
                }
            }
            ServerMessage::Refused { why } | ServerMessage::Lost { why, .. } => return Err(Error::failed(why)),
            _ => {}
        }
    }
    Ok(())
}
