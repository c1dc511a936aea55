//! A run in the interface: one that was just started, or one that trains already.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::background::{Background, Lost};
use super::console;
use super::detached::DetachedRun;
use super::launch::{ended, no_signals};
use super::looks::Looks;
use super::print_line;
use super::printer::Printer;
use spartui_engine::socket::{Link, connect};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Command, Event, Purpose, ServerMessage};
use spartui_interface::input::{InputThread, watch_signals_of_screen};
use spartui_interface::terminal::{Redirection, ScreenTerminal, TerminalGuard};
use spartui_interface::{self as interface, Line, Look, Outcome, RaceScreen, Sources, State, is_remote};
use spartui_run::{RunFolder, State as RunState};

/// How long the end of a process may take to become visible.
const PATIENCE: Duration = Duration::from_secs(1);

/// The run that is shown.
pub enum Run {
    /// A run that this interface started.
    Begun(Background),
    /// A run that another process trains.
    Found {
        /// Its folder.
        folder: PathBuf,
        /// Whether to steer or to watch it.
        purpose: Purpose,
    },
}

/// Whether there is a terminal to draw on and to read from.
#[must_use]
pub fn is_possible() -> bool {
    console::why_unusable().is_none()
}

/// Shows the run until the user leaves it, or the terminal closes. The run continues, unless the user ended it.
///
/// # Errors
/// Fails if the run was refused or failed, or if the terminal cannot be used.
pub fn run(mut run: Run, look: Look) -> Result<()> {
    let signals = watch_signals_of_screen().map_err(no_signals)?;
    let link = run.connect()?;
    let mut stage = Stage::take(signals, &look)?;
    let mut cockpit = State::new(look, (0, 0));
    let outcome = stage.cockpit(&mut run, link, &mut cockpit);
    drop(stage);
    Looks::save_theme(&cockpit.env.look);
    run.left(&outcome);
    print_outcome(outcome, cockpit.ready.as_ref().map(|ready| ready.folder.as_path()), cockpit.ending.as_ref())
}

/// As [`run`], for a race.
///
/// # Errors
/// As [`run`].
pub fn run_race(mut run: Run, look: Look) -> Result<()> {
    let signals = watch_signals_of_screen().map_err(no_signals)?;
    let link = run.connect()?;
    let mut stage = Stage::take(signals, &look)?;
    let mut screen = RaceScreen::new(look);
    let outcome = stage.race(&mut run, link, &mut screen);
    drop(stage);
    Looks::save_theme(&screen.env.look);
    run.left(&outcome);
    print_outcome(outcome, screen.race.as_ref().map(|race| race.folder.as_path()), screen.asked_to_end())
}

/// Prints how the run stands when the interface has ended; `known` is the run's folder, if known, `asked` the command
/// that asked it to end.
fn print_outcome(outcome: Outcome, known: Option<&Path>, asked: Option<&Command>) -> Result<()> {
    match outcome {
        Outcome::Finished(summary) => {
            Printer::new(false).print(&Event::Finished(summary.clone()))?;
            let summary = ended(Event::Finished(summary))
                .unwrap_or_else(|| Err(Error::failed("the run has ended without a result; please report this")))?;
            print_line(&summary.folder.display().to_string())
        }
        Outcome::Faulted { message, refused: true } => Err(Error::refused(message)),
        Outcome::Faulted { message, refused: false } => Err(Error::failed(message)),
        Outcome::Left => known.map_or(Ok(()), |folder| {
            let left = DetachedRun::read(folder, asked);
            if left.is_failed() {
                return Err(Error::failed(left.sentence()));
            }
            print_line(&left.sentence())?;
            print_line(&folder.display().to_string())
        }),
        Outcome::Detached | Outcome::Reconnect | Outcome::Open(_) => Ok(()),
    }
}

/// The terminal, on which any number of screens follow each other. It is restored when this is dropped.
pub struct Stage {
    guard: TerminalGuard,
    terminal: ScreenTerminal,
    input: InputThread,
    signals: Receiver<i32>,
    line: Line,
    /// When the terminal was asked for its background colour.
    asked: Option<Instant>,
}

impl Stage {
    /// Takes over the terminal, and asks for its background colour if the theme depends on it.
    ///
    /// # Errors
    /// Where it cannot be used.
    pub fn take(signals: Receiver<i32>, look: &Look) -> Result<Self> {
        let fail = |error: std::io::Error| {
            Error::failed(format!("the terminal cannot be used: {error}; try again with --headless"))
        };
        // Output of a library would disturb the screen.
        let printed = tempfile::tempfile().map_err(fail)?;
        let redirection = Redirection::to(&printed).map_err(fail)?;
        let screen = redirection.screen().map_err(fail)?;
        let guard = TerminalGuard::enter(screen, Some(redirection)).map_err(fail)?;
        let line = Line::of_terminal();
        let terminal = guard.terminal(&line).map_err(fail)?;
        let input = InputThread::start().map_err(fail)?;
        // Not on a slow line.
        let asks = look.pair.is_some() && look.light.is_none() && !line.is_slow();
        let asked = asks.then(|| guard.ask_background().map(|()| Instant::now())).transpose().map_err(fail)?;
        Ok(Self { guard, terminal, input, signals, line, asked })
    }

