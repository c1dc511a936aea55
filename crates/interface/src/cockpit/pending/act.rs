//! Actions that change the run: pending values and requests to the engine.

use crate::cockpit::{Edit, Preview, Redo, RequestKind, Stage, State, timeline};
use crate::frame::{Effect, Severity};
use crate::keys::{Action, Context, Panel};
use crate::typed::Typed;
use crate::{ladder, text};
use spartui_facts::protocol::{Command, Consequences};
use spartui_facts::recipe::{Field, Kind, Value};

const SPARSITY: &str = "method.sparsity";
const TRAINABLE: &str = "method.trainable";
const DENSITY: &str = "method.density";
const RATE: &str = "optimizer.learning_rate";

/// Runs a steering action.
pub fn steer(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Apply => return apply(state),
        Action::ApplyWithRate => return apply_with_rate(state),
        Action::Discard => {
            state.edit = None;
            return Vec::new();
        }
        Action::Cursor(_) | Action::Backspace | Action::Delete | Action::Line(_) => return type_key(state, action),
        _ => {}
    }
    if !ready(state) {
        return Vec::new();
    }
    match action {
        Action::Pause => vec![Effect::Send(if state.paused { Command::Resume } else { Command::Pause })],
        Action::Sparser(sparser) => turn_sparsity(state, sparser),
        Action::Faster(faster) => turn_rate(state, faster),
        Action::Turn(by) => turn(state, by),
        Action::Edit => edit_row(state),
        Action::Undo => undo(state),
        Action::Evaluate => {
            let id = state.request(RequestKind::Evaluate);
            vec![Effect::Send(Command::Evaluate { id })]
        }
        Action::Export => {
            let id = state.request(RequestKind::Export);
            vec![Effect::Send(Command::Export { id })]
        }
        _ => Vec::new(),
    }
}

/// Types a character into the pending value.
pub fn type_character(state: &mut State, c: char) -> Vec<Effect> {
    let Some(edit) = state.edit.as_mut().filter(|edit| edit.typed.is_some()) else {
        return Vec::new();
    };
    if let Some(typed) = &mut edit.typed {
        typed.insert(c);
    }
    edit.read_typed();
    ask(state)
}

/// Makes a value given as text the pending one of a field, as if it had been typed.
pub fn propose(state: &mut State, field: &str, value: &str) -> Vec<Effect> {
    if let Some(why) = state.hindrance() {
        state.hint(why);
        return Vec::new();
    }
    if !ready(state) {
        return Vec::new();
    }
    let mut edit = Edit::new(state, field);
    edit.typed = Some(Typed { text: value.to_owned(), cursor: value.chars().count(), fresh: false });
    edit.read_typed();
    state.edit = Some(edit);
    ask(state)
}

fn ready(state: &mut State) -> bool {
    match state.stage {
        Stage::Training if state.leaving.is_none() => return true,
        Stage::Training => state.hint("the run is ending"),
        Stage::Loading => state.hint("the run is not loaded yet"),
        Stage::Finished(_) | Stage::Faulted { .. } => {
            let advice = state.env.look.keys.advice(Context::Cockpit, Action::Quit, "leaves");
            state.hint(format!("the run has ended{advice}"));
        }
    }
    false
}

fn type_key(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(edit) = &mut state.edit else { return Vec::new() };
    let Some(typed) = &mut edit.typed else { return Vec::new() };
    if !typed.act(action) {
        return Vec::new();
    }
    edit.read_typed();
    ask(state)
}

/// Steps the sparsity, or the selected group's density, to the next value of the ladder.
fn turn_sparsity(state: &mut State, sparser: bool) -> Vec<Effect> {
    let group = if state.focus == Panel::Sparsity { state.selected_group().cloned() } else { None };
    let Some(group) = group else {
        let Some(bounds) = state.ready.as_ref().map(|ready| ready.sparsity_bounds) else { return Vec::new() };
        return step_field(state, SPARSITY, |value| ladder::sparsity(value, sparser, bounds));
    };
    if let Some(why) = group.why_fixed() {
        state.hint(format!("{} {why}", text::safe_text(&group.name)));
        return Vec::new();
    }
    let least = 1.0 / (group.parameters.max(1) as f64);
    step_field(state, &format!("{DENSITY}.{}", group.name), |value| {
        let next = if sparser { ladder::down(value) } else { ladder::up(value) };
        next.clamp(least.min(1.0), 1.0)
    })
}

