//! Reports alerts and acknowledges them.

use crate::cockpit::{AlertEvent, State};
use crate::frame::Severity;
use spartui_facts::protocol::Event;

/// Checks an event for alerts before the state receives it, and logs what it finds.
pub fn watch(state: &mut State, event: &Event) {
    let step = state.step();
    let found = match event {
        Event::Step(step) => state.alerts.on_step(step),
        Event::Evaluated(evaluation) => state.alerts.on_evaluation(evaluation),
        Event::Memory(memory) => state.alerts.on_memory(memory),
        Event::Sparsity(sparsity) => {
            let dtype = state.ready.as_ref().map_or("their type", |ready| ready.model.dtype.as_str());
            state.alerts.on_sparsity(sparsity, dtype)
        }
        Event::Vitals(vitals) => state.alerts.on_vitals(vitals, step),
        Event::Checkpointed { bytes, .. } => {
            state.alerts.on_checkpoint(*bytes);
            Vec::new()
        }
        Event::Rewound { step, .. } => {
            state.alerts.on_rewind(*step);
            Vec::new()
        }
        Event::Intervention(_) | Event::Paused { .. } => {
            state.alerts.on_change();
            Vec::new()
        }
        _ => Vec::new(),
    };
    for found in found {
        match found {
            AlertEvent::Began(text) => state.note(Severity::Warning, text),
            AlertEvent::Over(text) => state.note(Severity::Done, text),
        }
    }
}

/// Acknowledges all alerts.
pub fn acknowledge(state: &mut State) {
    if !state.alerts.acknowledge() {
        state.hint("there is no alert");
    }
}
