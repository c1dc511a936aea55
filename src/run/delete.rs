//! Taking a run away.

use std::fs;
use std::path::Path;

use super::RunFolder;
use super::files::{failed, parent, remove, rename_new};
use super::status::claim;
use crate::data::place;
use crate::error::{Error, Result};

/// Deletes a run's folder with all that it holds.
///
/// # Errors
/// Refuses what is no run's folder or only a link to one, and a run that a process trains; nothing has changed then.
pub fn delete_run(path: &Path) -> Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(Error::refused(format!("{} is a link; delete it by hand", place(path))));
    }
    RunFolder::open(path)?.status()?;
    let lock = claim(path).map_err(failed("take over the run", path))?;
    let Some(lock) = lock else {
        return Err(Error::refused(format!("the run {} is being trained; stop it first", place(path))));
    };
    // It is gone at once, also where what it holds takes a while.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let gone = parent(path).join(format!(".deleted-{}-{name}", std::process::id()));
    remove(&gone).and_then(|()| rename_new(path, &gone)).map_err(failed("delete the run", path))?;
    let removed = remove(&gone).map_err(failed("delete what is left of the run in", &gone));
    drop(lock);
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use crate::run::State;

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
        assert!(delete_run(&other).unwrap_err().message().contains("no run folder"));
        fs::write(other.join("recipe.toml"), Recipe::default().to_toml()).unwrap();
        assert!(delete_run(&other).is_err() && other.exists(), "a recipe alone makes no run");
        delete_run(&path).unwrap();
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
