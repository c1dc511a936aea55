//! What the launcher's keys do.

use super::form::{Base, Form, Slot};
use super::home::{Can, can};
use super::pick::{Files, Pick, Row, What, expanded};
use super::{Launcher, Layer, Saving, View, value};
use crate::interface::jobs::{Job, PlanOf};
use crate::interface::keys::{Action, Context};
use crate::interface::overlay::Overlay;
use crate::interface::state::{Typed, Weight};
use crate::interface::update::Effect;
use crate::interface::{Open, Outcome};
use crate::recipe::{Field, Kind, Value};
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

/// Begins to change the selected line: a list where it has one, else its text.
fn edit(launcher: &mut Launcher) -> Vec<Effect> {
    let form = &mut launcher.form;
    let Some(field) = form.field() else {
        form.type_in();
        return Vec::new();
    };
    match field.kind {
        Kind::PathOrName => {
            let pick = Pick::new(What::Model(None));
            launcher.layers.push(Layer::Pick(Box::new(pick)));
            let (folder, cache) = (launcher.place.folder.clone(), launcher.place.cache.clone());
            vec![Effect::Job(Job::FindModels { folder, cache })]
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
            browse(launcher, field.name, folder)
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

/// Shows a folder to choose a file from.
fn browse(launcher: &mut Launcher, field: &'static str, folder: std::path::PathBuf) -> Vec<Effect> {
    let pick = Pick::new(What::File(Files::new(field, folder.clone())));
    match launcher.layers.last_mut() {
        Some(Layer::Pick(old)) => **old = pick,
        _ => launcher.layers.push(Layer::Pick(Box::new(pick))),
    }
    vec![Effect::Job(Job::ListFolder(folder))]
}

fn in_pick(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
    let Some(Layer::Pick(pick)) = launcher.layers.last_mut() else { return Vec::new() };
    match action {
        Action::PickAbove => {
            if let What::File(files) = &pick.what {
                let (field, above) = (files.field, files.folder.parent().map(std::path::Path::to_owned));
                return above.map_or_else(Vec::new, |above| browse(launcher, field, above));
            }
        }
        Action::PickTake => return take(launcher),
        _ => {}
    }
    Vec::new()
}

/// Takes the selected row.
fn take(launcher: &mut Launcher) -> Vec<Effect> {
    let Some(Layer::Pick(pick)) = launcher.layers.last() else { return Vec::new() };
    let (what, row) = (pick.what.clone(), pick.selected());
    let home = launcher.place.home.clone();
    let working = launcher.place.folder.clone();
    match (what, row) {
        (_, None) => {
            launcher.say(Weight::Warning, "there is nothing of this name; a path serves too");
            Vec::new()
        }
        (What::Model(_), Some(Row::Model(model))) => {
            launcher.layers.pop();
            launcher.form.chose_model(&model.family);
            give(launcher, "model.path", Value::String(model.name))
        }
        (What::Model(_), Some(Row::Typed(name))) => {
            launcher.layers.pop();
            give(launcher, "model.path", Value::String(expanded(&name, home.as_deref())))
        }
        (What::File(files), Some(Row::Above)) => {
            let above = files.folder.parent().map(std::path::Path::to_owned);
            above.map_or_else(Vec::new, |above| browse(launcher, files.field, above))
        }
        (What::File(files), Some(Row::Entry(entry))) if entry.folder => {
            browse(launcher, files.field, files.folder.join(entry.name))
        }
        (What::File(files), Some(Row::Entry(entry))) => {
            launcher.layers.pop();
            let path = files.path_of(&entry.name, &working);
            give(launcher, files.field, Value::String(path.to_string_lossy().into_owned()))
        }
        (What::File(files), Some(Row::Typed(typed))) => {
            launcher.layers.pop();
            let path = expanded(&typed, home.as_deref());
            match Field::find(files.field).and_then(|field| value::read(field, &path)) {
                Ok(value) => give(launcher, files.field, value),
                Err(why) => {
                    launcher.say(Weight::Warning, why);
                    Vec::new()
                }
            }
        }
        (What::Recipe(_), Some(Row::Recipe(found))) => match found.recipe {
            Ok(recipe) => {
                let name = launcher.seen(&found.path);
                begin_with(launcher, Base { name, file: Some(found.path), recipe })
            }
            Err(why) => {
                launcher.say(Weight::Warning, why);
                Vec::new()
            }
        },
        (What::Recipe(_), Some(Row::Typed(typed))) => {
            let file = std::path::PathBuf::from(expanded(&typed, home.as_deref()));
            vec![Effect::Job(Job::LoadRecipe { folder: working, file })]
        }
        (_, Some(_)) => Vec::new(),
    }
}

/// Gives a field the value that was chosen, and goes on to the next line that wants one.
fn give(launcher: &mut Launcher, name: &'static str, value: Value) -> Vec<Effect> {
    let form = &mut launcher.form;
    form.select(name);
    let Some(field) = form.field() else { return Vec::new() };
    if let Err(why) = form.set(field, value) {
        launcher.say(Weight::Warning, why);
        return Vec::new();
    }
    let missing = form.missing();
    match missing {
        Some(missing) => form.select(missing),
        None => form.walk(1),
    }
    let mut effects = launcher.replan();
    // Who has chosen a model wants to choose rows next.
    if name == "model.path" && missing == Some("data.train") {
        effects.extend(edit(launcher));
    }
    effects
}

/// Asks what the selected file of a list holds, unless that is known.
pub fn look_at_file(launcher: &mut Launcher) -> Vec<Effect> {
    let folder = launcher.place.folder.clone();
    let Some(Layer::Pick(pick)) = launcher.layers.last_mut() else { return Vec::new() };
    let Some(Row::Entry(entry)) = pick.selected().filter(|row| matches!(row, Row::Entry(entry) if !entry.folder))
    else {
        if let What::File(files) = &mut pick.what {
            files.sample = None;
        }
        return Vec::new();
    };
    let What::File(files) = &mut pick.what else { return Vec::new() };
    let file = files.path_of(&entry.name, &folder);
    if files.sample.as_ref().is_some_and(|(known, _)| *known == file) {
        return Vec::new();
    }
    files.sample = Some((file.clone(), None));
    vec![Effect::Job(Job::Sample { folder, file })]
}

fn apply(launcher: &mut Launcher) -> Vec<Effect> {
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

fn discard(launcher: &mut Launcher) -> Vec<Effect> {
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

fn type_key(launcher: &mut Launcher, action: Action) -> Vec<Effect> {
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
