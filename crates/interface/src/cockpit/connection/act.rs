//! Attaching to a shared run, and detaching without ending it.

use std::time::Duration;

use crate::cockpit::leaving::{end, outcome};
use crate::cockpit::receive::receive;
use crate::cockpit::{Dialog, Stage, State};
use crate::frame::{Effect, Outcome, Severity};
use crate::keys::{Action, Context};
use crate::text;
use spartui_facts::protocol::{Audience, Command, Event, ServerMessage};

/// Handles a message about the connection.
pub fn receive_news(state: &mut State, news: ServerMessage) -> Vec<Effect> {
    match news {
        ServerMessage::Event(event) => return receive(state, event),
        ServerMessage::Clock { seconds } => {
            state.env.now = Duration::try_from_secs_f64(seconds).unwrap_or(state.env.now);
            state.connection.past = Some(state.env.now).filter(|_| !state.connection.live);
        }
        ServerMessage::Live => (state.connection.live, state.connection.past) = (true, None),
        ServerMessage::Audience(audience) => update_audience(state, audience),
        ServerMessage::Refused { why } => state.connection.lost = Some(why),
        ServerMessage::Lost { alive: false, why } if state.running() => {
            let ready = state.ready.as_ref();
            let remedy =
                ready.map(|ready| format!("; `spartui resume {}` goes on from its newest checkpoint", ready.run));
            let message = why + &remedy.unwrap_or_default();
            return receive(state, Event::Fault { message, refused: false });
        }
        ServerMessage::Lost { why, .. } if state.running() => lost(state, why),
        ServerMessage::Lost { .. } | ServerMessage::Hello { .. } | ServerMessage::Standing(_) => {}
    }
    Vec::new()
}

fn lost(state: &mut State, why: String) {
    let why = state.connection.lost.take().unwrap_or(why);
    state.note(Severity::Error, &why);
    state.connection.lost = Some(why);
    state.env.notice = None;
    state.edit = None;
    state.layers.clear();
    state.requests.clear();
}

fn update_audience(state: &mut State, audience: Audience) {
    let known = std::mem::replace(&mut state.connection.audience, audience);
    if known.clients.is_empty() {
        return;
    }
    let came = |one: &Audience, other: &Audience| -> Vec<String> {
        let new = one.clients.iter().filter(|client| !other.clients.contains(client));
        new.map(|client| text::safe_text(&client.from)).collect()
    };
    for from in came(&state.connection.audience, &known) {
        state.note(Severity::Info, format!("{from} connected"));
    }
    for from in came(&known, &state.connection.audience) {
        state.note(Severity::Info, format!("{from} has left"));
    }
    let steered = known.steering == Some(state.connection.client);
    match (steered, state.connection.steers()) {
        (true, false) => {
            state.edit = None;
            state.layers.retain(|layer| !matches!(layer, Dialog::Quit | Dialog::Stop));
            let from = state.connection.audience.steered_from().map_or_else(|| "nobody".into(), text::safe_text);
            let advice = state.env.look.keys.advice(Context::Cockpit, Action::TakeOver, "takes control");
            state.say(Severity::Warning, format!("{from} steers now{advice}"));
        }
        (false, true) => state.say(Severity::Done, "you steer now"),
        _ => {}
    }
}

/// Detaches from the run, which goes on.
pub fn detach(state: &mut State) -> Vec<Effect> {
    if state.stage == Stage::Loading {
        state.layers.clear();
        state.hint("the run is still loading; detach when training has started");
        return Vec::new();
    }
    vec![Effect::Quit(outcome(state).unwrap_or(Outcome::Left))]
}

/// Asks to steer.
pub fn take_over(state: &mut State) -> Vec<Effect> {
    if state.connection.lost.is_some() || !state.running() {
        state.hint("there is nothing to steer");
        Vec::new()
    } else if state.connection.steers() {
        state.hint("you steer already");
        Vec::new()
    } else {
        vec![Effect::TakeOver]
    }
}

/// A termination signal: it ends a run that this interface started, else only the interface.
pub fn terminate(state: &mut State) -> Vec<Effect> {
    if state.connection.owner && state.connection.hindrance().is_none() {
        return end(state, Command::Terminate);
    }
    state.leaving = Some(Command::Terminate);
    vec![Effect::Quit(outcome(state).unwrap_or(Outcome::Left))]
}

impl State {
    /// Why nothing can be changed from here, with the key that helps.
    #[must_use]
    pub fn hindrance(&self) -> Option<String> {
        let why = self.connection.hindrance().filter(|_| self.running())?;
        let advice = match self.connection.lost {
            Some(_) => self.env.look.keys.advice(Context::Lost, Action::Reconnect, "connects again"),
            None => self.env.look.keys.advice(Context::Cockpit, Action::TakeOver, "takes control"),
        };
        Some(format!("{why}{advice}"))
    }
}