fn turn_rate(state: &mut State, faster: bool) -> Vec<Effect> {
    step_field(state, RATE, |value| if faster { ladder::up(value).min(10.0) } else { ladder::down(value) })
}

/// Steps the pending value.
fn turn(state: &mut State, by: isize) -> Vec<Effect> {
    let Some(edit) = state.edit.clone() else { return Vec::new() };
    if let Some(choices) = edit.choices() {
        let now = edit.value.ok().and_then(|value| choices.iter().position(|word| *word == text::value(&value)));
        let next = now.unwrap_or(0).wrapping_add_signed(by + choices.len().cast_signed()) % choices.len();
        return choose(state, &edit.field, choices[next]);
    }
    match edit.field.as_str() {
        SPARSITY => {
            let Some(bounds) = state.ready.as_ref().map(|ready| ready.sparsity_bounds) else { return Vec::new() };
            step_field(state, SPARSITY, |value| ladder::sparsity(value, by > 0, bounds))
        }
        TRAINABLE => {
            let most = state.sparsity.as_ref().map_or(u64::MAX, |sparsity| sparsity.parameters) as f64;
            step_field(state, TRAINABLE, |value| if by > 0 { ladder::up(value).min(most) } else { ladder::down(value) })
        }
        field => {
            let kind = Field::find(field).map(|field| field.kind);
            let highest = match kind {
                Ok(
                    Kind::NumberByName(_, high)
                    | Kind::Number(_, high)
                    | Kind::NumberOrAuto(_, high)
                    | Kind::Rate(_, high),
                ) => high,
                _ => f64::MAX,
            };
            let field = field.to_owned();
            step_field(state, &field, |value| if by > 0 { ladder::up(value).min(highest) } else { ladder::down(value) })
        }
    }
}

/// Makes the field's next value pending, counted from the pending value if there is one, else from the current value.
fn step_field(state: &mut State, field: &str, next: impl Fn(f64) -> f64) -> Vec<Effect> {
    let mut edit = match state.edit.take() {
        Some(edit) if edit.field == field => edit,
        _ => Edit::new(state, field),
    };
    let Ok(Some(now)) = edit.value.as_ref().map(|value| number(state, value)) else {
        state.hint(format!("{} has no value that could be stepped", text::safe_text(field)));
        return Vec::new();
    };
    let value = next(now);
    if (value - now).abs() <= f64::EPSILON * now.abs() {
        let now = edit.value.as_ref().map(text::value).unwrap_or_default();
        state.hint(format!("{} can go no further than {now}", text::safe_text(field)));
        if edit.preview != Preview::None {
            state.edit = Some(edit);
        }
        return Vec::new();
    }
    edit.typed = None;
    edit.value = Ok(if matches!(edit.value, Ok(Value::Integer(_))) {
        Value::Integer(value.round() as i64)
    } else {
        Value::Float(value)
    });
    state.edit = Some(edit);
    ask(state)
}

