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
pub mod frame;
pub mod input;
mod inspect;
pub mod inspector;
pub mod jobs;
pub mod keys;
pub mod ladder;
pub mod launcher;
pub mod layout;
mod main_loop;
pub mod metric;
mod mouse;
mod palette;
mod pen;
mod playground;
pub mod race;
mod receive;
mod screens;
pub mod state;
mod steer;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod theme;
mod timeline;
pub mod typed;
mod update;
pub mod widgets;

pub use comparison::ComparisonScreen;
pub use frame::{Effect, Input, Look, Open, Outcome, Screen};
pub use inspector::Inspector;
pub use main_loop::{Sources, is_remote, run};
pub use race::RaceScreen;
pub use screens::{draw, draw_into};
pub use state::State;
pub use terminal::Line;
pub use update::update;
