//! Handles the results of the launcher's jobs.

use std::path::Path;

use super::act::begin::{begin_with, train};
use super::act::look_at_file;
use super::form::Base;
use super::pick::{PickKind, Row};
use super::{Dialog, Launcher, More, Saving, View, value};
use crate::frame::{Effect, Open, Severity};
use crate::jobs::{Done, FoundModel};
use crate::keys::{Action, Context};
use crate::text;
use crate::typed::Typed;
use spartui_run::proposed_extension;

/// Handles a result.
pub fn done(launcher: &mut Launcher, done: Done) -> Vec<Effect> {
    match done {
        Done::Runs(runs) => launcher.home.listed(runs),
        Done::Deleted(folder, Ok(())) => {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            launcher.say(Severity::Done, format!("{} is deleted", text::safe_text(&name)));
        }
        Done::Renamed(folder, Ok(to)) => {
            let name = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (before, now) = (name(&folder), name(&to));
            let back = (Context::Home, Action::RenameBack);
            let message = format!("{} is called {} now", text::safe_text(&before), text::safe_text(&now));
            launcher.advise(Severity::Done, message, back, "gives it its name back");
            launcher.layers.retain(|layer| !matches!(layer, Dialog::Ask(..)));
            launcher.home.select(&to);
            launcher.renamed = Some((to, before));
        }
        Done::Noted(_, Ok(())) => launcher.layers.retain(|layer| !matches!(layer, Dialog::Ask(..))),
        Done::More(folder, Ok((field, now))) if launcher.view == View::Home => {
            let text = value::typed(&proposed_extension(field, now));
            let typed = Typed { cursor: text.chars().count(), text, fresh: true };
            launcher.layers.push(Dialog::More(More { folder, field, now, typed, problem: None }));
        }
        Done::Planned(id, part) => launcher.form.plan.receive(id, part.map(|part| *part)),
        Done::Listed(folder, entries) => {
            if let Some(Dialog::Pick(pick)) = launcher.layers.last_mut()
                && let Some(files) = pick.files_mut()
                && files.folder == folder
            {
                files.entries = Some(entries);
                pick.to_first();
                return look_at_file(launcher);
            }
        }
        Done::Sampled(file, sample) => {
            if let Some(Dialog::Pick(pick)) = launcher.layers.last_mut()
                && let PickKind::File(files) = &mut pick.what
                && let Some((known, place)) = &mut files.sample
                && *known == file
            {
                *place = Some((*sample).clone());
            }
            if let Some(message) = launcher.form.sampled(&file, *sample) {
                launcher.say(Severity::Info, message);
                return launcher.replan();
            }
        }
        // For the inspector and the comparison, or for a run that the user has left.
        Done::Curves(_) | Done::Compared(_) | Done::More(_, Ok(_)) => {}
        Done::Models(found) => {
            if let Some(Dialog::Pick(pick)) = launcher.layers.last_mut()
                && let PickKind::Model(place, _) = &mut pick.what
            {
                *place = Some(found);
                // They come before the folder's entries, which may have arrived first.
                pick.to_first();
            }
        }
        Done::ModelsBelow(folder, found) => below(launcher, &folder, found),
        Done::Recipes(found) => {
            if let Some(Dialog::Pick(pick)) = launcher.layers.last_mut()
                && let PickKind::Recipe(place) = &mut pick.what
            {
                *place = Some(found);
            }
        }
        Done::Loaded(file, Ok(recipe)) => {
            let runs = launcher.place.folder.join(&launcher.place.runs);
            let run = file.parent().filter(|folder| folder.parent() == Some(&runs)).and_then(|run| run.file_name());
            let base = match run {
                Some(run) if file.ends_with("recipe.toml") => {
                    Base { name: format!("the run {}", run.to_string_lossy()), file: None, recipe }
                }
                _ => Base { name: launcher.seen(&file), file: Some(file), recipe },
            };
            return begin_with(launcher, base);
        }
        Done::Saved(Ok(file)) => match launcher.saving.take() {
            Some(Saving::Start) => return train(launcher, file),
            Some(Saving::Race(options)) => {
                return Launcher::open(Open::Race { recipe: file, name: launcher.run_name(), options });
            }
            _ => {
                launcher.say(Severity::Done, format!("wrote {}", launcher.seen(&file)));
                let base = Base { name: launcher.seen(&file), file: Some(file), recipe: launcher.form.recipe.clone() };
                launcher.form.base = Some(base);
            }
        },
        Done::Saved(Err(why)) => {
            launcher.saving = None;
            launcher.say(Severity::Error, why);
        }
        Done::Noted(_, Err(why))
        | Done::Deleted(_, Err(why))
        | Done::Renamed(_, Err(why))
        | Done::More(_, Err(why))
        | Done::Loaded(_, Err(why))
        | Done::Broken(why) => {
            launcher.say(Severity::Error, why);
        }
    }
    Vec::new()
}

impl Launcher {
    /// Whether the form is shown.
    #[must_use]
    pub fn shows_form(&self) -> bool {
        self.view == View::Form
    }
}

/// Handles the models found below a folder, if it is still the one listed.
fn below(launcher: &mut Launcher, folder: &Path, found: Vec<FoundModel>) {
    let Some(Dialog::Pick(pick)) = launcher.layers.last_mut() else { return };
    // Keeps a selection that the user has made meanwhile.
    let chosen = pick.selected().filter(|row| *row != Row::Above);
    match &mut pick.what {
        PickKind::Model(_, files) if files.folder == folder => files.found_below(found),
        _ => return,
    }
    match pick.rows().iter().position(|row| chosen.as_ref() == Some(row)) {
        Some(at) => pick.row = at,
        None => pick.to_first(),
    }
}
