//! Deleting and renaming a run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::files::{failed, parent, remove, rename_new};
use super::folder::check_name;
use super::status::claim;
use super::{RunFolder, race_of};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};

/// Deletes the folder of a run with its contents.
///
/// # Errors
/// Refuses a folder that is no run or only a link to one, and a run that a process trains; nothing has changed then.
pub fn delete_run(path: &Path) -> Result<()> {
    let lock = lock_idle_run(path)?;
    // The rename removes the run at once; deleting its files may take a while.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let gone = parent(path).join(format!(".deleted-{}-{name}", std::process::id()));
    remove(&gone).and_then(|()| rename_new(path, &gone)).map_err(failed("delete the run", path))?;
    let removed = remove(&gone).map_err(failed("delete what is left of the run in", &gone));
    drop(lock);
    removed
}

/// Renames a run, and gives its new folder.
///
/// # Errors
/// Refuses an invalid name, a name that is taken, a folder that is no run or only a link to one, and a run that a
/// process trains; nothing has changed then.
pub fn rename_run(path: &Path, name: &str) -> Result<PathBuf> {
    check_name(name).map_err(Error::refused)?;
    let to = parent(path).join(name);
    let taken = || Error::refused(format!("the name {} is taken already; choose another one", quoted(name)));
    if name == super::RECIPES {
        return Err(taken());
    }
    let lock = lock_idle_run(path)?;
    match rename_new(path, &to) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(taken()),
        renamed => renamed.map_err(failed("rename the run", path))?,
    }
    drop(lock);
    Ok(to)
}

/// Checks that [`delete_run`] would not refuse the run.
///
/// # Errors
/// As [`delete_run`].
pub(super) fn check_deletable(path: &Path) -> Result<()> {
    lock_idle_run(path).map(drop)
}

/// Locks a run that no process trains.
fn lock_idle_run(path: &Path) -> Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(Error::refused(format!("{} is a link; remove or rename it by hand", place(path))));
    }
    if let Some(race) = race_of(path) {
        return Err(Error::refused(format!(
            "{} is a lane of the race {}, whose lanes belong together; delete or rename the race",
            place(path),
            place(race)
        )));
    }
    RunFolder::open(path)?.status()?;
    let lock = claim(path).map_err(failed("take over the run", path))?;
    lock.ok_or_else(|| Error::refused(format!("the run {} is being trained; stop it first", place(path))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use spartui_facts::recipe::Recipe;

    #[test]
    fn only_a_run_that_nobody_trains_is_deleted() {
        let root = tempfile::tempdir().unwrap();
        let run = RunFolder::create(root.path(), Some("first"), &Recipe::default(), "").unwrap();
        let path = run.path().to_owned();
        assert!(delete_run(&path).unwrap_err().message().contains("being trained"));
        run.end(State::Completed, 1, None, None).unwrap();
        drop(run);
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(delete_run(&link).unwrap_err().message().contains("is a link"));
        let other = root.path().join("other");
        fs::create_dir(&other).unwrap();
        assert!(delete_run(&other).unwrap_err().message().contains("not a run folder"));
        fs::write(other.join("recipe.toml"), Recipe::default().to_toml()).unwrap();
        assert!(delete_run(&other).is_err() && other.exists(), "a recipe alone makes no run");
        let lane = path.join("lanes/lane-1");
        fs::create_dir_all(&lane).unwrap();
        fs::write(path.join("race.json"), "{}").unwrap();
        assert!(delete_run(&lane).unwrap_err().message().contains("is a lane"));
        delete_run(&path).unwrap();
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn a_run_gets_a_free_name_while_nobody_trains_it() {
        let root = tempfile::tempdir().unwrap();
        let create = |name| RunFolder::create(root.path(), Some(name), &Recipe::default(), "").unwrap();
        let (run, other) = (create("first"), create("other"));
        let path = run.path().to_owned();
        assert!(rename_run(&path, "second").unwrap_err().message().contains("being trained"));
        for ended in [&run, &other] {
            ended.end(State::Completed, 1, None, None).unwrap();
        }
        drop((run, other));
        for (name, why) in [("other", "already"), ("recipes", "already"), ("a/b", "separator"), ("", "is empty")] {
            assert!(rename_run(&path, name).unwrap_err().message().contains(why), "{name}");
        }
        let second = rename_run(&path, "second").unwrap();
        assert!(!path.exists() && RunFolder::open(&second).unwrap().status().is_ok());
        assert_eq!(rename_run(&second, "first").unwrap(), path);
        assert!(rename_run(&second, "third").is_err());
    }
}
