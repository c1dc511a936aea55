//! Lists to choose from: models, files of rows, recipes. What is typed narrows the list, or is the answer itself.

use std::path::{Path, PathBuf};

use crate::data::Sample;
use crate::interface::jobs::{Entry, FoundModel, FoundRecipe};
use crate::interface::state::Typed;
use crate::interface::text;
use crate::recipe::is_hub_name;

/// A list to choose from.
#[derive(Debug, Clone)]
pub struct Pick {
    /// What is chosen.
    pub what: What,
    /// What was typed.
    pub typed: Typed,
    /// The selected row.
    pub row: usize,
}

/// What is chosen.
#[derive(Debug, Clone)]
pub enum What {
    /// A model; nothing while they are looked for.
    Model(Option<Vec<FoundModel>>),
    /// A file of rows.
    File(Files),
    /// A recipe to begin with; nothing while they are looked for.
    Recipe(Option<Vec<FoundRecipe>>),
}

/// A folder with files of rows.
#[derive(Debug, Clone)]
pub struct Files {
    /// The field that the file is for.
    pub field: &'static str,
    /// The folder.
    pub folder: PathBuf,
    /// What is in it; nothing while that is not known.
    pub entries: Option<Result<Vec<Entry>, String>>,
    /// What the selected file holds; no result while it is being read.
    pub sample: Option<(PathBuf, Option<Result<Sample, String>>)>,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A model.
    Model(FoundModel),
    /// The folder above.
    Above,
    /// Something in a folder.
    Entry(Entry),
    /// A recipe.
    Recipe(FoundRecipe),
    /// What was typed, taken as it is.
    Typed(String),
}

impl Pick {
    /// A list of which nothing is known yet.
    #[must_use]
    pub fn new(what: What) -> Self {
        Self { what, typed: Typed { text: String::new(), cursor: 0, fresh: false }, row: 0 }
    }

    /// Its title.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match &self.what {
            What::Model(_) => "model",
            What::File(files) if files.field == "data.train" => "training rows",
            What::File(_) => "validation rows",
            What::Recipe(_) => "recipe",
        }
    }

    /// Whether the list is still being made.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        match &self.what {
            What::Model(found) => found.is_none(),
            What::File(files) => files.entries.is_none(),
            What::Recipe(found) => found.is_none(),
        }
    }

    /// The rows that fit what was typed, and what was typed itself where it could be an answer.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let wanted = self.typed.text.trim().to_lowercase();
        let fits = |text: &str| wanted.split_whitespace().all(|part| text.to_lowercase().contains(part));
        let mut rows: Vec<Row> = match &self.what {
            What::Model(found) => {
                let found = found.iter().flatten().filter(|model| fits(&model.name));
                found.cloned().map(Row::Model).collect()
            }
            What::File(files) => {
                let entries = files.entries.iter().flatten().flatten().filter(|entry| fits(&entry.name));
                let above = wanted.is_empty().then_some(Row::Above);
                above.into_iter().chain(entries.cloned().map(Row::Entry)).collect()
            }
            What::Recipe(found) => {
                let found = found.iter().flatten().filter(|recipe| fits(&recipe.path.to_string_lossy()));
                found.cloned().map(Row::Recipe).collect()
            }
        };
        let typed = self.typed.text.trim();
        let exact = rows.iter().any(|row| matches!(row, Row::Model(model) if model.name == typed));
        let could_be = match &self.what {
            What::Model(_) => is_hub_name(typed) || is_path(typed),
            What::File(_) | What::Recipe(_) => is_path(typed) || typed.contains('.'),
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

    /// Selects the first row that is not the way up.
    pub fn to_first(&mut self) {
        self.row = self.rows().iter().position(|row| *row != Row::Above).unwrap_or(0);
    }
}

impl Files {
    /// The files of a folder of which nothing is known yet.
    #[must_use]
    pub fn new(field: &'static str, folder: PathBuf) -> Self {
        Self { field, folder, entries: None, sample: None }
    }

    /// A file of the folder as the form has it: from the working folder where it is below.
    #[must_use]
    pub fn path_of(&self, name: &str, working: &Path) -> PathBuf {
        let path = self.folder.join(name);
        path.strip_prefix(working).map_or(path.clone(), Path::to_owned)
    }
}

fn is_path(text: &str) -> bool {
    text.contains('/') || text == "." || text.starts_with('~')
}

/// A path from the user's home folder, where it begins with a tilde.
#[must_use]
pub fn expanded(text: &str, home: Option<&Path>) -> String {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => text.to_owned(),
    }
}

impl Row {
    /// What stands at the left of the row, and at its right.
    #[must_use]
    pub fn texts(&self) -> (String, String) {
        match self {
            Self::Model(model) => {
                let place = if model.cached { "in the cache" } else { "folder" };
                let facts = format!("{}  {}  {place}", text::safe_text(&model.family), text::bytes(model.bytes));
                (text::safe_text(&model.name), facts)
            }
            Self::Above => ("..".into(), "the folder above".into()),
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
        let mut pick = Pick::new(What::Model(Some(vec![model("models/one"), model("models/two")])));
        assert_eq!(pick.rows().len(), 2);
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
        let files = Files::new("data.train", "/home/ada/data".into());
        assert_eq!(files.path_of("a.csv", Path::new("/home/ada")), Path::new("data/a.csv"));
        assert_eq!(files.path_of("a.csv", Path::new("/tmp")), Path::new("/home/ada/data/a.csv"));
        assert_eq!(expanded("~/x", Some(Path::new("/home/ada"))), "/home/ada/x");
    }
}
