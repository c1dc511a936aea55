//! Changes of recipe, model, tokenizer or data with which the user allowed a run to be resumed.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::failed;
use super::lines::{Lines, for_each_line};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

/// A line of `changed.jsonl`: from this step on, the run has other files or another recipe than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Optimizer steps taken before the change.
    pub step: u64,
    /// The branch of that step.
    pub branch: u32,
    /// Number of branches at that time.
    pub branches: u32,
    /// The differences: each with its part, one of [`super::PARTS`], and a sentence with the old and the new value.
    pub differences: Vec<(String, String)>,
}

impl Changed {
    /// The parts that changed, each once.
    #[must_use]
    pub fn parts(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = self.differences.iter().map(|(part, _)| part.as_str()).collect();
        parts.dedup();
        parts
    }

    /// Whether the change was made after the step that follows `step` on this branch.
    #[must_use]
    pub fn was_made_after(&self, branch: u32, step: u64) -> bool {
        if branch == self.branch { step < self.step } else { branch < self.branches }
    }
}

/// Adds a line.
///
/// # Errors
/// Fails where the file cannot be written.
pub(super) fn add(path: &Path, changed: &Changed) -> Result<()> {
    write(path, changed).map_err(failed("write the changes to", path))
}

fn write(path: &Path, changed: &Changed) -> io::Result<()> {
    let mut lines = Lines::open(path)?;
    lines.add(changed)?;
    lines.sync()
}

/// The lines of a file, in order; a missing file has none.
///
/// # Errors
/// Refuses a file that cannot be read or holds other lines.
pub(super) fn read(path: &Path) -> Result<Vec<Changed>> {
    let refuse = |why: String| Error::refused(format!("{}: {}; restore the file", place(path), one_line(&why)));
    let (mut read, mut broken) = (Vec::new(), None);
    for_each_line(path, |number, line, ended| match serde_json::from_slice(line) {
        Ok(changed) => read.push(changed),
        Err(_) if !ended => {}
        Err(error) => broken = Some(format!("line {number} is not a valid entry ({error})")),
    })
    .map_err(|error| refuse(error.to_string()))?;
    broken.map_or(Ok(read), |why| Err(refuse(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_read_and_what_is_broken_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("changed.jsonl");
        assert_eq!(read(&path).unwrap(), []);
        let differences = ["one", "two"].map(|what| ("data".to_owned(), what.to_owned()));
        let changed = Changed { step: 20, branch: 1, branches: 3, differences: differences.to_vec() };
        add(&path, &changed).unwrap();
        add(&path, &Changed { step: 30, ..changed.clone() }).unwrap();
        let lines = read(&path).unwrap();
        assert_eq!((lines.len(), &lines[0], lines[0].parts()), (2, &changed, vec!["data"]));
        std::fs::write(&path, "{}\n").unwrap();
        assert!(read(&path).unwrap_err().message().contains("line 1 is not a valid entry"));
    }

    #[test]
    fn steps_before_and_after_a_change_are_distinguished() {
        let changed = Changed { step: 20, branch: 1, branches: 3, differences: Vec::new() };
        assert!(changed.was_made_after(1, 19) && !changed.was_made_after(1, 20));
        assert!(changed.was_made_after(0, 50) && changed.was_made_after(2, 50) && !changed.was_made_after(3, 5));
    }
}
