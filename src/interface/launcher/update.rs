//! How the launcher answers.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};

use super::{Launcher, Layer, View, act, done, place};
use crate::interface::frame::overlay::Answer;
use crate::interface::frame::{Effect, Input, Outcome, Overlay, Weight};
use crate::interface::keys::{Action, Context, Press};
use crate::interface::typed::Typed;
use crate::recipe::Field;

/// Brings the launcher up to date with an input.
pub fn update(launcher: &mut Launcher, input: Input) -> Vec<Effect> {
    match input {
        Input::Key(event) => key(launcher, event),
        Input::Mouse(event) => mouse(launcher, event),
        Input::Paste(text) => paste(launcher, &text),
        Input::Background { light } => {
            launcher.look.fit(light);
            Vec::new()
        }
        Input::Resize(columns, rows) => {
            launcher.size = (columns, rows);
            Vec::new()
        }
        Input::Tick(now) => {
            launcher.now = now;
            if launcher.notice.as_ref().is_some_and(|notice| notice.is_over(now)) {
                launcher.notice = None;
            }
            Vec::new()
        }
        Input::Signal(signal_hook::consts::SIGINT) => act::act(launcher, Action::Interrupt),
        Input::Signal(_) | Input::Hangup => vec![Effect::Quit(Outcome::Detached)],
        Input::Done(done) => done::done(launcher, *done),
        // No engine is connected to this screen.
        Input::Engine(_) | Input::News(_) | Input::EngineGone => Vec::new(),
    }
}

fn key(launcher: &mut Launcher, event: KeyEvent) -> Vec<Effect> {
    if launcher.overlay.is_some() {
        let answer = over(launcher, |slot, look, scope| Overlay::key(slot, look, scope, event));
        return answered(launcher, answer);
    }
    if let Some(action) = launcher.look.keys.action(&launcher.contexts(), event) {
        return act::act(launcher, action);
    }
    Press::typed(event).map_or_else(Vec::new, |c| typed(launcher, c))
}

/// Lets what lies over the screen do something.
fn over<T>(
    launcher: &mut Launcher,
    does: impl FnOnce(
        &mut Option<Overlay>,
        &mut crate::interface::frame::Look,
        &crate::interface::frame::overlay::Scope,
    ) -> T,
) -> T {
    let below = launcher.contexts_below();
    let scope = launcher.scope(&below);
    let mut overlay = launcher.overlay.take();
    let done = does(&mut overlay, &mut launcher.look, &scope);
    launcher.overlay = overlay;
    done
}

fn answered(launcher: &mut Launcher, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Nothing => Vec::new(),
        Answer::Do(context, action) if launcher.contexts_below().contains(&context) => act::act(launcher, action),
        Answer::Do(context, action) => elsewhere(launcher, context, action),
        Answer::Set(name, text) => {
            let Ok(field) = Field::find(&name) else { return Vec::new() };
            launcher.form.select(field.name);
            launcher.form.type_in();
            if let Some(typed) = launcher.form.typed.as_mut().filter(|_| !text.is_empty()) {
                *typed = Typed { cursor: text.chars().count(), text, fresh: false };
                return act::act(launcher, Action::Apply);
            }
            Vec::new()
        }
    }
}

/// Does an action of a context that is not active: goes where it is, and does it unless it deserves a second look.
fn elsewhere(launcher: &mut Launcher, context: Context, action: Action) -> Vec<Effect> {
    let view = match context {
        Context::Home => View::Home,
        Context::Form => View::Form,
        _ => {
            launcher.say(Weight::Info, "that is done where it is asked for");
            return Vec::new();
        }
    };
    launcher.layers.clear();
    launcher.view = view;
    if action == Action::FormStart {
        launcher.say(Weight::Info, "this is the run that would start");
        return launcher.replan();
    }
    act::act(launcher, action)
}

fn paste(launcher: &mut Launcher, text: &str) -> Vec<Effect> {
    let text: String = text.trim_matches(['\r', '\n']).chars().filter(|c| !c.is_control()).collect();
    if let Some(overlay) = &mut launcher.overlay {
        text.chars().for_each(|c| overlay.insert(c));
        return Vec::new();
    }
    // What is pasted onto a line of the form is meant for it.
    if launcher.view == View::Form && launcher.layers.is_empty() && !launcher.is_typing() {
        launcher.form.type_in();
    }
    text.chars().flat_map(|c| typed(launcher, c)).collect()
}

/// A character that was typed where it is no key.
fn typed(launcher: &mut Launcher, c: char) -> Vec<Effect> {
    match launcher.layers.last_mut() {
        Some(Layer::Pick(pick)) => {
            pick.typed.insert(c);
            pick.to_first();
            return act::browse_typed(launcher);
        }
        Some(Layer::Ask(_, _, typed) | Layer::Race(typed)) => {
            typed.insert(c);
            return Vec::new();
        }
        Some(Layer::More(more)) => {
            more.problem = None;
            more.typed.insert(c);
            return Vec::new();
        }
        Some(_) => return Vec::new(),
        None => {}
    }
    match launcher.view {
        View::Home => {
            if let Some(typed) = &mut launcher.home.typed {
                typed.insert(c);
            }
        }
        View::Form => {
            let form = &mut launcher.form;
            if let Some(typed) = &mut form.typed {
                typed.insert(c);
                form.check_typed();
            } else if let Some(find) = form.find.as_mut().filter(|find| find.fresh) {
                insert(find, c);
                form.go_to_found();
            } else if form.takes_digits() && (c.is_ascii_digit() || c == '.') {
                form.type_in();
                return self::typed(launcher, c);
            }
        }
    }
    Vec::new()
}

/// Types into a text that is looked for; that it is being typed is said by `fresh`, which must stay.
fn insert(find: &mut Typed, c: char) {
    find.fresh = false;
    find.insert(c);
    find.fresh = true;
}

fn mouse(launcher: &mut Launcher, event: MouseEvent) -> Vec<Effect> {
    let by = match event.kind {
        MouseEventKind::ScrollDown => 1,
        MouseEventKind::ScrollUp => -1,
        _ => 0,
    };
    if launcher.overlay.is_some() {
        if by != 0 {
            over(launcher, |slot, look, scope| Overlay::scroll(slot, look, scope, by));
        }
        return Vec::new();
    }
    if by != 0 {
        return act::walk(launcher, by);
    }
    if event.kind != MouseEventKind::Down(MouseButton::Left) {
        return Vec::new();
    }
    match place::row_at(launcher, (event.column, event.row)) {
        Some(row) => act::click(launcher, row),
        None => Vec::new(),
    }
}
