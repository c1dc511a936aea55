//! The launcher: the first screen, with the list of runs and the form of a new run.

use std::path::{Path, PathBuf};

use super::frame::{Effect, Env, Look, Notice, Open, Severity};
use super::jobs::Job;
use super::keys::{Action, Context};
use super::text;
use super::typed::Typed;
use spartui_facts::recipe::Value;

mod act;
mod done;
mod draw;
mod form;
mod home;
mod pick;
mod place;
mod plan;
mod race;
mod screen;
mod typed;
mod value;

pub use form::{Base, Form, Line, Slot};
pub use home::{Home, RunAction, Sort, action_of};
pub use pick::{Files, Pick, PickKind, Row};
pub use plan::{Part, PlanView};

/// Where the program was started, and what it needs to know of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The working folder.
    pub folder: PathBuf,
    /// Folder of all runs, as given by the user.
    pub runs: PathBuf,
    /// The path of this program.
    pub program: PathBuf,
    /// The hub's cache of models.
    pub cache: Option<PathBuf>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// Offset of local time from UTC in seconds.
    pub zone: i32,
}

/// The launcher screen.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The fields that every screen has.
    pub env: Env,
    /// Folders and machine.
    pub place: Place,
    /// The view shown.
    pub view: View,
    /// The runs.
    pub home: Home,
    /// The form of a new run: a draft until it is started.
    pub form: Form,
    /// Dialogs over the view, topmost last.
    pub layers: Vec<Dialog>,
    /// Folder and previous name of the run that was renamed last.
    renamed: Option<(PathBuf, String)>,
    /// What a recipe is being saved for.
    saving: Option<Saving>,
}

/// A view of the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The runs.
    Home,
    /// The form of a new run.
    Form,
}

/// A dialog.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// A list to choose from.
    Pick(Box<Pick>),
    /// Whether to delete the runs of these folders.
    Delete(Vec<PathBuf>),
    /// A question about the run in this folder, with the text typed so far.
    Ask(Question, PathBuf, Typed),
    /// The settings in which the lanes of a race differ, as typed so far.
    Race(Typed),
    /// The new limit of an ended run, as typed so far.
    More(More),
    /// The facts of the selected run.
    Facts,
    /// The question whether to start despite this warning.
    Start(String),
}

/// A new limit for an ended run.
#[derive(Debug, Clone)]
pub struct More {
    /// Its folder.
    pub folder: PathBuf,
    /// The field that ended it.
    pub field: &'static str,
    /// Its value then.
    pub now: f64,
    /// The new value, as typed.
    pub typed: Typed,
    /// Why the typed value is invalid.
    pub problem: Option<String>,
}

/// A question about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The new name.
    Name,
    /// Tags to find it by.
    Tags,
    /// A note on it.
    Note,
}

/// What a recipe is saved for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Saving {
    /// To keep it.
    Keep,
    /// To start it.
    Start,
    /// To start a race of it, with these options.
    Race(Vec<String>),
}

impl Launcher {
    /// The launcher at its start.
    #[must_use]
    pub fn new(look: Look, place: Place) -> Self {
        let mut launcher = Self {
            env: Env::new(look),
            place,
            view: View::Home,
            home: Home::default(),
            form: Form::new(),
            layers: Vec::new(),
            renamed: None,
            saving: None,
        };
        let warnings = std::mem::take(&mut launcher.env.look.warnings);
        if !warnings.is_empty() {
            launcher.say(Severity::Warning, warnings.join("; "));
        }
        launcher
    }

