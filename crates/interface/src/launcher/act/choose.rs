//! Choosing models, files and recipes from lists.

use std::path::{Path, PathBuf};

use super::begin::begin_with;
use crate::frame::{Effect, Severity};
use crate::jobs::Job;
use crate::keys::Action;
use crate::launcher::form::Base;
use crate::launcher::pick::{Files, Pick, PickKind, Row, expanded, typed_folder};
use crate::launcher::{Dialog, Launcher, value};
use crate::typed::Typed;
use spartui_data::Dialect;
use spartui_facts::recipe::{Field, Kind, Value};

/// Begins to edit the selected line: with a list if it has one, else as text.
pub(super) fn edit(launcher: &mut Launcher) -> Vec<Effect> {
    let form = &mut launcher.form;
    let Some(field) = form.field() else {
        form.type_in();
        return Vec::new();
    };
    match field.kind {
        Kind::PathOrName => {
            let (folder, cache) = (launcher.place.folder.clone(), launcher.place.cache.clone());
            let files = Files::new(field.name, folder.clone(), folder.clone());
            launcher.layers.push(Dialog::Pick(Box::new(Pick::new(PickKind::Model(None, files)))));
            let listed = Job::ListModels(folder.clone());
            vec![Effect::Job(Job::FindModels { folder, cache }), Effect::Job(listed)]
        }
        Kind::Path | Kind::PathOrShare => {
            let now = form.recipe.get(field.name);
            let near = match now.as_ref().and_then(Value::as_str) {
                Some(path) if !path.is_empty() => {
                    launcher.place.folder.join(path).parent().map(std::path::Path::to_owned)
                }
                _ => None,
            };
            let folder = near.unwrap_or_else(|| launcher.place.folder.clone());
            let files = Files::new(field.name, folder.clone(), launcher.place.folder.clone());
            launcher.layers.push(Dialog::Pick(Box::new(Pick::new(PickKind::File(files)))));
            vec![Effect::Job(Job::ListFolder(folder))]
        }
        _ if value::choices(field).is_some() => {
            form.turn(1);
            launcher.replan()
        }
        _ => {
            form.type_in();
            Vec::new()
        }
    }
}

/// Opens another folder in the list.
fn browse(launcher: &mut Launcher, folder: PathBuf) -> Vec<Effect> {
    let Some(Dialog::Pick(pick)) = launcher.layers.last_mut() else { return Vec::new() };
    (pick.typed, pick.row) = (Typed::default(), 0);
    let Some(files) = pick.files_mut() else { return Vec::new() };
    files.base.clone_from(&folder);
    files.list(folder);
    (files.entries, files.below, files.sample) = (None, None, None);
    listed(pick)
}

/// The jobs that list the folder of a list, and find the models below it if models are listed.
fn listed(pick: &Pick) -> Vec<Effect> {
    let Some(files) = pick.files() else { return Vec::new() };
    let below = matches!(pick.what, PickKind::Model(..)) && pick.typed.text.trim().is_empty() && files.is_searched();
    let below = below.then(|| Effect::Job(Job::FindModelsBelow(files.folder.clone())));
    std::iter::once(list(&pick.what, files.folder.clone())).chain(below).collect()
}

/// The job that lists a folder.
fn list(what: &PickKind, folder: PathBuf) -> Effect {
    Effect::Job(if matches!(what, PickKind::Model(..)) { Job::ListModels(folder) } else { Job::ListFolder(folder) })
}

/// Lists the folder of the typed path, or without one the folder that was browsed to.
pub fn browse_typed(launcher: &mut Launcher) -> Vec<Effect> {
    let (working, home) = (launcher.place.folder.clone(), launcher.place.home.clone());
    let Some(Dialog::Pick(pick)) = launcher.layers.last_mut() else { return Vec::new() };
    let typed = typed_folder(&pick.typed.text).map(|folder| working.join(expanded(folder, home.as_deref())));
    let Some(files) = pick.files_mut() else { return Vec::new() };
    let folder = typed.unwrap_or_else(|| files.base.clone());
    if files.list(folder) {
        return listed(pick);
    }
    look_at_file(launcher)
}

/// Completes the typed text from the selected row.
fn complete(launcher: &mut Launcher) -> Vec<Effect> {
    let Some(Dialog::Pick(pick)) = launcher.layers.last_mut() else { return Vec::new() };
    let Some(text) = pick.completed() else { return Vec::new() };
    pick.typed = Typed { cursor: text.chars().count(), text, fresh: false };
    pick.to_first();
    browse_typed(launcher)
}

/// Runs an action in a list.
pub(super) fn in_pick(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    let Some(Dialog::Pick(pick)) = launcher.layers.last_mut() else { return Vec::new() };
    match action {
        Action::PickAbove => {
            let above = pick.files().and_then(|files| files.folder.parent()).map(Path::to_owned);
            return above.map_or_else(Vec::new, |above| browse(launcher, above));
        }
        Action::PickComplete => return complete(launcher),
        Action::PickTake => return accept(launcher),
        _ => {}
    }
    Vec::new()
}

