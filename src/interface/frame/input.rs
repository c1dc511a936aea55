//! What screens react to, and what they ask for.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyEvent, KeyEventKind, MouseEvent, MouseEventKind};

use crate::interface::jobs::{Done, Job};
use crate::protocol::{Command, Event, News, Summary};

/// What the interface reacts to.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A key was pressed, held or released.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// Text came in one piece.
    Paste(String),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// The engine has told something.
    Engine(Box<Event>),
    /// Something about the connection to the engine.
    News(Box<News>),
    /// The engine is gone without a last word.
    EngineGone,
    /// A signal came.
    Signal(i32),
    /// The terminal has said whether its background is light.
    Background {
        /// Whether it is.
        light: bool,
    },
    /// The terminal is gone.
    Hangup,
    /// Time since the interface came up.
    Tick(Duration),
    /// A job is done, or tells how far it is.
    Done(Box<Done>),
}

impl Input {
    /// The input that an event of the terminal is; none where nothing on the screen could change.
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

    /// The input that the result of a job is.
    #[must_use]
    pub fn from_job(done: Done) -> Self {
        Self::Done(Box::new(done))
    }

    /// The input that a message of the engine's process is.
    #[must_use]
    pub fn from_engine(news: News) -> Self {
        match news {
            News::Event(event) => Self::Engine(Box::new(event)),
            news => Self::News(Box::new(news)),
        }
    }
}

/// What the loop is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the engine.
    Send(Command),
    /// Ask to steer in place of who does.
    TakeOver,
    /// Do this beside the screen, and tell what came of it by [`Input::Done`].
    Job(Job),
    /// Draw everything anew, whatever the terminal shows.
    Redraw,
    /// Leave the terminal to the shell until it lets the program go on.
    Suspend,
    /// End the interface.
    Quit(Outcome),
}

/// How the interface ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The run ended as asked, and the user has left.
    Finished(Box<Summary>),
    /// The run failed, and the user has left.
    Faulted {
        /// One sentence.
        message: String,
        /// Whether the input was refused.
        refused: bool,
    },
    /// The terminal is gone; the engine goes on without an interface.
    Detached,
    /// The user has left a run that goes on.
    Left,
    /// The connection to the run was lost, and the user wants another one.
    Reconnect,
    /// The user wants to see something else.
    Open(Open),
}

/// What a user can want to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open {
    /// A new run.
    Train {
        /// The file of its recipe.
        recipe: PathBuf,
        /// Its name.
        name: String,
    },
    /// A run that goes on from its newest checkpoint, by its folder.
    Resume(PathBuf),
    /// A run that has ended and goes on, since it is given more of something.
    Extend {
        /// Its folder.
        folder: PathBuf,
        /// The field that it is given another value of, as `field=value`.
        set: String,
    },
    /// A run that a process trains, by its folder.
    Attach(PathBuf),
    /// The curves of runs, by their folders.
    Inspect(Vec<PathBuf>),
    /// Runs beside each other, by their folders.
    Compare {
        /// The runs.
        runs: Vec<PathBuf>,
        /// Only those are compared that have the rows and the task of this one; without one, all of them.
        like: Option<PathBuf>,
    },
    /// A new race.
    Race {
        /// The file of the recipe that its lanes have in common.
        recipe: PathBuf,
        /// Its name.
        name: String,
        /// What else the command line says of it.
        options: Vec<String>,
    },
}
