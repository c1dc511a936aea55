//! The race as a screen.

use std::time::Duration;

use crossterm::event::MouseEvent;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Dialog, LaneView, RaceScreen, act, draw, receive};
use crate::frame::{Effect, Env, Input, Outcome, Screen};
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::widgets::footer::Hint;

impl Screen for RaceScreen {
    fn env(&self) -> &Env {
        &self.env
    }

    fn env_mut(&mut self) -> &mut Env {
        &mut self.env
    }

    fn all_contexts(&self) -> &'static [Context] {
        &[
            Context::Race,
            Context::Screen,
            Context::Typing,
            Context::Text,
            Context::Lost,
            Context::Quit,
            Context::Stop,
            Context::Help,
            Context::Palette,
            Context::Themes,
            Context::Always,
        ]
    }

    fn contexts_below(&self) -> Vec<Context> {
        match &self.layer {
            Some(Dialog::Quit) => vec![Context::Quit, Context::Always],
            Some(Dialog::Stop { .. }) => vec![Context::Stop, Context::Always],
            Some(Dialog::Clone { .. }) => vec![Context::Typing, Context::Text, Context::Always],
            None if self.connection.lost.is_some() => {
                vec![Context::Lost, Context::Race, Context::Screen, Context::Always]
            }
            None => vec![Context::Race, Context::Screen, Context::Always],
        }
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        act::act(self, action)
    }

    fn go_to(&mut self, context: Context, action: Action) -> Vec<Effect> {
        act::elsewhere(self, context, action)
    }

    fn type_character(&mut self, c: char) -> Vec<Effect> {
        act::type_character(self, c);
        Vec::new()
    }

    /// The wheel moves the selection, unless a dialog is open.
    fn mouse(&mut self, _event: MouseEvent, wheel: isize) -> Vec<Effect> {
        if wheel == 0 || self.layer.is_some() { Vec::new() } else { act::act(self, Action::Row(wheel)) }
    }

    fn receive(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Engine(event) => receive::receive_event(self, *event),
            Input::ServerMessage(news) => receive::receive_news(self, *news),
            Input::EngineGone if self.running() && self.connection.lost.is_none() => {
                let message = "the training thread ended without saying why; please report this".to_owned();
                vec![Effect::Quit(Outcome::Faulted { message, refused: false })]
            }
            Input::Signal(SIGTERM) => act::terminate(self),
            Input::Signal(SIGINT) => act::act(self, Action::Interrupt),
            Input::Signal(_) | Input::Hangup => vec![Effect::Quit(self.ended.clone().unwrap_or(Outcome::Detached))],
            _ => Vec::new(),
        }
    }

    /// Passes time, size and background on to the cockpit of every lane.
    fn changed(&mut self, input: &Input) -> Vec<Effect> {
        (0..self.lanes.len()).flat_map(|lane| act::from_lane(self, lane, input.clone())).collect()
    }

    fn inner(&self) -> Option<&dyn Screen> {
        self.opened().map(|lane| &lane.state as &dyn Screen)
    }

    /// Keys, mouse and job results go to the open lane.
    fn offer(&mut self, input: Input) -> (Vec<Effect>, Option<Input>) {
        match (self.open, input) {
            (Some(lane), Input::Key(event)) => (act::key_of_lane(self, lane, event), None),
            (Some(lane), input @ (Input::Mouse(_) | Input::Paste(_) | Input::Done(_))) => {
                (act::from_lane(self, lane, input), None)
            }
            (_, input) => (Vec::new(), Some(input)),
        }
    }

    fn paint(&self, pen: &mut Pen) {
        draw::whole(pen, self);
    }

    fn paint_over_inner(&self, pen: &mut Pen) {
        if let Some(lane) = self.opened() {
            draw::over_lane(pen, lane);
        }
    }

    fn own_hints(&self) -> Vec<Hint> {
        draw::own_hints(self)
    }

    fn moves(&self) -> bool {
        let lanes = || self.lanes.iter().any(|lane| lane.trains() && !lane.state.is_idle());
        self.running() && (self.race.is_none() || lanes())
    }

    fn past(&self) -> Option<Duration> {
        self.connection.past
    }
}

impl RaceScreen {
    /// The lane whose cockpit is open.
    fn opened(&self) -> Option<&LaneView> {
        self.open.and_then(|lane| self.lanes.get(lane))
    }
}