/// Accepts the selected row.
pub(super) fn accept(launcher: &mut Launcher) -> Vec<Effect> {
    let Some(Dialog::Pick(pick)) = launcher.layers.last() else { return Vec::new() };
    let (what, row) = (pick.what.clone(), pick.selected());
    let home = launcher.place.home.clone();
    let working = launcher.place.folder.clone();
    match (what, row) {
        (_, None) => {
            launcher.say(Severity::Warning, "there is nothing of this name; a path serves too");
            Vec::new()
        }
        (PickKind::Model(..), Some(Row::Model(model))) => {
            launcher.layers.pop();
            launcher.form.chose_model(&model.family);
            give(launcher, "model.path", Value::String(model.name))
        }
        (PickKind::Model(_, files), Some(Row::Entry(entry))) if entry.family.is_some() => {
            launcher.layers.pop();
            launcher.form.chose_model(entry.family.as_deref().unwrap_or_default());
            let path = files.path_of(&entry.name, &working);
            give(launcher, "model.path", Value::String(path.to_string_lossy().into_owned()))
        }
        (PickKind::Model(..), Some(Row::Typed(name))) => {
            launcher.layers.pop();
            give(launcher, "model.path", Value::String(expanded(&name, home.as_deref())))
        }
        (PickKind::File(files) | PickKind::Model(_, files), Some(Row::Above)) => {
            let above = files.folder.parent().map(Path::to_owned);
            above.map_or_else(Vec::new, |above| browse(launcher, above))
        }
        (PickKind::File(files) | PickKind::Model(_, files), Some(Row::Entry(entry))) if entry.folder => {
            browse(launcher, files.folder.join(entry.name))
        }
        (PickKind::File(files), Some(Row::Entry(entry))) => {
            launcher.layers.pop();
            let path = files.path_of(&entry.name, &working);
            give(launcher, files.field, Value::String(path.to_string_lossy().into_owned()))
        }
        (PickKind::File(files), Some(Row::Typed(typed))) => {
            launcher.layers.pop();
            let path = expanded(&typed, home.as_deref());
            match Field::find(files.field).and_then(|field| value::read(field, &path)) {
                Ok(value) => give(launcher, files.field, value),
                Err(why) => {
                    launcher.say(Severity::Warning, why);
                    Vec::new()
                }
            }
        }
        (PickKind::Recipe(_), Some(Row::Recipe(found))) => match found.recipe {
            Ok(recipe) => {
                let name = launcher.seen(&found.path);
                begin_with(launcher, Base { name, file: Some(found.path), recipe })
            }
            Err(why) => {
                launcher.say(Severity::Warning, why);
                Vec::new()
            }
        },
        (PickKind::Recipe(_), Some(Row::Typed(typed))) => {
            let file = std::path::PathBuf::from(expanded(&typed, home.as_deref()));
            vec![Effect::Job(Job::LoadRecipe { folder: working, file })]
        }
        (_, Some(_)) => Vec::new(),
    }
}

/// Sets a field to the chosen value, and moves on to the next required line.
fn give(launcher: &mut Launcher, name: &'static str, value: Value) -> Vec<Effect> {
    let form = &mut launcher.form;
    form.select(name);
    let Some(field) = form.field() else { return Vec::new() };
    if let Err(why) = form.set(field, value) {
        launcher.say(Severity::Warning, why);
        return Vec::new();
    }
    let missing = form.missing();
    match missing {
        Some(missing) => form.select(missing),
        None => form.walk(1),
    }
    let mut effects = launcher.replan();
    // After the model, the rows are usually next.
    if name == "model.path" && missing == Some("data.train") {
        effects.extend(edit(launcher));
    }
    effects
}

/// Requests a sample of the selected file, unless there is one.
pub fn look_at_file(launcher: &mut Launcher) -> Vec<Effect> {
    let folder = launcher.place.folder.clone();
    let Some(Dialog::Pick(pick)) = launcher.layers.last_mut() else { return Vec::new() };
    let Some(Row::Entry(entry)) = pick.selected().filter(|row| matches!(row, Row::Entry(entry) if !entry.folder))
    else {
        if let PickKind::File(files) = &mut pick.what {
            files.sample = None;
        }
        return Vec::new();
    };
    let PickKind::File(files) = &mut pick.what else { return Vec::new() };
    let file = files.path_of(&entry.name, &folder);
    if files.sample.as_ref().is_some_and(|(known, _)| *known == file) {
        return Vec::new();
    }
    files.sample = Some((file.clone(), None));
    vec![Effect::Job(Job::Sample { folder, file, dialect: Dialect::default() })]
}
