//! The cockpit as a screen.

use std::time::Duration;

use crossterm::event::MouseEvent;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::charts::cursor;
use super::{State, act, by_name, connection, draw, inspect, leaving, mouse, pending, playground, receive};
use crate::frame::overlay::Settable;
use crate::frame::{Effect, Env, Input, Outcome, Screen};
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::widgets::footer::Hint;

impl Screen for State {
    fn env(&self) -> &Env {
        &self.env
    }

    fn env_mut(&mut self) -> &mut Env {
        &mut self.env
    }

    fn all_contexts(&self) -> &'static [Context] {
        &[
            Context::Cockpit,
            Context::Screen,
            Context::Rows,
            Context::Map,
            Context::Chart,
            Context::Cursor,
            Context::Jump,
            Context::Pending,
            Context::Typing,
            Context::Text,
            Context::Lost,
            Context::Help,
            Context::Palette,
            Context::Themes,
            Context::Example,
            Context::Timeline,
            Context::PlaygroundText,
            Context::Playground,
            Context::Quit,
            Context::Stop,
            Context::Always,
        ]
    }

    fn contexts_below(&self) -> Vec<Context> {
        self.own_contexts()
    }

    fn fields(&self) -> Vec<Settable> {
        by_name::fields(self)
    }

    fn set(&mut self, field: &str, value: &str) -> Vec<Effect> {
        pending::act::propose(self, field, value)
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        act::act(self, action)
    }

    fn go_to(&mut self, context: Context, action: Action) -> Vec<Effect> {
        by_name::elsewhere(self, context, action)
    }

    fn type_character(&mut self, c: char) -> Vec<Effect> {
        if playground::act::is_typing(self) {
            self.playground.insert(c);
        } else if self.jump.is_some() {
            cursor::type_digit(self, c);
        } else if self.layers.is_empty() {
            return pending::act::type_character(self, c);
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        // Only a prompt for the model may have several lines.
        let keeps_lines = playground::act::is_typing(self);
        text.chars().filter(|c| keeps_lines || !c.is_control()).flat_map(|c| self.type_character(c)).collect()
    }

    fn mouse(&mut self, event: MouseEvent, wheel: isize) -> Vec<Effect> {
        mouse::answer(self, event, wheel)
    }

    fn receive(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Engine(event) => receive::receive(self, *event),
            Input::ServerMessage(news) => connection::act::receive_news(self, *news),
            Input::EngineGone => receive::engine_gone(self),
            Input::Signal(SIGINT) => act::act(self, Action::Interrupt),
            Input::Signal(SIGTERM) => connection::act::terminate(self),
            Input::Signal(_) | Input::Hangup => {
                vec![Effect::Quit(leaving::outcome(self).unwrap_or(Outcome::Detached))]
            }
            // The cockpit starts no jobs.
            _ => Vec::new(),
        }
    }

    fn inner(&self) -> Option<&dyn Screen> {
        self.inspector.as_deref().map(|inspector| inspector as &dyn Screen)
    }

    fn offer(&mut self, input: Input) -> (Vec<Effect>, Option<Input>) {
        inspect::offer(self, input)
    }

    fn paint(&self, pen: &mut Pen) {
        draw::whole(pen, self);
    }

    fn own_hints(&self) -> Vec<Hint> {
        draw::hints(self)
    }

    fn moves(&self) -> bool {
        self.running() && !self.is_idle()
    }

    fn past(&self) -> Option<Duration> {
        self.connection.past
    }
}
