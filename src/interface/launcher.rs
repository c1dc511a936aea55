//! The first screen: the runs that there are, and the form of a new one.

use std::path::{Path, PathBuf};

use super::frame::{Effect, Env, Look, Notice, Open, Weight};
use super::jobs::Job;
use super::keys::{Action, Context};
use super::text;
use super::typed::Typed;
use crate::recipe::Value;

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
pub use home::{Can, Home, Sort, can};
pub use pick::{Files, Pick, Row, What};
pub use plan::{Part, PlanView};

/// Where the program was started, and what it needs to know of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The working folder.
    pub folder: PathBuf,
    /// Folder of all runs, as it was given.
    pub runs: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// The hub's cache of models.
    pub cache: Option<PathBuf>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// Seconds by which the clock on the wall is before that of Greenwich.
    pub zone: i32,
}

/// The first screen.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// What it has in common with every screen.
    pub env: Env,
    /// Where it is.
    pub place: Place,
    /// Which of its views is shown.
    pub view: View,
    /// The runs.
    pub home: Home,
    /// The form of a new run: a draft, as long as it is not started.
    pub form: Form,
    /// Dialogs over the view, topmost last.
    pub layers: Vec<Layer>,
    /// The folder of the run that was renamed last, and the name that it had.
    renamed: Option<(PathBuf, String)>,
    /// A recipe that is being written.
    saving: Option<Saving>,
}

/// Which view is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The runs.
    Home,
    /// The form of a new run.
    Form,
}

/// A dialog.
#[derive(Debug, Clone)]
pub enum Layer {
    /// A list to choose from.
    Pick(Box<Pick>),
    /// Whether to delete the runs of these folders.
    Delete(Vec<PathBuf>),
    /// Something about the run of this folder, as far as it is typed.
    Ask(Question, PathBuf, Typed),
    /// What the lanes of a race are to differ in, as far as it is typed.
    Race(Typed),
    /// More of what a run ended at, as far as it is typed.
    More(More),
    /// What there is to know of the selected run.
    Facts,
    /// Whether to start, although.
    Start(String),
}

/// More steps for a run that has ended.
#[derive(Debug, Clone)]
pub struct More {
    /// Its folder.
    pub folder: PathBuf,
    /// The field at which it ended.
    pub field: &'static str,
    /// Its value then.
    pub now: f64,
    /// The value that it is to have.
    pub typed: Typed,
    /// Why that will not do.
    pub problem: Option<String>,
}

/// What is asked about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Another name.
    Name,
    /// Words to find it by.
    Tags,
    /// A note about it.
    Note,
}

/// Why a recipe is written.
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
    /// The launcher as it comes up.
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
            launcher.say(Weight::Warning, warnings.join("; "));
        }
        launcher
    }

    /// Tells the user something.
    pub fn say(&mut self, weight: Weight, what: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(weight, what.as_ref(), self.env.now));
    }

    /// As [`Launcher::say`], with the key to go on with.
    fn advise(&mut self, weight: Weight, said: impl AsRef<str>, (context, action): (Context, Action), does: &str) {
        let advice = self.env.look.keys.advice(context, action, does);
        self.say(weight, format!("{}{advice}", said.as_ref()));
    }

    /// The user is back from a run: it is selected, and this is said of it.
    pub fn back_from(&mut self, folder: Option<&Path>, weight: Weight, what: &str) {
        self.say(weight, what);
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
        self.place.runs.join(crate::run::RECIPES)
    }

    /// A path as the user sees it: from the working folder where it is below.
    #[must_use]
    pub fn seen(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.place.folder).unwrap_or(path);
        let seen = match self.place.home.as_ref().and_then(|home| below.strip_prefix(home).ok()) {
            Some(rest) if below.is_absolute() => Path::new("~").join(rest),
            _ => below.to_owned(),
        };
        text::safe_text(&seen.to_string_lossy())
    }

    /// [`Self::seen`] as a shell would name it: `./runs` for a path below the current folder.
    #[must_use]
    pub fn seen_from_here(&self, path: &Path) -> String {
        text::from_here(self.seen(path))
    }

    /// The name that a run gets where the user gives none: that of its rows, with a number where it is taken.
    #[must_use]
    pub fn default_name(&self) -> String {
        let rows = self.form.recipe.data.train.file_stem().unwrap_or_default().to_string_lossy();
        let fine = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
        let name: String = rows.chars().take(60).map(fine).collect();
        let name = name.trim_matches(['.', '-']);
        let name = if name.is_empty() { "run" } else { name };
        let mut names = std::iter::once(name.to_owned()).chain((2u32..).map(|number| format!("{name}-{number}")));
        names.find(|name| !self.home.has(name) && name != crate::run::RECIPES).unwrap_or_else(|| name.to_owned())
    }

    /// The name that the run gets.
    #[must_use]
    pub fn run_name(&self) -> String {
        if self.form.name.is_empty() { self.default_name() } else { self.form.name.clone() }
    }

    /// The file that the recipe is written to.
    #[must_use]
    pub fn recipe_file(&self) -> PathBuf {
        if self.form.file.is_empty() {
            return self.recipes().join(format!("{}.toml", self.run_name()));
        }
        let file = PathBuf::from(pick::expanded(&self.form.file, self.place.home.as_deref()));
        if file.extension().is_some() { file } else { file.with_extension("toml") }
    }

    /// What a user would type in place of the form.
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

    /// What the launcher asks for when it comes up, or comes back.
    fn watch(&self) -> Effect {
        Effect::Job(Job::WatchRuns(self.place.folder.join(&self.place.runs)))
    }

    /// Leaves for something else.
    fn open(open: Open) -> Vec<Effect> {
        vec![Effect::Quit(super::frame::Outcome::Open(open))]
    }
}

/// A word as a shell reads it.
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
