//! Opening the form from a recipe, and starting a run or a race from it.

use std::path::PathBuf;

use crate::frame::{Effect, Open, Severity};
use crate::jobs::Job;
use crate::launcher::form::{Base, Form};
use crate::launcher::{Dialog, Launcher, Saving, View, race};

/// Opens the form with a recipe.
pub fn begin_with(launcher: &mut Launcher, base: Base) -> Vec<Effect> {
    launcher.view = View::Form;
    launcher.layers.clear();
    let id = launcher.form.plan.id;
    launcher.form = Form::of(base);
    launcher.form.plan.id = id;
    launcher.replan()
}

/// Starts the race as typed, or says what is wrong with it.
pub fn start_race(launcher: &mut Launcher) -> Vec<Effect> {
    let Some(Dialog::Race(typed)) = launcher.layers.last() else { return Vec::new() };
    let text = typed.text.clone();
    if launcher.saving.is_some() {
        return Vec::new();
    }
    match race::read(&text, &launcher.form.recipe) {
        Err(why) => {
            launcher.say(Severity::Warning, why);
            Vec::new()
        }
        Ok(asked) => {
            launcher.layers.clear();
            launcher.form.race = text;
            match unchanged(launcher) {
                Some(recipe) => {
                    Launcher::open(Open::Race { recipe, name: launcher.run_name(), options: asked.options })
                }
                None => save(launcher, Saving::Race(asked.options)),
            }
        }
    }
}

/// The recipe's file, if its content equals the form's.
pub fn unchanged(launcher: &Launcher) -> Option<PathBuf> {
    let form = &launcher.form;
    let base = form.base.as_ref().filter(|base| base.recipe == form.recipe && form.file.is_empty())?;
    base.file.clone()
}

/// Leaves to train a recipe.
pub fn train(launcher: &Launcher, recipe: std::path::PathBuf) -> Vec<Effect> {
    Launcher::open(Open::Train { recipe, name: launcher.run_name() })
}

pub fn save(launcher: &mut Launcher, saving: Saving) -> Vec<Effect> {
    launcher.saving = Some(saving);
    vec![Effect::Job(Job::SaveRecipe {
        folder: launcher.place.folder.clone(),
        file: launcher.recipe_file(),
        given: !launcher.form.file.is_empty(),
        recipe: launcher.form.recipe.clone(),
    })]
}
