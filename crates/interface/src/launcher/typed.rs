//! Typed and pasted text in the launcher.

use super::{Dialog, Launcher, View, act};
use crate::frame::Effect;
use crate::typed::Typed;

/// Handles pasted text.
pub fn paste(launcher: &mut Launcher, text: &str) -> Vec<Effect> {
    let text: String = text.trim_matches(['\r', '\n']).chars().filter(|c| !c.is_control()).collect();
    // Text pasted onto a line of the form is its new value.
    if launcher.view == View::Form && launcher.layers.is_empty() && !launcher.is_typing() {
        launcher.form.type_in();
    }
    text.chars().flat_map(|c| typed(launcher, c)).collect()
}

/// Handles a typed character that is bound to no key.
pub fn typed(launcher: &mut Launcher, c: char) -> Vec<Effect> {
    match launcher.layers.last_mut() {
        Some(Dialog::Pick(pick)) => {
            pick.typed.insert(c);
            pick.to_first();
            return act::browse_typed(launcher);
        }
        Some(Dialog::Ask(_, _, typed) | Dialog::Race(typed)) => {
            typed.insert(c);
            return Vec::new();
        }
        Some(Dialog::More(more)) => {
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

/// Types into a search; `fresh` marks it as being typed, and must be kept.
fn insert(find: &mut Typed, c: char) {
    find.fresh = false;
    find.insert(c);
    find.fresh = true;
}
