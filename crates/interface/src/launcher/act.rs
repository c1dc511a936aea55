//! The actions of the launcher.

pub mod begin;
mod choose;
mod typing;

use std::path::PathBuf;

use choose::{accept, edit, in_pick};
pub use choose::{browse_typed, look_at_file};
use typing::{apply, discard, type_key};

use super::form::{Form, Slot};
use super::home::{RunAction, action_of};
use super::pick::{Pick, PickKind};
use super::{Dialog, Launcher, Question, Saving, View};
use crate::frame::{Effect, Open, Outcome, Severity};
use crate::jobs::{Job, KnownRun, PlanOf};
use crate::keys::{Action, Context};
use crate::typed::Typed;
use spartui_data::Dialect;
use spartui_facts::recipe::{Field, Kind};
use spartui_run::State;

/// Runs an action.
pub fn act(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    match action {
        Action::Interrupt => interrupt(launcher),
        Action::Quit => vec![Effect::Quit(Outcome::Left)],
        Action::Leave => leave(launcher),
        Action::HomeRow(by) | Action::FormRow(by) | Action::PickRow(by) => walk(launcher, by),
        Action::Apply => apply(launcher),
        Action::Discard => discard(launcher),
        Action::Cursor(_) | Action::Backspace | Action::Delete | Action::Line(_) => type_key(launcher, action),
        _ => match launcher.view {
            _ if matches!(launcher.layers.last(), Some(Dialog::Pick(_))) => in_pick(launcher, action),
            View::Form if launcher.layers.last().is_none_or(|layer| matches!(layer, Dialog::Start(_))) => {
                in_form(launcher, action)
            }
            _ => at_home(launcher, action),
        },
    }
}

