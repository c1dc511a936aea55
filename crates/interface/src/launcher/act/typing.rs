//! Text input: values, names and searches.

use std::path::PathBuf;

use super::choose::browse_typed;
use crate::frame::{Effect, Open};
use crate::jobs::Job;
use crate::keys::Action;
use crate::launcher::{Dialog, Launcher, More, Question, View, value};
use spartui_facts::recipe::{self, Field};
use spartui_run::Notes;

/// Applies the typed text.
pub(super) fn apply(launcher: &mut Launcher) -> Vec<Effect> {
    match launcher.layers.last() {
        Some(Dialog::Ask(question, folder, typed)) => {
            let (question, folder, text) = (*question, folder.clone(), typed.text.clone());
            return answer(launcher, question, folder, text);
        }
        Some(Dialog::Race(_)) => return super::begin::start_race(launcher),
        _ => {}
    }
    if let Some(Dialog::More(more)) = launcher.layers.last_mut() {
        return match more.set() {
            Ok(set) => Launcher::open(Open::Extend { folder: more.folder.clone(), set }),
            Err(why) => {
                more.problem = Some(why);
                Vec::new()
            }
        };
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
            // The search has succeeded; shows the whole form again.
            launcher.form.find = None;
            Vec::new()
        }
    }
}

/// Carries out the answer to a question about a run.
fn answer(launcher: &mut Launcher, question: Question, folder: PathBuf, text: String) -> Vec<Effect> {
    let known = launcher.home.selected().filter(|run| run.run.folder == folder);
    let known = known.map(|run| Notes { tags: run.run.tags.clone(), note: run.run.note.clone() });
    let notes = match question {
        Question::Name if folder.file_name().is_some_and(|now| *now == *text) => {
            launcher.layers.pop();
            return Vec::new();
        }
        Question::Name => return vec![Effect::Job(Job::RenameRun { folder, name: text })],
        Question::Tags => Notes { tags: Notes::tags_of(&text), ..known.unwrap_or_default() },
        Question::Note => Notes { note: text.trim().to_owned(), ..known.unwrap_or_default() },
    };
    vec![Effect::Job(Job::Note { folder, notes })]
}

impl More {
    /// The typed text as `field=value`.
    fn set(&self) -> Result<String, String> {
        let value = value::read(Field::find(self.field)?, &self.typed.text)?;
        match recipe::number(&value) {
            Some(number) if number > self.now => Ok(format!("{}={value}", self.field)),
            _ => Err(format!("the run ended at {}; it goes on with more than that", self.now)),
        }
    }
}

/// Discards the typed text.
pub(super) fn discard(launcher: &mut Launcher) -> Vec<Effect> {
    if matches!(launcher.layers.last(), Some(Dialog::Ask(..) | Dialog::Race(_) | Dialog::More(_))) {
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

/// Edits the text, or moves in it.
pub(super) fn type_key(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    let typed = match (launcher.layers.last_mut(), launcher.view) {
        (Some(Dialog::Pick(pick)), _) => Some(&mut pick.typed),
        (Some(Dialog::Ask(_, _, typed) | Dialog::Race(typed)), _) => Some(typed),
        (Some(Dialog::More(more)), _) => {
            more.problem = None;
            Some(&mut more.typed)
        }
        (Some(_), _) => None,
        (None, View::Home) => launcher.home.typed.as_mut(),
        (None, View::Form) => launcher.form.typed.as_mut().or(launcher.form.find.as_mut()),
    };
    let Some(typed) = typed else { return Vec::new() };
    let fresh = typed.fresh;
    typed.act(action);
    match (launcher.layers.last_mut(), launcher.view) {
        (Some(Dialog::Pick(pick)), _) => {
            pick.to_first();
            return browse_typed(launcher);
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
