//! Starts a run and shows it: in the interface if there is a terminal, else as lines. With an interface, a separate
//! process trains, so that the run outlives the terminal.

use signal_hook::consts::{SIGINT, SIGTERM};

use super::background::Background;
use super::looks::Looks;
use super::printer::Printer;
use super::{background, live};
use spartui_engine::{Engine, Mission};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Command, Ending, Event, Summary};
use spartui_interface::input::watch_signals;

#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// Print progress lines instead of the interface.
    #[arg(long)]
    headless: bool,
    /// Print every event as a line of JSON; implies --headless.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    looks: Looks,
    /// Train for the interface at the other end of standard input; set by the interface when it starts its engine.
    #[arg(long, hide = true, env = "SPARTUI_SERVE", hide_env = true)]
    serve: bool,
}

impl Output {
    /// Whether this process trains itself.
    #[must_use]
    pub fn trains_here(&self) -> bool {
        self.serve || self.headless || self.json || !live::is_possible()
    }

    /// The options of a run without an interface: progress lines, or events if `json` is set.
    pub(super) fn headless(json: bool) -> Self {
        Self { headless: true, json, looks: Looks::default(), serve: false }
    }
}

/// Trains, and prints the run's folder on the last line.
///
/// # Errors
/// Those of the engine.
pub fn run(mission: impl Into<Mission>, output: &Output) -> Result<()> {
    let mission = mission.into();
    if output.serve {
        return background::serve(mission);
    }
    if !output.trains_here() {
        let look = output.looks.look()?;
        let run = live::Run::Begun(Background::again()?);
        return if mission.is_race() { live::run_race(run, look) } else { live::run(run, look) };
    }
    run_to_end(mission, output).map(|_| ())
}

/// As [`run`], in this process; gives the summary of the run.
///
/// # Errors
/// As [`run`].
pub(super) fn run_to_end(mission: Mission, output: &Output) -> Result<Summary> {
    let signals = watch_signals().map_err(no_signals)?;
    let engine = Engine::start(mission);
    let mut printer = Printer::new(output.json);
    let summary = headless(&engine, &signals, |event| printer.print(event));
    engine.join();
    let summary = summary?;
    if !output.json {
        super::print_line(&summary.folder.display().to_string())?;
    }
    Ok(summary)
}

/// The error where signals cannot be received.
#[expect(clippy::needless_pass_by_value, reason = "it is made from one error into another")]
pub(super) fn no_signals(error: std::io::Error) -> Error {
    Error::failed(format!("signals cannot be received: {error}"))
}

/// Calls `on_event` for every event until the run has ended. Ctrl-C stops the run cleanly, a second one aborts it;
/// SIGTERM writes a checkpoint and ends it; SIGHUP is ignored. If `on_event` fails, the run continues without it, and
/// the error is returned at the end.
pub(super) fn headless(
    engine: &Engine,
    signals: &crossbeam_channel::Receiver<i32>,
    mut on_event: impl FnMut(&Event) -> Result<()>,
) -> Result<Summary> {
    let mut interrupted = false;
    let mut output_error = None;
    loop {
        crossbeam_channel::select! {
            recv(signals) -> signal => {
                let command = match signal {
                    Ok(SIGTERM) => Command::Terminate,
                    Ok(SIGINT) if interrupted => Command::Abort,
                    Ok(SIGINT) => { interrupted = true; Command::Stop }
                    _ => continue,
                };
                // An engine that has ended needs no command.
                let _ = engine.commands.send(command);
            }
            recv(engine.events) -> event => match event {
                Ok(event) => {
                    if output_error.is_none() {
                        output_error = on_event(&event).err();
                    }
                    if let Some(ended) = ended(event) {
                        return output_error.map_or(ended, Err);
                    }
                }
                Err(_) => return Err(Error::failed("the training thread ended without saying why; please report this")),
            },
        }
    }
}

/// The result of the run, if this event is its last.
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
