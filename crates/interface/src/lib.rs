//! The terminal interface: screens, keys, and the main loop.
//!
//! [`Screen::update`] is a pure function from an [`Input`] to [`Effect`]s on a screen such as the cockpit's [`State`];
//! [`Screen::draw`] reads the state without changing it; [`run()`] is the only loop. None of them uses a model or a
//! tensor: what they show of a run comes through [`spartui_facts::protocol`].

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cells, dots and steps are far below 2^52, and every float is clamped before it becomes an index"
)]

// From the top: what stands in one paragraph imports only from the paragraphs below it. A test reads this order.

pub mod race;

pub mod cockpit;

pub mod comparison;
pub mod inspector;
pub mod launcher;
mod main_loop;

pub mod frame;

pub mod jobs;

pub mod curves;

pub mod widgets;

pub mod input;
pub mod ladder;
mod pen;
pub mod svg;
pub mod typed;

pub mod keys;
pub mod layout;
pub mod metric;
pub mod terminal;

mod ascii;
pub mod text;
pub mod theme;

pub use cockpit::State;
pub use comparison::ComparisonScreen;
pub use frame::{Effect, Input, Look, Open, Outcome, Screen};
pub use inspector::Inspector;
pub use main_loop::{Sources, is_remote, run};
pub use race::RaceScreen;
pub use terminal::Line;
