//! Lists of models, files of rows and recipes. Typed text filters the list, or is the answer itself.

use std::path::{Path, PathBuf};

use crate::jobs::{Entry, FoundModel, FoundRecipe};
use crate::text;
use crate::typed::Typed;
use spartui_data::Sample;
use spartui_facts::recipe::is_hub_name;

/// A list to choose from.
#[derive(Debug, Clone)]
pub struct Pick {
    /// The kind of the list.
    pub what: PickKind,
    /// The typed text.
    pub typed: Typed,
    /// The selected row.
    pub row: usize,
}

/// The kind of a list.
#[derive(Debug, Clone)]
pub enum PickKind {
    /// Models: those found, none while they are searched, and those in a folder.
    Model(Option<Vec<FoundModel>>, Files),
    /// A file of rows.
    File(Files),
    /// Recipes to start from; none while they are searched.
    Recipe(Option<Vec<FoundRecipe>>),
}

/// A folder with files of rows, or with models.
#[derive(Debug, Clone)]
pub struct Files {
    /// The field that the file is for.
    pub field: &'static str,
    /// The folder.
    pub folder: PathBuf,
    /// The folder that was browsed to; the listed one may be that of a typed path.
    pub base: PathBuf,
    /// The working folder.
    pub start: PathBuf,
    /// Its entries; none while unknown.
    pub entries: Option<Result<Vec<Entry>, String>>,
    /// The models below it, if it was browsed to and is not the working folder; none while they are searched.
    pub below: Option<Vec<FoundModel>>,
    /// The sample of the selected file; no result while it is being read.
    pub sample: Option<(PathBuf, Option<Result<Sample, String>>)>,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A model.
    Model(FoundModel),
    /// The parent folder.
    Above,
    /// An entry of a folder.
    Entry(Entry),
    /// A recipe.
    Recipe(FoundRecipe),
    /// The typed text as it is.
    Typed(String),
}

impl Pick {
    /// A list without entries yet.
    #[must_use]
    pub fn new(what: PickKind) -> Self {
        Self { what, typed: Typed { text: String::new(), cursor: 0, fresh: false }, row: 0 }
    }

    /// Its title.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match &self.what {
            PickKind::Model(..) => "model",
            PickKind::File(files) if files.field == "data.train" => "training rows",
            PickKind::File(_) => "validation rows",
            PickKind::Recipe(_) => "recipe",
        }
    }

    /// Whether entries are still expected.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        match &self.what {
            PickKind::Model(found, files) => {
                let looks = self.typed.text.trim().is_empty() && files.is_searched() && files.below.is_none();
                found.is_none() || looks
            }
            PickKind::File(files) => files.entries.is_none(),
            PickKind::Recipe(found) => found.is_none(),
        }
    }

    /// The rows that match the typed text, and the text itself if it could be an answer.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let wanted = self.typed.text.trim().to_lowercase();
        let fits = |text: &str| wanted.split_whitespace().all(|part| text.to_lowercase().contains(part));
        let mut rows: Vec<Row> = match &self.what {
            PickKind::Model(found, files) => {
                // In a folder that was browsed to, models found elsewhere are left out.
                let elsewhere = wanted.is_empty() && files.folder != files.start;
                let found = if elsewhere { &files.below } else { found };
                let found: Vec<&FoundModel> = found.iter().flatten().filter(|model| fits(&model.name)).collect();
                let is_found = |row: &Row| {
                    let Row::Entry(entry) = row else { return false };
                    let path = files.path_of(&entry.name, &files.start);
                    found.iter().any(|model| Path::new(&model.name) == path)
                };
                let inside: Vec<Row> = files.rows(&self.typed.text).into_iter().filter(|row| !is_found(row)).collect();
                found.iter().map(|model| Row::Model((*model).clone())).chain(inside).collect()
            }
            PickKind::File(files) => files.rows(&self.typed.text),
            PickKind::Recipe(found) => {
                let found = found.iter().flatten().filter(|recipe| fits(&recipe.path.to_string_lossy()));
                found.cloned().map(Row::Recipe).collect()
            }
        };
        let typed = self.typed.text.trim();
        let exact = rows.iter().any(|row| matches!(row, Row::Model(model) if model.name == typed));
        let could_be = match &self.what {
            PickKind::Model(..) => is_hub_name(typed) || is_path(typed),
            PickKind::File(_) | PickKind::Recipe(_) => is_path(typed) || typed.contains('.'),
        };
        if !typed.is_empty() && could_be && !exact {
            rows.push(Row::Typed(typed.to_owned()));
        }
        rows
    }

    /// The selected row.
    #[must_use]
    pub fn selected(&self) -> Option<Row> {
        let rows = self.rows();
        let last = rows.len().checked_sub(1)?;
        rows.into_iter().nth(self.row.min(last))
    }

    /// Selects another row.
    pub fn walk(&mut self, by: isize) {
        let last = self.rows().len().saturating_sub(1);
        self.row = self.row.min(last).saturating_add_signed(by).min(last);
    }

    /// The listed folder, if there is one.
    #[must_use]
    pub fn files(&self) -> Option<&Files> {
        match &self.what {
            PickKind::Model(_, files) | PickKind::File(files) => Some(files),
            PickKind::Recipe(_) => None,
        }
    }

    /// As [`Pick::files`], mutable.
    pub fn files_mut(&mut self) -> Option<&mut Files> {
        match &mut self.what {
            PickKind::Model(_, files) | PickKind::File(files) => Some(files),
            PickKind::Recipe(_) => None,
        }
    }

    /// The completion of the typed text by the selected row; none if it completes nothing.
    #[must_use]
    pub fn completed(&self) -> Option<String> {
        match self.selected()? {
            Row::Model(model) => Some(model.name),
            Row::Entry(entry) => {
                let files = self.files()?;
                let folder = match typed_folder(&self.typed.text) {
                    Some(folder) => folder.to_owned(),
                    None if files.folder == files.start => String::new(),
                    None => format!("{}/", files.folder.strip_prefix(&files.start).unwrap_or(&files.folder).display()),
                };
                let end = if entry.folder && entry.family.is_none() { "/" } else { "" };
                Some(format!("{folder}{}{end}", entry.name))
            }
            Row::Recipe(found) => Some(found.path.to_string_lossy().into_owned()),
            Row::Above | Row::Typed(_) => None,
        }
    }

    /// Selects the first row other than the parent folder.
    pub fn to_first(&mut self) {
        self.row = self.rows().iter().position(|row| *row != Row::Above).unwrap_or(0);
    }
}