    /// Shows a notice.
    pub fn say(&mut self, severity: Severity, what: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(severity, what.as_ref(), self.env.now));
    }

    /// As [`Launcher::say`], with the key for the next action.
    fn advise(
        &mut self,
        severity: Severity,
        message: impl AsRef<str>,
        (context, action): (Context, Action),
        does: &str,
    ) {
        let advice = self.env.look.keys.advice(context, action, does);
        self.say(severity, format!("{}{advice}", message.as_ref()));
    }

    /// The user returns from a run: selects it, and shows this notice.
    pub fn back_from(&mut self, folder: Option<&Path>, severity: Severity, what: &str) {
        self.say(severity, what);
        self.layers.clear();
        if let Some(folder) = folder {
            self.home.select(folder);
            self.view = View::Home;
            self.form = Form::new();
        }
    }

    fn is_typing(&self) -> bool {
        match self.view {
            View::Home => self.home.typed.is_some(),
            View::Form => self.form.typed.is_some() || self.form.find.as_ref().is_some_and(|find| find.fresh),
        }
    }

    /// Folder of the recipes beside the runs.
    fn recipes(&self) -> PathBuf {
        self.place.runs.join(spartui_run::RECIPES)
    }

    /// A path as displayed: relative to the working folder if below it.
    #[must_use]
    pub fn seen(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.place.folder).unwrap_or(path);
        let seen = match self.place.home.as_ref().and_then(|home| below.strip_prefix(home).ok()) {
            Some(rest) if below.is_absolute() => Path::new("~").join(rest),
            _ => below.to_owned(),
        };
        text::safe_text(&seen.to_string_lossy())
    }

    /// [`Self::seen`] in shell form: `./runs` for a path below the current folder.
    #[must_use]
    pub fn seen_from_here(&self, path: &Path) -> String {
        text::from_here(self.seen(path))
    }

    /// The default name of the run: that of its data file, with a number if taken.
    #[must_use]
    pub fn default_name(&self) -> String {
        let rows = self.form.recipe.data.train.file_stem().unwrap_or_default().to_string_lossy();
        let fine = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
        let name: String = rows.chars().take(60).map(fine).collect();
        let name = name.trim_matches(['.', '-']);
        let name = if name.is_empty() { "run" } else { name };
        let mut names = std::iter::once(name.to_owned()).chain((2u32..).map(|number| format!("{name}-{number}")));
        names.find(|name| !self.home.has(name) && name != spartui_run::RECIPES).unwrap_or_else(|| name.to_owned())
    }

    /// The name of the run to start.
    #[must_use]
    pub fn run_name(&self) -> String {
        if self.form.name.is_empty() { self.default_name() } else { self.form.name.clone() }
    }

    /// The file to write the recipe to.
    #[must_use]
    pub fn recipe_file(&self) -> PathBuf {
        if self.form.file.is_empty() {
            return self.recipes().join(format!("{}.toml", self.run_name()));
        }
        let file = PathBuf::from(pick::expanded(&self.form.file, self.place.home.as_deref()));
        if file.extension().is_some() { file } else { file.with_extension("toml") }
    }

    /// The command line that does the same as the form.
    #[must_use]
    pub fn command(&self) -> String {
        let mut words = vec!["spartui".to_owned()];
        if self.place.runs != Path::new("runs") {
            words.extend(["--runs-dir".into(), self.seen(&self.place.runs)]);
        }
        words.push("train".into());
        match self.form.base.as_ref().and_then(|base| Some((base.file.as_ref()?, &base.recipe))) {
            Some((file, recipe)) if self.form.file.is_empty() => {
                words.push(shell_word(&self.seen(file)));
                let (now, before) = (self.form.recipe.values(), recipe.values());
                for (name, value) in now.iter().filter(|(name, value)| before.get(*name) != Some(*value)) {
                    let value = match value {
                        Value::String(text) => text.clone(),
                        Value::Float(_) => text::value(value),
                        other => other.to_string(),
                    };
                    words.push("--set".into());
                    words.push(shell_word(&format!("{name}={value}")));
                }
            }
            _ => words.push(shell_word(&self.seen(&self.recipe_file()))),
        }
        words.extend(["--run".into(), shell_word(&self.run_name())]);
        text::safe_text(&words.join(" "))
    }

    /// The effect that starts watching the runs, at the start and on return.
    fn watch(&self) -> Effect {
        Effect::Job(Job::WatchRuns(self.place.folder.join(&self.place.runs)))
    }

    /// Leaves the launcher to open something.
    fn open(open: Open) -> Vec<Effect> {
        vec![Effect::Quit(super::frame::Outcome::Open(open))]
    }
}

/// Quotes a word for the shell if needed.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@+%~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(shell_word("runs/a-b_1.toml"), "runs/a-b_1.toml");
        assert_eq!(shell_word("data.text=the text"), "'data.text=the text'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