/// The value as a number. A trainable count of 0 stands for the present count.
fn number(state: &State, value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Integer(0) => Some(state.sparsity.as_ref()?.trainable as f64),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

/// Begins to edit the selected row in place.
fn edit_row(state: &mut State) -> Vec<Effect> {
    let field = match state.focus {
        Panel::Sparsity => match state.selected_group() {
            None => SPARSITY.to_owned(),
            Some(group) => match group.why_fixed() {
                None => format!("{DENSITY}.{}", group.name),
                Some(why) => {
                    state.hint(format!("{} {why}", text::safe_text(&group.name)));
                    return Vec::new();
                }
            },
        },
        Panel::Settings => match selected_setting(state) {
            Some(field) if matches!(field.kind, Kind::NumberByName(..)) => {
                state.focus_on(Panel::Sparsity);
                let key = state.env.look.keys.label(Context::Rows, Action::Edit).unwrap_or_else(|| "edit".into());
                state.hint(format!("select a group and press {key} to give it a density of its own"));
                return Vec::new();
            }
            Some(field) => field.name.to_owned(),
            None => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let mut edit = Edit::new(state, &field);
    if let Some(choices) = edit.choices() {
        let now = edit.value.as_ref().ok().map(text::value);
        let next =
            choices.iter().position(|word| now.as_deref() == Some(word)).map_or(0, |at| (at + 1) % choices.len());
        return choose(state, &field, choices[next]);
    }
    edit.type_in();
    state.edit = Some(edit);
    Vec::new()
}

fn choose(state: &mut State, field: &str, word: &str) -> Vec<Effect> {
    let value = match word {
        "true" | "false" => Value::Boolean(word == "true"),
        word => Value::String(word.to_owned()),
    };
    state.edit = Some(Edit { value: Ok(value), ..Edit::new(state, field) });
    ask(state)
}

/// Requests a preview of the pending value.
fn ask(state: &mut State) -> Vec<Effect> {
    let id = state.fresh_id();
    let Some(edit) = &mut state.edit else { return Vec::new() };
    let Ok(value) = edit.value.clone() else {
        edit.preview = Preview::None;
        return Vec::new();
    };
    edit.preview = Preview::Asked(id);
    vec![Effect::Send(Command::Preview { id, field: edit.field.clone(), value })]
}

/// Sends the pending value, unless it is invalid, was rejected already, or is the current one.
fn apply(state: &mut State) -> Vec<Effect> {
    let Some(edit) = state.edit.take() else { return Vec::new() };
    if !ready(state) {
        return Vec::new();
    }
    match edit.value.clone() {
        Err(why) => {
            state.hint(why);
            state.edit = Some(edit);
            Vec::new()
        }
        Ok(value) if edit.from.as_ref() == Some(&value) && state.requested(&edit.field).is_none() => Vec::new(),
        Ok(value) => {
            if let Preview::Refused(why) = &edit.preview {
                state.hint(why.clone());
                state.edit = Some(edit);
                return Vec::new();
            }
            set(state, edit.field, value)
        }
    }
}

/// Sends the pending value, and the learning rate suggested with it if that differs.
fn apply_with_rate(state: &mut State) -> Vec<Effect> {
    if state.edit.as_ref().is_some_and(|edit| edit.field == RATE) {
        return apply(state);
    }
    let offered = match state.edit.as_ref().map(|edit| &edit.preview) {
        Some(Preview::Answered(Consequences { rate: Some((_, rate)), .. })) => *rate,
        Some(Preview::Answered(_)) => {
            state.hint("the learning rate stays with this change; apply it by itself");
            return Vec::new();
        }
        _ => {
            state.hint("what it would do is not known yet");
            return Vec::new();
        }
    };
    let mut effects = apply(state);
    if !effects.is_empty() {
        effects.extend(set(state, RATE.to_owned(), Value::Float(offered)));
    }
    effects
}

/// Sends the value that the last change replaced. The change leaves the list at once, so that the next key press
/// undoes the one before it.
fn undo(state: &mut State) -> Vec<Effect> {
    let Some(last) = state.undo.pop() else {
        state.hint("there is nothing to undo");
        return Vec::new();
    };
    let effects = set(state, last.field, last.from);
    state.undoing.extend(state.requests.last().map(|request| request.id));
    effects
}

/// Redoes the change undone last: sets the value again, or switches to the branch that was left.
pub fn redo(state: &mut State) -> Vec<Effect> {
    if !ready(state) {
        return Vec::new();
    }
    let effects = match state.redo.pop() {
        None => {
            state.hint("there is nothing to redo");
            return Vec::new();
        }
        Some(Redo::Value(field, value)) => set(state, field, value),
        Some(Redo::Branch(branch)) => timeline::act::switch(state, branch),
    };
    state.redoing.extend(state.requests.last().map(|request| request.id));
    effects
}

fn set(state: &mut State, field: String, value: Value) -> Vec<Effect> {
    let id = state.request(RequestKind::Set { field: field.clone(), value: value.clone() });
    state.note(Severity::Info, format!("asked for {field} {}", text::value(&value)));
    state.env.notice = None;
    vec![Effect::Send(Command::Set { id, field, value })]
}

/// The field of the selected row of the settings panel.
fn selected_setting(state: &State) -> Option<&'static Field> {
    state.shown_fields().nth(state.setting_row)
}