impl Files {
    /// A folder without entries yet; `start` is the working folder.
    #[must_use]
    pub fn new(field: &'static str, folder: PathBuf, start: PathBuf) -> Self {
        Self { field, base: folder.clone(), folder, start, entries: None, below: None, sample: None }
    }

    /// Lists another folder; returns whether it is a different one.
    pub fn list(&mut self, folder: PathBuf) -> bool {
        if self.folder == folder {
            return false;
        }
        (self.folder, self.entries, self.below, self.sample) = (folder, None, None, None);
        true
    }

    /// Whether to search for models below it: the working folder is searched anyway, and a search of the whole system
    /// would take too long.
    #[must_use]
    pub fn is_searched(&self) -> bool {
        self.folder != self.start && self.folder.parent().is_some()
    }

    /// Handles the models found below it, named as in a recipe.
    pub fn found_below(&mut self, mut found: Vec<FoundModel>) {
        for model in &mut found {
            model.name = self.path_of(&model.name, &self.start).to_string_lossy().into_owned();
        }
        self.below = Some(found);
    }

    /// The entries that match the typed text: by prefix after a path, else anywhere in the name.
    fn rows(&self, typed: &str) -> Vec<Row> {
        let typed = typed.trim();
        let (wanted, is_path) = match typed_folder(typed) {
            Some(folder) => (&typed[folder.len()..], true),
            None => (typed, false),
        };
        let wanted = wanted.to_lowercase();
        let fits = |name: &str| {
            let name = name.to_lowercase();
            if is_path { name.starts_with(&wanted) } else { wanted.split_whitespace().all(|part| name.contains(part)) }
        };
        let above = typed.is_empty().then_some(Row::Above);
        let entries = self.entries.iter().flatten().flatten().filter(|entry| fits(&entry.name));
        above.into_iter().chain(entries.cloned().map(Row::Entry)).collect()
    }

    /// The form's path of a file in the folder: relative to the working folder if below it.
    #[must_use]
    pub fn path_of(&self, name: &str, working: &Path) -> PathBuf {
        let path = self.folder.join(name);
        path.strip_prefix(working).map_or(path.clone(), Path::to_owned)
    }
}

/// The folder part of a path being typed, with the trailing separator.
#[must_use]
pub fn typed_folder(typed: &str) -> Option<&str> {
    let typed = typed.trim();
    typed.rfind('/').map(|at| &typed[..=at])
}

fn is_path(text: &str) -> bool {
    text.contains('/') || text == "." || text.starts_with('~')
}

/// Expands a leading tilde to the user's home folder.
#[must_use]
pub fn expanded(text: &str, home: Option<&Path>) -> String {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => text.to_owned(),
    }
}

impl Row {
    /// Whether it is a model, rather than a folder on the way to one.
    #[must_use]
    pub fn is_model(&self) -> bool {
        matches!(self, Self::Model(_) | Self::Entry(Entry { family: Some(_), .. }))
    }

