//! What the launcher's keys do.

mod choose;
mod typing;

pub use choose::look_at_file;
use choose::{edit, in_pick, take};
use typing::{apply, discard, type_key};

use super::form::{Base, Form, Slot};
use super::home::{Can, can};
use super::pick::{Pick, What};
use super::{Launcher, Layer, Saving, View};
use crate::interface::jobs::{Job, PlanOf};
use crate::interface::keys::{Action, Context};
use crate::interface::overlay::Overlay;
use crate::interface::state::{Typed, Weight};
use crate::interface::update::Effect;
use crate::interface::{Open, Outcome};
use crate::recipe::{Field, Kind};
use crate::run::State;

/// Does what a key stands for.
pub fn act(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    if let Some(overlay) = Overlay::opened_by(action, &launcher.look) {
        launcher.overlay = Some(overlay);
        return Vec::new();
    }
    match action {
        Action::Redraw => vec![Effect::Redraw],
        Action::NextTheme => {
            let said = launcher.look.choose_next();
            launcher.say(Weight::Info, said);
            Vec::new()
        }
        Action::Interrupt => interrupt(launcher),
        Action::Quit => vec![Effect::Quit(Outcome::Left)],
        Action::Leave => leave(launcher),
        Action::HomeRow(by) | Action::FormRow(by) | Action::PickRow(by) => walk(launcher, by),
        Action::Apply => apply(launcher),
        Action::Discard => discard(launcher),
        Action::Cursor(_) | Action::Backspace | Action::Delete => type_key(launcher, action),
        _ => match launcher.view {
            _ if matches!(launcher.layers.last(), Some(Layer::Pick(_))) => in_pick(launcher, action),
            View::Form if launcher.layers.last().is_none_or(|layer| matches!(layer, Layer::Start(_))) => {
                in_form(launcher, action)
            }
            _ => at_home(launcher, action),
        },
    }
}

fn at_home(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    match action {
        Action::NewRun => return new_run(launcher),
        Action::OpenRecipe => return open_recipes(launcher),
        Action::FilterRuns => {
            let text = launcher.home.filter.clone();
            launcher.home.typed = Some(Typed { cursor: text.chars().count(), text, fresh: false });
            return Vec::new();
        }
        _ => {}
    }
    let Some(run) = launcher.home.selected().cloned() else {
        launcher.advise(Weight::Warning, "there is no run yet", (Context::Home, Action::NewRun), "makes one");
        return Vec::new();
    };
    let folder = run.run.folder.clone();
    match action {
        Action::OpenRun => match can(&run) {
            Can::Attach => return Launcher::open(Open::Attach(folder)),
            Can::Look => return Launcher::open(Open::Inspect(folder)),
            Can::Resume | Can::Nothing => launcher.layers.push(Layer::Facts),
        },
        Action::ViewRun => return Launcher::open(Open::Inspect(folder)),
        Action::CompareRuns => {
            let runs = launcher.home.shown().into_iter().map(|known| known.run.folder.clone()).collect();
            return Launcher::open(Open::Compare { runs, like: folder });
        }
        Action::RunFacts => launcher.layers.push(Layer::Facts),
        Action::ResumeRun if can(&run) == Can::Resume => return Launcher::open(Open::Resume(folder)),
        Action::ResumeRun => {
            let name = &run.run.name;
            match run.run.state {
                Some(State::Running) => {
                    let said = format!("{name} is being trained");
                    launcher.advise(Weight::Warning, said, (Context::Home, Action::OpenRun), "opens it");
                }
                Some(_) => {
                    let said = format!("{name} has taken all its steps");
                    launcher.advise(Weight::Warning, said, (Context::Home, Action::CopyRun), "makes a new run from it");
                }
                None => launcher.say(Weight::Warning, format!("{name} cannot be understood")),
            }
        }
        Action::CopyRun => {
            launcher.layers.clear();
            let file = folder.join("recipe.toml");
            return vec![Effect::Job(Job::LoadRecipe { folder: launcher.place.folder.clone(), file })];
        }
        Action::DeleteRun if run.run.state == Some(State::Running) => {
            launcher.say(Weight::Warning, "a run that trains cannot be deleted; stop it first");
        }
        Action::DeleteRun => launcher.layers.push(Layer::Delete(folder)),
        Action::RenameRun if run.run.state == Some(State::Running) => {
            launcher.say(Weight::Warning, "a run that trains cannot be renamed; stop it first");
        }
        Action::RenameRun => {
            let text = run.run.name.clone();
            launcher.layers.push(Layer::Rename(folder, Typed { cursor: text.chars().count(), text, fresh: false }));
        }
        Action::RenameBack => match launcher.renamed.take() {
            Some((folder, name)) => return vec![Effect::Job(Job::RenameRun { folder, name })],
            None => launcher.say(Weight::Info, "no run was renamed"),
        },
        Action::DeleteNow => {
            if let Some(Layer::Delete(folder)) = launcher.layers.pop() {
                launcher.layers.clear();
                return vec![Effect::Job(Job::DeleteRun(folder))];
            }
        }
        _ => {}
    }
    Vec::new()
}

