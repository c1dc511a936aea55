//! The inputs of screens, and the effects that they request.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyEvent, KeyEventKind, MouseEvent, MouseEventKind};

use crate::jobs::{Done, Job};
use spartui_facts::protocol::{Command, Event, ServerMessage, Summary};

/// An input to the interface.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A key was pressed, held or released.
    Key(KeyEvent),
    /// A mouse event.
    Mouse(MouseEvent),
    /// Pasted text.
    Paste(String),
    /// The terminal's new size in columns and rows.
    Resize(u16, u16),
    /// An event of the engine.
    Engine(Box<Event>),
    /// A message about the connection to the engine.
    ServerMessage(Box<ServerMessage>),
    /// The engine is gone without a final event.
    EngineGone,
    /// A signal.
    Signal(i32),
    /// The terminal has reported whether its background is light.
    Background {
        /// Whether it is light.
        light: bool,
    },
    /// The terminal is gone.
    Hangup,
    /// Time since the interface started.
    Tick(Duration),
    /// The result or the progress of a job.
    Done(Box<Done>),
}

impl Input {
    /// Converts a terminal event; none if it cannot change the screen.
    #[must_use]
    pub fn from_terminal(event: TerminalEvent) -> Option<Self> {
        match event {
            TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => Some(Self::Key(key)),
            TerminalEvent::Mouse(mouse) if mouse.kind != MouseEventKind::Moved => Some(Self::Mouse(mouse)),
            TerminalEvent::Resize(columns, rows) => Some(Self::Resize(columns, rows)),
            TerminalEvent::Paste(text) => Some(Self::Paste(text)),
            _ => None,
        }
    }

    /// Converts the result of a job.
    #[must_use]
    pub fn from_job(done: Done) -> Self {
        Self::Done(Box::new(done))
    }

    /// Converts a message of the engine's process.
    #[must_use]
    pub fn from_engine(news: ServerMessage) -> Self {
        match news {
            ServerMessage::Event(event) => Self::Engine(Box::new(event)),
            news => Self::ServerMessage(Box::new(news)),
        }
    }
}

/// A request to the main loop.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a command to the engine.
    Send(Command),
    /// Ask to steer in place of the client that does.
    TakeOver,
    /// Run a job in the background; its result arrives as [`Input::Done`].
    Job(Job),
    /// Redraw the whole screen, whatever the terminal shows.
    Redraw,
    /// Suspend the program, and leave the terminal to the shell.
    Suspend,
    /// End the interface.
    Quit(Outcome),
}

/// How the interface ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The run ended normally, and the user has quit.
    Finished(Box<Summary>),
    /// The run failed, and the user has quit.
    Faulted {
        /// The error in one sentence.
        message: String,
        /// Whether the input was refused.
        refused: bool,
    },
    /// The terminal is gone; the engine goes on without an interface.
    Detached,
    /// The user has left a run that goes on.
    Left,
    /// The connection to the run was lost, and the user wants to reconnect.
    Reconnect,
    /// The user wants to open something else.
    Open(Open),
}

/// Something to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open {
    /// A new run.
    Train {
        /// The recipe's file.
        recipe: PathBuf,
        /// Its name.
        name: String,
    },
    /// A run to resume from its newest checkpoint, by its folder.
    Resume(PathBuf),
    /// An ended run to extend beyond its previous limit.
    Extend {
        /// Its folder.
        folder: PathBuf,
        /// The field to raise, as `field=value`.
        set: String,
    },
    /// A run in training, by its folder.
    Attach(PathBuf),
    /// The curves of runs, by their folders.
    Inspect(Vec<PathBuf>),
    /// Runs to compare, by their folders.
    Compare {
        /// The runs.
        runs: Vec<PathBuf>,
        /// Only runs with the rows and the task of this one are compared; without one, all of them.
        like: Option<PathBuf>,
    },
    /// A new race.
    Race {
        /// The file of the lanes' common recipe.
        recipe: PathBuf,
        /// Its name.
        name: String,
        /// Further command-line options.
        options: Vec<String>,
    },
}
