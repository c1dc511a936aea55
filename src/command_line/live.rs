//! A run in the interface.

use std::io::{IsTerminal, Read, Seek};
use std::path::PathBuf;

use crossbeam_channel::Receiver;

use super::launch::headless;
use super::printer::Printer;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::interface::input::InputThread;
use crate::interface::terminal::{Redirection, TerminalGuard, no_color};
use crate::interface::theme::{Depth, Themes};
use crate::interface::{self, Outcome, Sources, State, is_remote};
use crate::protocol::{Command, Ending, Event, Summary};

/// Whether there is a terminal to draw on and to read from.
#[must_use]
pub fn is_possible() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Shows the run until the user leaves it. Where the terminal goes away, the run goes on without.
pub fn run(engine: &Engine, signals: &Receiver<i32>, theme: Option<&str>) -> Result<Summary> {
    let fail = |error: std::io::Error| {
        Error::failed(format!("the terminal cannot be used: {error}; try again with --headless"))
    };
    // What libtorch prints would tear the screen; it goes into a nameless file and from there into the run's log.
    let mut printed = tempfile::tempfile().map_err(fail)?;
    let redirection = Redirection::to(&printed).map_err(fail)?;
    let screen = redirection.screen().map_err(fail)?;
    let guard = TerminalGuard::enter(screen, Some(redirection)).map_err(fail)?;
    let mut terminal = guard.terminal().map_err(fail)?;
    let input = InputThread::start().map_err(fail)?;
    let mut state = State::new(themes(), theme.or(no_color().then_some("monochrome")), (0, 0));
    let sources = Sources {
        input: input.events(),
        events: engine.events.clone(),
        commands: engine.commands.clone(),
        signals: signals.clone(),
        remote: is_remote(),
    };
    let outcome = interface::run(&mut terminal, &mut state, sources);
    guard.restore();
    drop(input);
    let summary = match outcome {
        Outcome::Finished(summary) => {
            Printer::new(false).print(&Event::Finished(summary.clone()))?;
            super::launch::ended(Event::Finished(summary)).unwrap_or_else(|| Err(Error::failed("the run has no end")))
        }
        Outcome::Faulted { message, refused: true } => Err(Error::refused(message)),
        Outcome::Faulted { message, refused: false } => Err(Error::failed(message)),
        Outcome::Detached => {
            // Nobody is left to resume it. An engine that has ended needs no command any more.
            let _ = engine.commands.send(Command::Resume);
            headless(engine, signals, Printer::silent())
        }
    };
    if let Ok(summary) = &summary {
        append_to_log(summary, &mut printed);
    }
    summary
}

fn themes() -> Themes {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    let folder = config.map(|config| config.join("spartui/themes"));
    Themes::load(folder.as_deref(), Depth::from_colorterm(std::env::var("COLORTERM").ok().as_deref()))
}

/// A log that cannot be written costs no one a run.
fn append_to_log(summary: &Summary, printed: &mut std::fs::File) {
    let mut text = Vec::new();
    let read = printed.rewind().and_then(|()| printed.read_to_end(&mut text));
    if read.is_ok() && !text.is_empty() && summary.ending != Ending::Aborted {
        let log = std::fs::File::options().append(true).open(summary.folder.join("log.txt"));
        let _ = log.and_then(|mut log| std::io::Write::write_all(&mut log, &text));
    }
}
