//! Recipes on the disk.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use spartui_facts::recipe::Recipe;
use spartui_run::follow_links;

/// The largest size of a recipe in bytes.
const LARGEST: u64 = 1 << 20;
/// The most recipes that are offered.
const MOST: usize = 200;

/// A recipe on the disk.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundRecipe {
    /// Its file, relative to the working folder if below it.
    pub path: PathBuf,
    /// The recipe, or the error.
    pub recipe: Result<Box<Recipe>, String>,
}

/// The recipes in these folders, the most recently written first.
pub(super) fn list(working: &Path, folders: &[PathBuf]) -> Vec<FoundRecipe> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(working.join(folder)).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() && metadata.len() <= LARGEST && path.extension().is_some_and(|kind| kind == "toml") {
                found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), path));
            }
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.dedup_by(|a, b| a.1 == b.1);
    let recipes = found.into_iter().take(MOST).filter_map(|(_, path)| {
        let text = fs::read_to_string(&path).ok().filter(|text| is_recipe(text))?;
        let recipe = Recipe::parse(&text, path.parent().unwrap_or(working), &[]);
        let recipe = recipe.map(Box::new).map_err(|error| error.message().to_owned());
        Some(FoundRecipe { path: path.strip_prefix(working).map_or(path.clone(), Path::to_owned), recipe })
    });
    recipes.collect()
}

/// Whether a TOML file looks like a recipe rather than a file of another tool.
fn is_recipe(text: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok_and(|table| {
        let of = |section: &str, key: &str| table.get(section).and_then(|section| section.get(key)).is_some();
        of("model", "path") || of("data", "train") || of("method", "kind")
    })
}

/// Reads a recipe.
pub(super) fn load(working: &Path, path: &Path) -> Result<Box<Recipe>, String> {
    Recipe::load(&working.join(path), &[]).map(Box::new).map_err(|error| error.message().to_owned())
}

/// Writes a recipe with absolute paths: if `path` was not `given`, to a new file with a number appended where needed,
/// else replacing the existing file. Returns the file.
pub(super) fn save(working: &Path, path: &Path, given: bool, recipe: &Recipe) -> Result<PathBuf, String> {
    let text = located(working, recipe)?.to_toml();
    let write = |path: &Path| -> io::Result<PathBuf> {
        // A given path may be a symbolic link, which is kept.
        let whole = if given { follow_links(&working.join(path))? } else { working.join(path) };
        let folder = whole.parent().unwrap_or(working);
        fs::create_dir_all(folder)?;
        let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        readable(new.as_file())?;
        if given {
            new.persist(&whole).map_err(|error| error.error)?;
        } else {
            new.persist_noclobber(&whole).map_err(|error| error.error)?;
        }
        Ok(path.to_owned())
    };
    let mut number = 1;
    loop {
        let next = if number == 1 { path.to_owned() } else { numbered(path, number) };
        match write(&next) {
            Ok(path) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !given && number < 10_000 => number += 1,
            Err(error) => {
                return Err(format!(
                    "the recipe {} cannot be written: {error}; give another file",
                    spartui_facts::quote::place(&next)
                ));
            }
        }
    }
}

/// Temporary files are private; a recipe need not be.
fn readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.toml"))
}

/// The recipe with its paths made absolute.
pub(super) fn located(working: &Path, recipe: &Recipe) -> Result<Recipe, String> {
    Recipe::parse(&recipe.to_toml(), working, &[]).map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_listed_and_loaded() {
        let root = tempfile::tempdir().unwrap();
        let mut recipe = Recipe::default();
        recipe.model.path = "owner/name".into();
        recipe.data.train = "rows.csv".into();
        let file = Path::new("runs/recipes/first.toml");
        let save = |given, recipe: &Recipe| save(root.path(), file, given, recipe).unwrap();
        assert_eq!(save(false, &recipe), file);
        recipe.train.epochs = 7.0;
        assert_eq!(save(false, &recipe), Path::new("runs/recipes/first-2.toml"));
        recipe.train.epochs = 9.0;
        assert_eq!(save(true, &recipe), file);
        fs::write(root.path().join("other.toml"), "[package]\nname = \"x\"\n").unwrap();
        fs::write(root.path().join("broken.toml"), "[model]\npath = 5\n").unwrap();
        let found = list(root.path(), &["runs/recipes".into(), "".into()]);
        assert_eq!(found.len(), 3);
        assert!(found.iter().any(|found| found.path == Path::new("broken.toml") && found.recipe.is_err()));
        let loaded = load(root.path(), file).unwrap();
        assert_eq!((loaded.train.epochs, loaded.data.train), (9.0, root.path().join("rows.csv")));
        assert_eq!(loaded.model.path, Path::new("owner/name"));
        assert!(load(root.path(), Path::new("none.toml")).is_err());
    }

    #[test]
    fn a_recipe_that_cannot_be_written_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let why = save(root.path(), Path::new("file/a.toml"), true, &Recipe::default()).unwrap_err();
        assert!(why.contains("cannot be written"), "{why}");
    }
}
