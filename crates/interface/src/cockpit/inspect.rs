//! The inspector over the cockpit: it gets the keys, while the cockpit goes on receiving events.

use super::State;
use crate::frame::{Effect, Input, Screen};
use crate::inspector::Inspector;
use crate::jobs::Done;
use crate::keys::Action;

/// Opens it on this run and its sibling runs.
pub fn open(state: &mut State) -> Vec<Effect> {
    let Some(folder) = state.ready.as_ref().map(|ready| ready.folder.clone()) else {
        state.hint("the run has no folder yet whose curves could be inspected");
        return Vec::new();
    };
    let runs = folder.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let mut inspector = Inspector::new(runs, vec![folder], state.env.look.clone());
    let (columns, rows) = state.env.size;
    let mut effects = inspector.update(Input::Tick(state.env.now));
    effects.extend(inspector.update(Input::Resize(columns, rows)));
    effects.extend(inspector.begin());
    state.inspector = Some(Box::new(inspector));
    effects
}

/// Offers an input to the inspector, if it is open; returns its effects, and the input if the cockpit is to handle it.
pub fn offer(state: &mut State, input: Input) -> (Vec<Effect>, Option<Input>) {
    let Some(inspector) = &mut state.inspector else { return (Vec::new(), Some(input)) };
    let (its, also_ours) = match &input {
        Input::Key(event) => {
            // The cockpit itself handles quitting.
            let leaves = state.env.look.keys.action(&[crate::keys::Context::Always], *event) == Some(Action::Interrupt);
            (!leaves, leaves)
        }
        Input::Mouse(_) | Input::Paste(_) => (true, false),
        Input::Done(done) => (matches!(**done, Done::Curves(_) | Done::Broken(_)), true),
        Input::Resize(..) | Input::Tick(_) | Input::Background { .. } => (true, true),
        _ => (false, true),
    };
    if !its {
        if matches!(input, Input::Key(_)) {
            state.inspector = None;
        }
        return (Vec::new(), Some(input));
    }
    let mut effects = inspector.update(input.clone());
    let closed = effects.iter().any(|effect| matches!(effect, Effect::Quit(_)));
    (state.env.look.theme, state.env.look.chosen) = (inspector.env.look.theme, inspector.env.look.chosen);
    effects.retain(|effect| !matches!(effect, Effect::Quit(_)));
    if closed {
        state.inspector = None;
    }
    (effects, also_ours.then_some(input))
}