    /// The texts at the left and at the right of the row.
    #[must_use]
    pub fn texts(&self) -> (String, String) {
        match self {
            Self::Model(model) => {
                let place = if model.cached { "in the cache" } else { "folder" };
                let facts = format!("{}  {}  {place}", text::safe_text(&model.family), text::bytes(model.bytes));
                (text::safe_text(&model.name), facts)
            }
            Self::Above => ("..".into(), "the folder above".into()),
            Self::Entry(Entry { name, family: Some(family), bytes, .. }) => {
                (format!("{}/", text::safe_text(name)), format!("{}  {}", text::safe_text(family), text::bytes(*bytes)))
            }
            Self::Entry(entry) if entry.folder => (format!("{}/", text::safe_text(&entry.name)), "folder".into()),
            Self::Entry(entry) => (text::safe_text(&entry.name), text::bytes(entry.bytes)),
            Self::Recipe(found) => {
                let facts = match &found.recipe {
                    Ok(recipe) => {
                        let name = |path: &Path| {
                            path.file_name().map(|name| text::safe_text(&name.to_string_lossy())).unwrap_or_default()
                        };
                        format!("{}  {}", name(&recipe.model.path), name(&recipe.data.train))
                    }
                    Err(_) => "cannot be read".into(),
                };
                (text::safe_text(&found.path.to_string_lossy()), facts)
            }
            Self::Typed(typed) => {
                let kind = if is_path(typed) && !is_hub_name(typed) { "this path" } else { "this name" };
                (text::safe_text(typed), kind.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> FoundModel {
        FoundModel { name: name.into(), family: "bert".into(), bytes: 5, cached: false }
    }

    fn typed(pick: &mut Pick, text: &str) {
        text.chars().for_each(|c| pick.typed.insert(c));
    }

    #[test]
    fn typing_narrows_the_list_or_is_the_answer() {
        let files = Files::new("model.path", "/home/ann".into(), "/home/ann".into());
        let mut pick = Pick::new(PickKind::Model(Some(vec![model("models/one"), model("models/two")]), files));
        assert_eq!(pick.rows().len(), 3, "two models, and the way up");
        typed(&mut pick, "two");
        assert_eq!(pick.selected(), Some(Row::Model(model("models/two"))));
        pick.typed.text = "owner/name".into();
        assert_eq!(pick.rows(), [Row::Typed("owner/name".into())]);
        pick.typed.text = "models/one".into();
        assert_eq!(pick.rows(), [Row::Model(model("models/one"))]);
        pick.typed.text = "nothing of the kind".into();
        assert_eq!(pick.selected(), None);
        pick.walk(3);
    }

    #[test]
    fn files_are_named_from_the_working_folder() {
        let files = Files::new("data.train", "/home/ada/data".into(), "/home/ada".into());
        assert_eq!(files.path_of("a.csv", Path::new("/home/ada")), Path::new("data/a.csv"));
        assert_eq!(files.path_of("a.csv", Path::new("/tmp")), Path::new("/home/ada/data/a.csv"));
        assert_eq!(expanded("~/x", Some(Path::new("/home/ada"))), "/home/ada/x");
    }

    fn entry(name: &str, family: Option<&str>) -> Entry {
        Entry { name: name.into(), folder: true, bytes: 0, family: family.map(str::to_owned) }
    }

    #[test]
    fn models_are_browsed_and_paths_completed() {
        let mut files = Files::new("model.path", "/home/ann".into(), "/home/ann".into());
        files.entries = Some(Ok(vec![entry("tiny", Some("llama")), entry("models", None)]));
        let mut pick = Pick::new(PickKind::Model(Some(vec![model("models/one"), model("tiny")]), files));
        // Each model found is listed once, and folders can be opened.
        let texts = |pick: &Pick| pick.rows().iter().map(|row| row.texts().0).collect::<Vec<_>>();
        assert_eq!(texts(&pick), ["models/one", "tiny", "..", "models/"]);
        typed(&mut pick, "mod");
        pick.to_first();
        pick.walk(1);
        assert_eq!(pick.completed(), Some("models/".into()));
        // A folder that was browsed to shows its entries.
        let files = pick.files_mut().unwrap();
        assert!(files.list("/home/ann/models".into()) && !files.list("/home/ann/models".into()));
        files.entries = Some(Ok(vec![entry("one", Some("bert")), entry("other", None)]));
        pick.typed = Typed::default();
        assert_eq!(texts(&pick), ["..", "one/", "other/"]);
        assert!(pick.is_waiting(), "what is below it is being looked for");
        let files = pick.files_mut().unwrap();
        files.found_below(vec![model("one"), model("other/deep")]);
        assert_eq!(texts(&pick), ["models/one", "models/other/deep", "..", "other/"]);
        assert!(!pick.is_waiting());
        // Above the working folder, paths are absolute, and nothing below is searched.
        let files = pick.files_mut().unwrap();
        files.list("/".into());
        assert!(!files.is_searched());
        files.list("/other".into());
        files.found_below(vec![model("m")]);
        assert_eq!(texts(&pick)[0], "/other/m");
        let files = pick.files_mut().unwrap();
        files.list("/home/ann/models".into());
        files.entries = Some(Ok(vec![entry("one", Some("bert")), entry("other", None)]));
        pick.to_first();
        assert_eq!(pick.completed(), Some("models/one".into()), "a model is the end of the path");
        // After a typed path, names are completed by their prefix.
        typed(&mut pick, "models/ot");
        assert_eq!(texts(&pick), ["other/", "models/ot"]);
        pick.to_first();
        assert_eq!(pick.completed(), Some("models/other/".into()));
        assert_eq!((typed_folder("a/b/c"), typed_folder("~/"), typed_folder("abc")), (Some("a/b/"), Some("~/"), None));
    }
}
