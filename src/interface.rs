//! The terminal interface: what it shows, how it answers keys, and the loop that joins both.
//!
//! [`Screen::update`] is a pure function from an [`Input`] to [`Effect`]s on a screen such as the cockpit's [`State`];
//! [`Screen::draw`] reads it and changes nothing; [`run()`] is the only loop. None of them knows a model or a tensor: what they know of the run
//! comes through [`crate::protocol`].

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cells, dots and steps are far below 2^52, and every float is clamped before it becomes an index"
)]

mod ascii;
pub mod cockpit;
pub mod comparison;
pub mod curves;
pub mod frame;
pub mod input;
pub mod inspector;
pub mod jobs;
pub mod keys;
pub mod ladder;
pub mod launcher;
pub mod layout;
mod main_loop;
pub mod metric;
mod pen;
pub mod race;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod typed;
pub mod widgets;

pub use cockpit::State;
pub use comparison::ComparisonScreen;
pub use frame::{Effect, Input, Look, Open, Outcome, Screen};
pub use inspector::Inspector;
pub use main_loop::{Sources, is_remote, run};
pub use race::RaceScreen;
pub use terminal::Line;
