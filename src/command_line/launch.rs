//! Starts a run and shows it: in the interface where there is a terminal, as lines otherwise.

use signal_hook::consts::{SIGINT, SIGTERM};

use super::live;
use super::printer::Printer;
use crate::engine::{Engine, Mission};
use crate::error::{Error, Result};
use crate::interface::input::watch_signals;
use crate::protocol::{Command, Ending, Event, Summary};

#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// Progress lines instead of the interface.
    #[arg(long)]
    headless: bool,
    /// Every event as a line of JSON; implies --headless.
    #[arg(long)]
    json: bool,
    /// Theme of the interface: dark, light, monochrome, colour-blind, or one of your own
    #[arg(long, env = "SPARTUI_THEME", value_name = "NAME")]
    theme: Option<String>,
}

impl Output {
    /// Progress lines, or with `json` events.
    pub(super) fn headless(json: bool) -> Self {
        Self { headless: true, json, theme: None }
    }
}

/// Trains, and prints the run's folder on the last line.
///
/// # Errors
/// What the engine refused or failed at.
pub fn run(mission: impl Into<Mission>, output: &Output) -> Result<()> {
    run_to_end(mission.into(), output).map(|_| ())
}

/// As [`run`]; how the run ended.
///
/// # Errors
/// As [`run`].
pub(super) fn run_to_end(mission: Mission, output: &Output) -> Result<Summary> {
    let signals = watch_signals().map_err(|error| Error::failed(format!("signals cannot be listened to: {error}")))?;
    let is_live = !output.headless && !output.json && live::is_possible();
    let engine = if is_live { Engine::start_attended(mission) } else { Engine::start(mission) };
    let summary = if is_live {
        live::run(&engine, &signals, output.theme.as_deref())
    } else {
        headless(&engine, &signals, Printer::new(output.json))
    };
    engine.join();
    let summary = summary?;
    if !output.json {
        super::print_line(&summary.folder.display().to_string())?;
    }
    Ok(summary)
}

/// Prints what happens until the run has ended. Ctrl-C stops it cleanly, a second one aborts it; SIGTERM writes a
/// checkpoint and ends it; SIGHUP changes nothing.
pub(super) fn headless(
    engine: &Engine,
    signals: &crossbeam_channel::Receiver<i32>,
    mut printer: Printer,
) -> Result<Summary> {
    let mut interrupted = false;
    loop {
        crossbeam_channel::select! {
            recv(signals) -> signal => {
                let command = match signal {
                    Ok(SIGTERM) => Command::Terminate,
                    Ok(SIGINT) if interrupted => Command::Abort,
                    Ok(SIGINT) => { interrupted = true; Command::Stop }
                    _ => continue,
                };
                // An engine that has ended needs no command any more.
                let _ = engine.commands.send(command);
            }
            recv(engine.events) -> event => match event {
                Ok(event) => {
                    printer.print(&event)?;
                    if let Some(ended) = ended(event) {
                        return ended;
                    }
                }
                Err(_) => return Err(Error::failed("the training thread ended without a word; please report this")),
            },
        }
    }
}

/// The result of the run, where this event is its last.
pub(super) fn ended(event: Event) -> Option<Result<Summary>> {
    match event {
        Event::Finished(summary) if summary.ending == Ending::Aborted => Some(Err(Error::failed(format!(
            "the run was aborted; what it had written is in {}",
            summary.folder.display()
        )))),
        Event::Finished(summary) => Some(Ok(*summary)),
        Event::Fault { message, refused: true } => Some(Err(Error::refused(message))),
        Event::Fault { message, refused: false } => Some(Err(Error::failed(message))),
        _ => None,
    }
}
