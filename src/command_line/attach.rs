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
    /// The run, by its name or its folder.
    run: PathBuf,
    /// Watch, also where nobody steers.
    #[arg(long)]
    watch: bool,
    /// Progress lines instead of the interface; then the run is watched only.
    #[arg(long)]
    headless: bool,
    /// Every event as a line of JSON, those that were before too; implies --headless.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    looks: Looks,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let run = RunFolder::find(runs, &arguments.run)?;
    let state = run.status()?.state;
    if state != State::Running {
        return Err(Error::refused(nobody_trains(&arguments.run, state)));
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

fn nobody_trains(run: &Path, state: State) -> String {
    let name = place(run);
    match state {
        State::Completed => {
            format!("the run {name} has taken all its steps; `spartui inspect` shows what it left")
        }
        State::Interrupted => format!(
            "the run {name} is not running: its process was killed or crashed; `spartui resume {name}` goes on from its \
             newest checkpoint"
        ),
        state => format!(
            "the run {name} is not running: it is {state}; `spartui resume {name}` goes on from its newest checkpoint"
        ),
    }
}

/// Prints what happens until the run ends.
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
