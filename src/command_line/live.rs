//! A run in the interface: one that was just begun, or one that trains already.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::background::{Background, Lost};
use super::console;
use super::launch::{ended, no_signals};
use super::left::Left;
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

/// How long the end of a process may take to show.
const PATIENCE: Duration = Duration::from_secs(1);

/// The run that is shown.
pub enum Run {
    /// One that this interface began.
    Begun(Background),
    /// One that another process trains.
    Found {
        /// Its folder.
        folder: PathBuf,
        /// What for.
        purpose: Purpose,
    },
}

/// Whether there is a terminal to draw on and to read from.
#[must_use]
pub fn is_possible() -> bool {
    console::hindrance().is_none()
}

/// Shows the run until the user leaves it, or the terminal goes. The run goes on without, unless it was to end.
///
/// # Errors
/// Where the run refused or failed, or the terminal cannot be used.
pub fn run(mut run: Run, look: Look) -> Result<()> {
    let signals = watch_signals_of_screen().map_err(no_signals)?;
    let link = run.connect()?;
    let mut stage = Stage::take(signals, &look)?;
    let mut cockpit = State::new(look, (0, 0));
    let outcome = stage.cockpit(&mut run, link, &mut cockpit);
    drop(stage);
    Looks::remember(&cockpit.env.look);
    run.left(&outcome);
    told(outcome, cockpit.ready.as_ref().map(|ready| ready.folder.as_path()), cockpit.ending.as_ref())
}

/// As [`run`], of a race.
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
    Looks::remember(&screen.env.look);
    run.left(&outcome);
    told(outcome, screen.race.as_ref().map(|race| race.folder.as_path()), screen.asked_to_end())
}

/// Says on standard output how the interface ended, with the folder of the run where that is known, and how the run was asked
/// to end.
fn told(outcome: Outcome, known: Option<&Path>, asked: Option<&Command>) -> Result<()> {
    match outcome {
        Outcome::Finished(summary) => {
            Printer::new(false).print(&Event::Finished(summary.clone()))?;
            let summary =
                ended(Event::Finished(summary)).unwrap_or_else(|| Err(Error::failed("the run has no end")))?;
            print_line(&summary.folder.display().to_string())
        }
        Outcome::Faulted { message, refused: true } => Err(Error::refused(message)),
        Outcome::Faulted { message, refused: false } => Err(Error::failed(message)),
        Outcome::Left => known.map_or(Ok(()), |folder| {
            let left = Left::look(folder, asked);
            if left.is_bad() {
                return Err(Error::failed(left.sentence()));
            }
            print_line(&left.sentence())?;
            print_line(&folder.display().to_string())
        }),
        Outcome::Detached | Outcome::Reconnect | Outcome::Open(_) => Ok(()),
    }
}

/// The terminal, taken once: any number of screens follow each other on it. It is given back when this is dropped.
pub struct Stage {
    guard: TerminalGuard,
    terminal: ScreenTerminal,
    input: InputThread,
    signals: Receiver<i32>,
    line: Line,
    /// When the terminal was asked for its background.
    asked: Option<Instant>,
}

impl Stage {
    /// Takes the terminal, and asks for its background where that decides what things look like.
    ///
    /// # Errors
    /// Where it cannot be used.
    pub fn take(signals: Receiver<i32>, look: &Look) -> Result<Self> {
        let fail = |error: std::io::Error| {
            Error::failed(format!("the terminal cannot be used: {error}; try again with --headless"))
        };
        // Whatever a library prints would tear the screen.
        let printed = tempfile::tempfile().map_err(fail)?;
        let redirection = Redirection::to(&printed).map_err(fail)?;
        let screen = redirection.screen().map_err(fail)?;
        let guard = TerminalGuard::enter(screen, Some(redirection)).map_err(fail)?;
        let line = Line::of_terminal();
        let terminal = guard.terminal(&line).map_err(fail)?;
        let input = InputThread::start().map_err(fail)?;
        // A slow line has better things to carry.
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

    /// Shows a run, and connects again as often as the user wants.
    pub fn cockpit(&mut self, run: &mut Run, link: Link, state: &mut State) -> Outcome {
        let owner = matches!(run, Run::Begun(_));
        *state = state.connected(link.client, owner);
        let mut outcome = self.once(state, link);
        while outcome == Outcome::Reconnect {
            let (link, _kept) = match run.reconnect(state.ready.as_ref().map(|ready| ready.folder.as_path())) {
                Ok(link) => {
                    *state = state.connected(link.client, owner);
                    (link, None)
                }
                Err(lost) => {
                    let (link, told) = no_link(lost);
                    (link, Some(told))
                }
            };
            outcome = self.once(state, link);
        }
        outcome
    }

    /// As [`Stage::cockpit`], of a race.
    pub fn race(&mut self, run: &mut Run, link: Link, screen: &mut RaceScreen) -> Outcome {
        let owner = matches!(run, Run::Begun(_));
        *screen = screen.connected(link.client, owner);
        let mut outcome = self.once(screen, link);
        while outcome == Outcome::Reconnect {
            let (link, _kept) = match run.reconnect(screen.race.as_ref().map(|race| race.folder.as_path())) {
                Ok(link) => {
                    *screen = screen.connected(link.client, owner);
                    (link, None)
                }
                Err(lost) => {
                    let (link, told) = no_link(lost);
                    (link, Some(told))
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
        // An answer that is still under way would be typed into the shell.
        while self.asked.is_some_and(|asked| asked.elapsed() < PATIENCE) && !self.input.is_answered() {
            thread::sleep(Duration::from_millis(5));
        }
        self.guard.restore();
    }
}

/// A connection that says nothing but why there is none.
fn no_link(lost: Lost) -> (Link, Sender<ServerMessage>) {
    let (told, news) = bounded(1);
    // There is room for one.
    let _ = told.send(lost.into());
    (Link { client: 0, elapsed: Duration::ZERO, news, requests: unbounded().0 }, told)
}

impl Run {
    /// The connection to it; to one that was begun there is one only.
    ///
    /// # Errors
    /// Where nobody answers.
    pub fn connect(&mut self) -> Result<Link> {
        match self {
            Self::Begun(background) => background.connect(),
            Self::Found { folder, purpose } => open(folder, *purpose).map_err(|lost| Error::failed(lost.why)),
        }
    }

    /// The interface has left it: a process that was begun and has told its end is waited for.
    pub fn left(self, outcome: &Outcome) {
        if let (Self::Begun(background), Outcome::Finished(_) | Outcome::Faulted { .. }) = (self, outcome) {
            background.ended();
        }
    }

    /// Another connection to the same run.
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

/// What became of a run: why the connection ended, unless the run has.
fn lost(folder: &Path, why: String) -> Lost {
    let begun = Instant::now();
    let state = || RunFolder::open(folder).and_then(|run| run.status()).map(|status| status.state);
    loop {
        match state() {
            Ok(RunState::Running) if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            Ok(RunState::Running) => return Lost { why, alive: true },
            Ok(RunState::Interrupted) => {
                return Lost { why: "the process that trains was killed or crashed".into(), alive: false };
            }
            Ok(state) => return Lost { why: format!("the run has ended: {state}"), alive: false },
            Err(error) => return Lost { why: format!("{why}; {error}"), alive: false },
        }
    }
}