    /// Shows a screen to which no engine is connected.
    pub fn show(&mut self, screen: &mut impl interface::Screen) -> Outcome {
        let sources = Sources::without_engine(
            &self.input,
            self.signals.clone(),
            Some(self.guard.suspension()),
            self.line.clone(),
        );
        interface::run(&mut self.terminal, screen, sources)
    }

    /// Shows a run, and reconnects whenever the user asks for it.
    pub fn cockpit(&mut self, run: &mut Run, link: Link, state: &mut State) -> Outcome {
        let owner = matches!(run, Run::Begun(_));
        *state = state.connected(link.client, owner);
        let mut outcome = self.once(state, link);
        while outcome == Outcome::Reconnect {
            let (link, _sender) = match run.reconnect(state.ready.as_ref().map(|ready| ready.folder.as_path())) {
                Ok(link) => {
                    *state = state.connected(link.client, owner);
                    (link, None)
                }
                Err(lost) => {
                    let (link, sender) = no_link(lost);
                    (link, Some(sender))
                }
            };
            outcome = self.once(state, link);
        }
        outcome
    }

    /// As [`Stage::cockpit`], for a race.
    pub fn race(&mut self, run: &mut Run, link: Link, screen: &mut RaceScreen) -> Outcome {
        let owner = matches!(run, Run::Begun(_));
        *screen = screen.connected(link.client, owner);
        let mut outcome = self.once(screen, link);
        while outcome == Outcome::Reconnect {
            let (link, _sender) = match run.reconnect(screen.race.as_ref().map(|race| race.folder.as_path())) {
                Ok(link) => {
                    *screen = screen.connected(link.client, owner);
                    (link, None)
                }
                Err(lost) => {
                    let (link, sender) = no_link(lost);
                    (link, Some(sender))
                }
            };
            outcome = self.once(screen, link);
        }
        outcome
    }

    fn once(&mut self, screen: &mut impl interface::Screen, link: Link) -> Outcome {
        let sources = Sources {
            input: self.input.events(),
            background: self.input.background(),
            news: link.news,
            requests: link.requests,
            signals: self.signals.clone(),
            suspension: Some(self.guard.suspension()),
            remote: is_remote(),
            line: self.line.clone(),
            elapsed: link.elapsed,
        };
        interface::run(&mut self.terminal, screen, sources)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A late answer would appear as input of the shell.
        while self.asked.is_some_and(|asked| asked.elapsed() < PATIENCE) && !self.input.is_answered() {
            thread::sleep(Duration::from_millis(5));
        }
        self.guard.restore();
    }
}

/// A link whose only message is why there is no connection.
fn no_link(lost: Lost) -> (Link, Sender<ServerMessage>) {
    let (sender, news) = bounded(1);
    // The channel has room for one message.
    let _ = sender.send(lost.into());
    (Link { client: 0, elapsed: Duration::ZERO, news, requests: unbounded().0 }, sender)
}

impl Run {
    /// Connects to the run; to a run that was started here, only once.
    ///
    /// # Errors
    /// Fails if its process does not answer.
    pub fn connect(&mut self) -> Result<Link> {
        match self {
            Self::Begun(background) => background.connect(),
            Self::Found { folder, purpose } => open(folder, *purpose).map_err(|lost| Error::failed(lost.why)),
        }
    }

    /// Waits for a process that was started here and has reported its end, after the interface has left it.
    pub fn left(self, outcome: &Outcome) {
        if let (Self::Begun(background), Outcome::Finished(_) | Outcome::Faulted { .. }) = (self, outcome) {
            background.ended();
        }
    }

    /// Connects to the same run again.
    fn reconnect(&self, known: Option<&Path>) -> std::result::Result<Link, Lost> {
        let (folder, purpose) = match (self, known) {
            (Self::Found { folder, purpose }, _) => (folder.as_path(), *purpose),
            (Self::Begun(_), Some(folder)) => (folder, Purpose::Steer),
            (Self::Begun(_), None) => {
                let why =
                    "the run had no folder yet when the connection broke; `spartui runs` shows whether it has one";
                return Err(Lost { why: why.into(), alive: true });
            }
        };
        open(folder, purpose)
    }
}

/// Connects to the run in a folder.
pub(super) fn open(folder: &Path, purpose: Purpose) -> std::result::Result<Link, Lost> {
    let watched = folder.to_owned();
    connect(folder, purpose, move || lost(&watched, "the connection to the run broke".into()).into())
        .map_err(|error| lost(folder, format!("the run cannot be connected to: {error}")))
}

/// The state of a run whose connection ended; `why` is the reason, unless the run itself has ended.
fn lost(folder: &Path, why: String) -> Lost {
    let begun = Instant::now();
    let state = || RunFolder::open(folder).and_then(|run| run.status()).map(|status| status.state);
    loop {
        match state() {
            Ok(RunState::Running) if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            Ok(RunState::Running) => return Lost { why, alive: true },
            Ok(RunState::Interrupted) => {
                return Lost { why: "the training process was killed or crashed".into(), alive: false };
            }
            Ok(state) => return Lost { why: format!("the run has ended: {state}"), alive: false },
            Err(error) => return Lost { why: format!("{why}; {error}"), alive: false },
        }
    }
}
