//! What is typed: a value, a name, what is looked for.

use super::choose::look_at_file;
use crate::interface::jobs::Job;
use crate::interface::keys::Action;
use crate::interface::launcher::{Launcher, Layer, View};
use crate::interface::update::Effect;

/// Keeps what was typed.
pub(super) fn apply(launcher: &mut Launcher) -> Vec<Effect> {
    if let Some(Layer::Rename(folder, typed)) = launcher.layers.last() {
        let (folder, name) = (folder.clone(), typed.text.clone());
        if folder.file_name().is_some_and(|now| *now == *name) {
            launcher.layers.pop();
            return Vec::new();
        }
        return vec![Effect::Job(Job::RenameRun { folder, name })];
    }
    match launcher.view {
        View::Home => {
            if let Some(typed) = launcher.home.typed.take() {
                launcher.home.filter = typed.text;
            }
            Vec::new()
        }
        View::Form if launcher.form.typed.is_some() => {
            if !launcher.form.apply_typed() {
                return Vec::new();
            }
            launcher.form.walk(1);
            launcher.replan()
        }
        View::Form => {
            // What was looked for is found; the whole form is there again.
            launcher.form.find = None;
            Vec::new()
        }
    }
}

/// Forgets what was typed.
pub(super) fn discard(launcher: &mut Launcher) -> Vec<Effect> {
    if matches!(launcher.layers.last(), Some(Layer::Rename(..))) {
        launcher.layers.pop();
        return Vec::new();
    }
    match launcher.view {
        View::Home => {
            launcher.home.typed = None;
            launcher.home.filter.clear();
        }
        View::Form => {
            launcher.form.problem = None;
            if launcher.form.typed.take().is_none() {
                launcher.form.find = None;
            }
        }
    }
    Vec::new()
}

/// Moves in what is typed, or takes a character away.
pub(super) fn type_key(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    let typed = match (launcher.layers.last_mut(), launcher.view) {
        (Some(Layer::Pick(pick)), _) => Some(&mut pick.typed),
        (Some(Layer::Rename(_, typed)), _) => Some(typed),
        (Some(_), _) => None,
        (None, View::Home) => launcher.home.typed.as_mut(),
        (None, View::Form) => launcher.form.typed.as_mut().or(launcher.form.find.as_mut()),
    };
    let Some(typed) = typed else { return Vec::new() };
    let fresh = typed.fresh;
    match action {
        Action::Cursor(by) => typed.walk(by),
        Action::Backspace => typed.backspace(),
        _ => typed.delete(),
    }
    match (launcher.layers.last_mut(), launcher.view) {
        (Some(Layer::Pick(pick)), _) => {
            pick.to_first();
            return look_at_file(launcher);
        }
        (None, View::Form) if launcher.form.typed.is_some() => launcher.form.check_typed(),
        (None, View::Form) => {
            if let Some(find) = &mut launcher.form.find {
                find.fresh = fresh;
            }
            launcher.form.go_to_found();
        }
        _ => {}
    }
    Vec::new()
}
