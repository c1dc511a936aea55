//! The cockpit's part of the palette: fields to set, and actions of contexts that are not active.

use super::act::act;
use super::charts::cursor;
use super::{Dialog, State};
use crate::frame::Effect;
use crate::frame::overlay::Settable;
use crate::keys::{Action, Context, Panel};
use crate::text;
use spartui_facts::recipe::Kind;

/// The live fields, including each group's density.
pub fn fields(state: &State) -> Vec<Settable> {
    let mut fields = Vec::new();
    for field in State::live_fields() {
        let mut add = |name: String| {
            let value =
                super::pending::value::value_of(state, &name).map_or_else(|| "–".into(), |value| text::value(&value));
            fields.push(Settable { name, value, help: field.help });
        };
        match field.kind {
            Kind::NumberByName(..) => {
                let groups = state.sparsity.iter().flat_map(|sparsity| &sparsity.groups);
                groups
                    .filter(|group| group.why_fixed().is_none())
                    .for_each(|group| add(format!("{}.{}", field.name, group.name)));
            }
            _ => add(field.name.to_owned()),
        }
    }
    fields
}

/// Runs an action of a context that is not active: focuses its context, and runs it unless it needs confirmation.
pub fn elsewhere(state: &mut State, context: Context, action: Action) -> Vec<Effect> {
    let mut open = |layer: Dialog| {
        state.layers.push(layer);
        Vec::new()
    };
    match context {
        Context::Chart => {
            state.focus_on(Panel::Loss);
            act(state, action)
        }
        Context::Cursor => {
            state.focus_on(Panel::Loss);
            if state.cursor.is_none() {
                cursor::toggle(state);
            }
            let ready = state.cursor.is_some() && action != Action::RewindHere;
            if ready { act(state, action) } else { remark(state, context, action) }
        }
        Context::Example => open(Dialog::Example),
        Context::Timeline => act(state, Action::Timeline),
        Context::Quit => act(state, Action::Quit),
        Context::Stop => act(state, Action::Stop),
        Context::Screen | Context::Cockpit | Context::Always => act(state, action),
        _ => remark(state, context, action),
    }
}

/// Reports where an action is available.
fn remark(state: &mut State, context: Context, action: Action) -> Vec<Effect> {
    let key = state.env.look.keys.label(context, action).map_or_else(String::new, |key| format!(" ({key})"));
    state.hint(format!("{}{key} works {}", action.name(), context.heading()));
    Vec::new()
}
