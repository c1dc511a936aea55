//! The terminal interface: what it shows, how it answers keys, and the loop that joins both.
//!
//! [`update()`] is a pure function from an [`Input`] to [`Effect`]s on a [`State`]; [`draw()`] reads the state and
//! changes nothing; [`run()`] is the only loop. None of them knows a model or a tensor: what they know of the run
//! comes through [`crate::protocol`].

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cells, dots and steps are far below 2^52, and every float is clamped before it becomes an index"
)]

mod alerts;
mod ascii;
mod charts;
pub mod comparison;
mod connection;
mod cursor;
pub mod input;
mod inspect;
pub mod inspector;
pub mod jobs;
pub mod keys;
pub mod ladder;
pub mod launcher;
pub mod layout;
pub mod look;
mod main_loop;
mod mouse;
pub mod overlay;
mod palette;
mod pen;
mod playground;
pub mod race;
mod receive;
mod screen;
mod screens;
pub mod state;
mod steer;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod theme;
mod timeline;
mod update;
mod widgets;

pub use comparison::ComparisonScreen;
pub use inspector::Inspector;
pub use look::Look;
pub use main_loop::{Line, Sources, is_remote, run};
pub use race::RaceScreen;
pub use screen::Screen;
pub use screens::{draw, draw_into};
pub use state::State;
pub use update::{Effect, Input, update};

use std::path::PathBuf;

use crate::protocol::Summary;

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