/// Says why an action on the selected run does nothing.
fn no_run_is_selected(launcher: &mut Launcher) {
    match &launcher.home.runs {
        None => launcher.say(Severity::Info, "the runs are still being read"),
        Some(Err(why)) => {
            let why = why.clone();
            launcher.say(Severity::Warning, why);
        }
        Some(Ok(runs)) if !runs.is_empty() => launcher.say(Severity::Warning, "no run fits the filter"),
        Some(Ok(_)) => {
            launcher.advise(Severity::Warning, "there is no run yet", (Context::Home, Action::NewRun), "makes one");
        }
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
        no_run_is_selected(launcher);
        return Vec::new();
    };
    let folder = run.run.folder.clone();
    match action {
        Action::OpenRun => match action_of(&run) {
            RunAction::Attach => return Launcher::open(Open::Attach(folder)),
            RunAction::Look => return Launcher::open(Open::Inspect(vec![folder])),
            RunAction::Lanes => launcher.home.enter(&folder),
            RunAction::Resume | RunAction::Nothing => launcher.layers.push(Dialog::Facts),
        },
        Action::ViewRun | Action::CompareRuns | Action::DeleteRun => return with_chosen(launcher, action),
        Action::SortRuns(by) => launcher.home.sort_by(by),
        Action::MarkRun => launcher.home.mark(),
        Action::MarkAllRuns => launcher.home.mark_all(),
        Action::RunFacts => launcher.layers.push(Dialog::Facts),
        Action::ResumeRun if run.run.can_resume() => return Launcher::open(Open::Resume(folder)),
        Action::ResumeRun if ended_at_its_bound(&run) => return vec![Effect::Job(Job::AskMore(folder))],
        Action::ResumeRun => why_not_resumed(launcher, &run),
        Action::CopyRun => {
            launcher.layers.clear();
            let file = folder.join("recipe.toml");
            return vec![Effect::Job(Job::LoadRecipe { folder: launcher.place.folder.clone(), file })];
        }
        Action::RenameRun if launcher.home.race().is_some() => {
            launcher.say(Severity::Warning, "the lanes of a race keep their names; rename the race");
        }
        Action::RenameRun if run.run.state == Some(State::Running) => {
            launcher.say(Severity::Warning, "a run that trains cannot be renamed; stop it first");
        }
        Action::RenameRun => {
            launcher.layers.push(Dialog::Ask(Question::Name, folder, Typed::proposed(run.run.name.clone())));
        }
        Action::TagRun | Action::NoteRun => {
            let (question, text) = if action == Action::TagRun {
                (Question::Tags, run.run.tags.join(" "))
            } else {
                (Question::Note, run.run.note.clone())
            };
            let typed = Typed { cursor: text.chars().count(), text, fresh: false };
            launcher.layers.push(Dialog::Ask(question, folder, typed));
        }
        Action::RenameBack => match launcher.renamed.take() {
            Some((folder, name)) => return vec![Effect::Job(Job::RenameRun { folder, name })],
            None => launcher.say(Severity::Info, "no run was renamed"),
        },
        Action::DeleteNow => {
            if let Some(Dialog::Delete(folders)) = launcher.layers.pop() {
                launcher.layers.clear();
                return folders.into_iter().map(|folder| Effect::Job(Job::DeleteRun(folder))).collect();
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Runs an action on the marked runs, or else on the selected one.
fn with_chosen(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    let home = &launcher.home;
    let marked = !home.marked().is_empty();
    let chosen: Vec<KnownRun> = home.chosen().into_iter().cloned().collect();
    let folders: Vec<PathBuf> = chosen.iter().flat_map(KnownRun::folders).collect();
    let left_out = match home.hidden_marks() {
        0 => None,
        1 => Some("a marked run does not fit the filter and is left out".to_owned()),
        hidden => Some(format!("{hidden} marked runs do not fit the filter and are left out")),
    };
    if let Some(message) = left_out {
        launcher.say(Severity::Info, message);
    }
    let home = &launcher.home;
    match action {
        Action::ViewRun => return Launcher::open(Open::Inspect(folders)),
        // Marked runs are compared as they are; a single one is compared with the runs that match it.
        Action::CompareRuns if marked || folders.len() > 1 => {
            return Launcher::open(Open::Compare { runs: folders, like: None });
        }
        Action::CompareRuns => {
            let runs = home.shown().into_iter().flat_map(KnownRun::folders).collect();
            return Launcher::open(Open::Compare { runs, like: folders.into_iter().next() });
        }
        _ => {}
    }
    let refusal = if home.race().is_some() {
        Some("the lanes of a race belong together; delete the race".to_owned())
    } else {
        let live = chosen.iter().find(|run| run.run.state == Some(State::Running));
        live.map(|run| format!("{} trains and cannot be deleted; stop it first", run.run.name))
    };
    match refusal {
        Some(why) => launcher.say(Severity::Warning, why),
        None => {
            let folders = chosen.into_iter().map(|run| run.run.folder).collect();
            launcher.layers.push(Dialog::Delete(folders));
        }
    }
    Vec::new()
}

/// Says why a run cannot be resumed, and what can be done instead.
fn why_not_resumed(launcher: &mut Launcher, run: &KnownRun) {
    let name = &run.run.name;
    match run.run.state {
        Some(State::Running) => {
            let message = format!("{name} is being trained");
            launcher.advise(Severity::Warning, message, (Context::Home, Action::OpenRun), "opens it");
        }
        Some(_) if !run.lanes.is_empty() => {
            let message = format!("every lane of {name} has ended or was stopped by itself");
            launcher.advise(Severity::Warning, message, (Context::Home, Action::OpenRun), "shows the lanes");
        }
        _ => launcher.say(Severity::Warning, format!("{name} cannot be understood")),
    }
}

/// Whether a run, which is not a race, reached its limit and can be extended.
fn ended_at_its_bound(run: &KnownRun) -> bool {
    run.lanes.is_empty() && matches!(run.run.state, Some(State::Completed | State::StoppedEarly))
}

fn new_run(launcher: &mut Launcher) -> Vec<Effect> {
    launcher.layers.clear();
    launcher.view = View::Form;
    if launcher.form.is_changed() {
        launcher.advise(
            Severity::Info,
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
    launcher.layers.push(Dialog::Pick(Box::new(Pick::new(PickKind::Recipe(None)))));
    let places = vec![launcher.recipes(), "".into(), "recipes".into()];
    vec![Effect::Job(Job::FindRecipes { folder: launcher.place.folder.clone(), places })]
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
            launcher.advise(Severity::Info, "this value has no steps", (Context::Form, Action::FormEdit), "changes it");
        }
        Action::FormEdit => return edit(launcher),
        Action::FormType => form.type_in(),
        Action::FormRace => ask_for_race(launcher),
        Action::FormUndo => {
            if form.undo() {
                return launcher.replan();
            }
            launcher.say(Severity::Info, "there is nothing to undo");
        }
        Action::FormReset => {
            form.reset();
            return launcher.replan();
        }
        Action::FormSave => return begin::save(launcher, Saving::Keep),
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
        (Some(Dialog::Pick(pick)), _) => {
            pick.walk(by);
            return look_at_file(launcher);
        }
        (None, View::Home) => launcher.home.walk(by),
        (None, View::Form) if launcher.form.typed.is_none() => launcher.form.walk(by),
        (Some(_), _) | (None, View::Form) => {}
    }
    Vec::new()
}

/// Selects a clicked row; if it is selected already, opens it.
pub fn click(launcher: &mut Launcher, row: usize) -> Vec<Effect> {
    if let Some(Dialog::Pick(pick)) = launcher.layers.last_mut() {
        let again = pick.row == row;
        pick.row = row;
        return if again { accept(launcher) } else { look_at_file(launcher) };
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

/// Closes a dialog, or leaves the form.
fn leave(launcher: &mut Launcher) -> Vec<Effect> {
    if launcher.layers.pop().is_some() {
        return Vec::new();
    }
    match launcher.view {
        View::Home => {
            launcher.home.leave();
            launcher.env.notice = None;
        }
        View::Form if launcher.form.find.take().is_some() => {}
        View::Form => {
            launcher.view = View::Home;
            if launcher.form.is_changed() {
                launcher.advise(
                    Severity::Info,
                    "the form is kept as a draft",
                    (Context::Home, Action::NewRun),
                    "comes back to it",
                );
            }
        }
    }
    Vec::new()
}

/// Leaves the text input, else the dialog, else the form, else the program.
fn interrupt(launcher: &mut Launcher) -> Vec<Effect> {
    if launcher.env.overlay.take().is_some() {
        Vec::new()
    } else if launcher.layers.is_empty() && launcher.is_typing() {
        discard(launcher)
    } else if launcher.layers.is_empty() && launcher.view == View::Home {
        vec![Effect::Quit(Outcome::Left)]
    } else {
        leave(launcher)
    }
}

/// Selects the first required field without a value; returns whether there is one.
fn lacks_something(launcher: &mut Launcher) -> bool {
    let Some(missing) = launcher.form.missing() else { return false };
    launcher.form.select(missing);
    let message = format!("{missing} is not given yet");
    launcher.advise(Severity::Warning, message, (Context::Form, Action::FormEdit), "chooses it");
    true
}

/// Asks for the settings in which the lanes of a race differ; at first the selected field, if it is a number.
fn ask_for_race(launcher: &mut Launcher) {
    if lacks_something(launcher) {
        return;
    }
    let form = &launcher.form;
    let number = form.field().filter(|field| {
        let shared = ["model.", "task.", "data."].iter().any(|shared| field.name.starts_with(shared));
        !shared && matches!(field.kind, Kind::Integer(..) | Kind::Number(..) | Kind::NumberOrAuto(..) | Kind::Rate(..))
    });
    let text = match number {
        _ if !form.race.is_empty() => form.race.clone(),
        Some(field) => format!("{}=", field.name),
        None => "optimizer.learning_rate=".to_owned(),
    };
    launcher.layers.push(Dialog::Race(Typed { cursor: text.chars().count(), text, fresh: false }));
}

/// Starts the run, unless a field is missing or needs confirmation.
fn start(launcher: &mut Launcher, sure: bool) -> Vec<Effect> {
    if lacks_something(launcher) {
        return Vec::new();
    }
    if launcher.saving.is_some() {
        return Vec::new();
    }
    let warning = launcher.form.plan.memory.fresh().and_then(|memory| memory.warning.clone());
    if let Some(why) = launcher.form.plan.refused.clone().or(warning).filter(|_| !sure) {
        launcher.layers.push(Dialog::Start(why));
        return Vec::new();
    }
    match begin::unchanged(launcher) {
        Some(recipe) => begin::train(launcher, recipe),
        None => begin::save(launcher, Saving::Start),
    }
}

impl Launcher {
    /// The form has changed: requests a new plan, and a sample of the rows.
    pub(super) fn replan(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let folder = self.place.folder.clone();
        let rows = self.form.recipe.data.train.clone();
        let dialect = Dialect::of(&self.form.recipe.data);
        if rows.as_os_str().is_empty() {
            self.form.sample = None;
        } else if self.form.sample.as_ref().is_none_or(|(known, _)| *known != rows) || self.form.dialect != dialect {
            self.form.sample = Some((rows.clone(), None));
            self.form.dialect = dialect;
            effects.push(Effect::Job(Job::Sample { folder: folder.clone(), file: rows, dialect }));
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
    /// Whether typing a digit on the selected line begins a new value.
    #[must_use]
    pub fn takes_digits(&self) -> bool {
        let number = |field: &Field| {
            matches!(
                field.kind,
                Kind::Integer(..)
                    | Kind::Number(..)
                    | Kind::NumberOrAuto(..)
                    | Kind::Rate(..)
                    | Kind::Positive(_)
                    | Kind::Steps(_)
                    | Kind::Pair(..)
            )
        };
        matches!(self.slot, Slot::Field(_)) && self.field().is_some_and(number)
    }
}
