//! What can be chosen by its name in the cockpit: fields that are set, and actions where their keys mean nothing now.

use super::act::act;
use super::charts::cursor;
use super::{Layer, State};
use crate::interface::frame::Effect;
use crate::interface::frame::overlay::Settable;
use crate::interface::keys::{Action, Context, Panel};
use crate::interface::text;
use crate::recipe::Kind;

/// The fields that can be set while the run trains, each group's density among them.
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
                let groups = state.sparsity.iter().flat_map(|sparsity| &sparsity.groups).filter(|group| group.targeted);
                groups.for_each(|group| add(format!("{}.{}", field.name, group.name)));
            }
            _ => add(field.name.to_owned()),
        }
    }
    fields
}

/// Does an action of a context that is not active: goes where it is, and does it unless it deserves a second look.
pub fn elsewhere(state: &mut State, context: Context, action: Action) -> Vec<Effect> {
    let mut open = |layer: Layer| {
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
        Context::Example => open(Layer::Example),
        Context::Timeline => act(state, Action::Timeline),
        Context::Quit => act(state, Action::Quit),
        Context::Stop => act(state, Action::Stop),
        Context::Screen | Context::Cockpit | Context::Always => act(state, action),
        _ => remark(state, context, action),
    }
}

/// Says where an action is at home.
fn remark(state: &mut State, context: Context, action: Action) -> Vec<Effect> {
    let key = state.env.look.keys.label(context, action).map_or_else(String::new, |key| format!(" ({key})"));
    state.hint(format!("{}{key} works {}", action.name(), context.heading()));
    Vec::new()
}