fn new_run(launcher: &mut Launcher) -> Vec<Effect> {
    launcher.layers.clear();
    launcher.view = View::Form;
    if launcher.form.is_changed() {
        launcher.advise(
            Weight::Info,
            "this is the draft that you left",
            (Context::Form, Action::NewRun),
            "begins anew",
        );
        return launcher.replan();
    }
    launcher.form = Form::new();
    launcher.form.plan.clear();
    Vec::new()
}

fn open_recipes(launcher: &mut Launcher) -> Vec<Effect> {
    launcher.layers.push(Layer::Pick(Box::new(Pick::new(What::Recipe(None)))));
    let places = vec![launcher.recipes(), "".into(), "recipes".into()];
    vec![Effect::Job(Job::FindRecipes { folder: launcher.place.folder.clone(), places })]
}

/// Shows a form that begins with a recipe.
pub fn begin_with(launcher: &mut Launcher, base: Base) -> Vec<Effect> {
    launcher.view = View::Form;
    launcher.layers.clear();
    let id = launcher.form.plan.id;
    launcher.form = Form::of(base);
    launcher.form.plan.id = id;
    launcher.replan()
}

fn in_form(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    let form = &mut launcher.form;
    match action {
        Action::NewRun => {
            let id = form.plan.id;
            *form = Form::new();
            form.plan.id = id;
            form.plan.clear();
            launcher.layers.clear();
        }
        Action::OpenRecipe => return open_recipes(launcher),
        Action::FormSection(by) => form.walk_section(by),
        Action::FormFind => {
            let text = form.find.take().map(|find| find.text).unwrap_or_default();
            form.find = Some(Typed { cursor: text.chars().count(), text, fresh: true });
        }
        Action::FormTurn(by) => {
            if form.turn(by) {
                return launcher.replan();
            }
            launcher.advise(Weight::Info, "this value has no steps", (Context::Form, Action::FormEdit), "changes it");
        }
        Action::FormEdit => return edit(launcher),
        Action::FormType => form.type_in(),
        Action::FormUndo => {
            if form.undo() {
                return launcher.replan();
            }
            launcher.say(Weight::Info, "there is no edit to take back");
        }
        Action::FormReset => {
            form.reset();
            return launcher.replan();
        }
        Action::FormSave => return save(launcher, Saving::Keep),
        Action::FormStart => return start(launcher, false),
        Action::StartNow => {
            launcher.layers.clear();
            return start(launcher, true);
        }
        _ => {}
    }
    Vec::new()
}

/// Moves the selection.
pub fn walk(launcher: &mut Launcher, by: isize) -> Vec<Effect> {
    match (launcher.layers.last_mut(), launcher.view) {
        (Some(Layer::Pick(pick)), _) => {
            pick.walk(by);
            return look_at_file(launcher);
        }
        (None, View::Home) => launcher.home.walk(by),
        (None, View::Form) if launcher.form.typed.is_none() => launcher.form.walk(by),
        (Some(_), _) | (None, View::Form) => {}
    }
    Vec::new()
}

/// Selects a row under the mouse; one that is selected already is opened.
pub fn click(launcher: &mut Launcher, row: usize) -> Vec<Effect> {
    if let Some(Layer::Pick(pick)) = launcher.layers.last_mut() {
        let again = pick.row == row;
        pick.row = row;
        return if again { take(launcher) } else { look_at_file(launcher) };
    }
    if !launcher.layers.is_empty() {
        return Vec::new();
    }
    match launcher.view {
        View::Home => {
            let by = row.cast_signed() - launcher.home.row().cast_signed();
            if by == 0 {
                return act(launcher, Action::OpenRun);
            }
            launcher.home.walk(by);
        }
        View::Form => {
            let Some(super::form::Line::Slot(slot)) = launcher.form.lines().get(row).copied() else {
                return Vec::new();
            };
            if launcher.form.typed.is_some() {
                return Vec::new();
            }
            if launcher.form.slot == slot {
                return act(launcher, Action::FormEdit);
            }
            launcher.form.slot = slot;
        }
    }
    Vec::new()
}

