//! What the main loop shows: any screen, one after another on the same terminal.

use std::time::Duration;

use ratatui::Frame;

use super::state::State;
use super::update::{Effect, Input, update};
use super::widgets::footer::Hint;

/// A whole screen that listens. What it needs done it asks for by effects; [`Screen::update`] and [`Screen::draw`]
/// themselves touch neither disk nor network.
pub trait Screen {
    /// What it asks for when it comes up, before any input.
    fn begin(&mut self) -> Vec<Effect> {
        Vec::new()
    }

    /// Answers an input.
    fn update(&mut self, input: Input) -> Vec<Effect>;

    /// Draws it, and changes nothing.
    fn draw(&self, frame: &mut Frame);

    /// The keys that are named on it, each with its place: a click there presses the key.
    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }

    /// Whether something on it moves by itself, so that a tick is worth its while.
    fn animated(&self) -> bool;

    /// The time at which what is told at present happened, while that lies in the past.
    fn past(&self) -> Option<Duration> {
        None
    }
}

impl Screen for State {
    fn update(&mut self, input: Input) -> Vec<Effect> {
        update(self, input)
    }

    fn draw(&self, frame: &mut Frame) {
        super::screens::draw(frame, self);
    }

    fn hints(&self) -> Vec<Hint> {
        super::screens::hints(self)
    }

    fn animated(&self) -> bool {
        State::animated(self)
    }

    fn past(&self) -> Option<Duration> {
        self.connection.past
    }
}
