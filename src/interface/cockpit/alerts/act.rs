//! Alerts: what is said of them, and their acknowledgement.

use crate::interface::cockpit::{Said, State};
use crate::interface::frame::Weight;
use crate::protocol::Event;

/// Looks at an event before it is taken in, and puts what is to be said of it into the log.
pub fn watch(state: &mut State, event: &Event) {
    let step = state.step();
    let said = match event {
        Event::Step(step) => state.alerts.stepped(step),
        Event::Evaluated(evaluation) => state.alerts.evaluated(evaluation),
        Event::Memory(memory) => state.alerts.remembers(memory),
        Event::Sparsity(sparsity) => {
            let dtype = state.ready.as_ref().map_or("their type", |ready| ready.model.dtype.as_str());
            state.alerts.trains(sparsity, dtype)
        }
        Event::Vitals(vitals) => state.alerts.felt(vitals, step),
        Event::Checkpointed { bytes, .. } => {
            state.alerts.wrote(*bytes);
            Vec::new()
        }
        Event::Rewound { step, .. } => {
            state.alerts.moved(*step);
            Vec::new()
        }
        Event::Intervention(_) | Event::Paused { .. } => {
            state.alerts.changed();
            Vec::new()
        }
        _ => Vec::new(),
    };
    for said in said {
        match said {
            Said::Began(text) => state.note(Weight::Warning, text),
            Said::Over(text) => state.note(Weight::Done, text),
        }
    }
}

/// The user has seen the alerts.
pub fn acknowledge(state: &mut State) {
    if !state.alerts.see() {
        state.hint("there is no alert");
    }
}