/// Leaves a layer, or the form.
fn leave(launcher: &mut Launcher) -> Vec<Effect> {
    if launcher.layers.pop().is_some() {
        return Vec::new();
    }
    match launcher.view {
        View::Home => {
            launcher.home.filter.clear();
            launcher.notice = None;
        }
        View::Form if launcher.form.find.take().is_some() => {}
        View::Form => {
            launcher.view = View::Home;
            if launcher.form.is_changed() {
                launcher.advise(
                    Weight::Info,
                    "the form is kept as a draft",
                    (Context::Home, Action::NewRun),
                    "comes back to it",
                );
            }
        }
    }
    Vec::new()
}

/// Out of what is typed, out of a layer, out of the form, out of the program.
fn interrupt(launcher: &mut Launcher) -> Vec<Effect> {
    if launcher.overlay.take().is_some() {
        Vec::new()
    } else if launcher.layers.is_empty() && launcher.is_typing() {
        discard(launcher)
    } else if launcher.layers.is_empty() && launcher.view == View::Home {
        vec![Effect::Quit(Outcome::Left)]
    } else {
        leave(launcher)
    }
}

/// Starts the run, unless something is missing or worth a question.
fn start(launcher: &mut Launcher, sure: bool) -> Vec<Effect> {
    if let Some(missing) = launcher.form.missing() {
        launcher.form.select(missing);
        let said = format!("{missing} is not given yet");
        launcher.advise(Weight::Warning, said, (Context::Form, Action::FormEdit), "chooses it");
        return Vec::new();
    }
    if launcher.saving.is_some() {
        return Vec::new();
    }
    let warning = launcher.form.plan.memory.fresh().and_then(|memory| memory.warning.clone());
    if let Some(why) = launcher.form.plan.refused.clone().or(warning).filter(|_| !sure) {
        launcher.layers.push(Layer::Start(why));
        return Vec::new();
    }
    let base = launcher.form.base.as_ref();
    let unchanged = base.and_then(|base| base.file.clone().filter(|_| base.recipe == launcher.form.recipe));
    match unchanged.filter(|_| launcher.form.file.is_empty()) {
        Some(recipe) => train(launcher, recipe),
        None => save(launcher, Saving::Start),
    }
}

/// Leaves for the run of a recipe.
pub fn train(launcher: &Launcher, recipe: std::path::PathBuf) -> Vec<Effect> {
    Launcher::open(Open::Train { recipe, name: launcher.run_name() })
}

fn save(launcher: &mut Launcher, saving: Saving) -> Vec<Effect> {
    launcher.saving = Some(saving);
    vec![Effect::Job(Job::SaveRecipe {
        folder: launcher.place.folder.clone(),
        file: launcher.recipe_file(),
        given: !launcher.form.file.is_empty(),
        recipe: launcher.form.recipe.clone(),
    })]
}

impl Launcher {
    /// The form has changed: what the run would be is found out anew, and what the rows hold.
    pub(super) fn replan(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let folder = self.place.folder.clone();
        let rows = self.form.recipe.data.train.clone();
        if rows.as_os_str().is_empty() {
            self.form.sample = None;
        } else if self.form.sample.as_ref().is_none_or(|(known, _)| *known != rows) {
            self.form.sample = Some((rows.clone(), None));
            effects.push(Effect::Job(Job::Sample { folder: folder.clone(), file: rows }));
        }
        if self.form.missing().is_some() {
            self.form.plan.clear();
            return effects;
        }
        let id = self.form.plan.begin();
        let (recipe, program) = (self.form.recipe.clone(), self.place.program.clone());
        let runs = self.place.runs.clone();
        effects.push(Effect::Job(Job::Plan(PlanOf { id, recipe, program, folder, runs })));
        effects
    }
}

impl Form {
    /// Whether a digit that is typed on the selected line begins a new value.
    #[must_use]
    pub fn takes_digits(&self) -> bool {
        let number = |field: &Field| {
            matches!(field.kind, Kind::Integer(..) | Kind::Number(..) | Kind::NumberOrAuto(..) | Kind::Pair(..))
        };
        matches!(self.slot, Slot::Field(_)) && self.field().is_some_and(number)
    }
}
