//! The jobs of the comparison screen.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spartui_compare::{Comparison, Format, Subject};
use spartui_facts::recipe::Recipe;
use spartui_run::{ListedRun, RunFolder, State, folders_of, full_name, run_folders};

/// The highest number appended to a file name.
const LAST_NUMBER: u32 = 10_000;

/// A job of the comparison screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// List the runs of a folder.
    Runs {
        /// The folder.
        folder: PathBuf,
        /// The runs to mark, if they match `like`.
        candidates: Vec<PathBuf>,
        /// The run whose task and rows the marked runs must have; without one, all candidates are marked.
        like: Option<PathBuf>,
    },
    /// Compare runs.
    Compare {
        /// Distinguishes this request from later ones.
        number: u64,
        /// Their folders.
        folders: Vec<PathBuf>,
        /// Index of the baseline that the others are tested against.
        against: usize,
    },
    /// Write a comparison to the working folder.
    Write {
        /// The file format.
        format: Format,
        /// The comparison.
        comparison: Arc<Comparison>,
    },
}

/// The result of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The runs, newest first, or why they cannot be listed.
    Runs(Result<Vec<Listed>, String>),
    /// The comparison with this number, or the error.
    Compared(u64, Result<Arc<Comparison>, String>),
    /// Name of the file that was written, or the error.
    Written(Result<String, String>),
}

/// A run in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its name; for a lane, with that of its race.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its status.
    pub state: Option<State>,
    /// Whether it is marked for the comparison.
    pub marked: bool,
}

/// Runs a job.
#[must_use]
pub fn carry_out(ask: Ask) -> Answer {
    match ask {
        Ask::Runs { folder, candidates, like } => Answer::Runs(list(&folder, &candidates, like.as_deref())),
        Ask::Compare { number, folders, against } => Answer::Compared(number, compare(&folders, against)),
        Ask::Write { format, comparison } => {
            let written = std::env::current_dir()
                .map_err(|error| format!("the working folder cannot be read: {error}"))
                .and_then(|folder| write(&folder, format, &comparison));
            Answer::Written(written)
        }
    }
}

fn list(folder: &Path, candidates: &[PathBuf], like: Option<&Path>) -> Result<Vec<Listed>, String> {
    let folders = run_folders(folder).map_err(|error| error.message().to_owned())?;
    let recipe = |path: &Path| RunFolder::open(path).ok().map(|run| run.recipe().clone());
    let model = like.and_then(recipe);
    let mut runs: Vec<(f64, Listed)> = Vec::new();
    // A race is compared as its lanes.
    for path in folders.iter().flat_map(|folder| folders_of(folder)) {
        let ListedRun { state, started, .. } = ListedRun::of(&path);
        let name = full_name(&path);
        let is_like = || match (&model, recipe(&path)) {
            (Some(model), Some(recipe)) => same_rows(model, &recipe),
            // Without `like`, all candidates match.
            (None, Some(_)) => like.is_none(),
            _ => false,
        };
        let marked = state.is_some() && candidates.contains(&path) && is_like();
        runs.push((started.unwrap_or(0.0), Listed { name, folder: path, state, marked }));
    }
    runs.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.name.cmp(&other.name)));
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

/// Whether two recipes have the same task and the same rows.
fn same_rows(a: &Recipe, b: &Recipe) -> bool {
    let (x, y) = (&a.data, &b.data);
    a.task.kind == b.task.kind
        && (&x.train, &x.validation, &x.text, &x.label) == (&y.train, &y.validation, &y.text, &y.label)
}

fn compare(folders: &[PathBuf], against: usize) -> Result<Arc<Comparison>, String> {
    let read = |folder: &PathBuf| RunFolder::open(folder).and_then(|run| Subject::read(&run));
    let subjects = folders.iter().map(read).collect::<Result<Vec<Subject>, _>>();
    let subjects = subjects.map_err(|error| error.message().to_owned())?;
    Comparison::of(&subjects, against).map(Arc::new)
}

/// Writes a comparison to a new file in a folder; returns its name.
fn write(folder: &Path, format: Format, comparison: &Comparison) -> Result<String, String> {
    let text = format.write(comparison).map_err(|error| error.message().to_owned())?;
    let extension = format.extension();
    for number in 1..LAST_NUMBER {
        let name = format!("comparison-{number}.{extension}");
        match OpenOptions::new().write(true).create_new(true).open(folder.join(&name)) {
            Ok(mut file) => {
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                return written.map(|()| name.clone()).map_err(|error| {
                    // An incomplete file would look like a complete one.
                    let _ = std::fs::remove_file(folder.join(&name));
                    format!("{name} cannot be written: {error}")
                });
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("{name} cannot be made in the working folder: {error}")),
        }
    }
    Err(format!("there are {LAST_NUMBER} files named comparison-N.{extension} in the working folder; move some away"))
}

#[cfg(test)]
#[path = "../../../compare/src/tests/sample_runs.rs"]
mod sample_runs;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered() {
        let folder = tempfile::tempdir().unwrap();
        let comparison = Comparison::of(&super::sample_runs::six_runs(), 0).unwrap();
        let names: Vec<String> = (0..2).map(|_| write(folder.path(), Format::Csv, &comparison).unwrap()).collect();
        assert_eq!(names, ["comparison-1.csv", "comparison-2.csv"]);
        let text = std::fs::read_to_string(folder.path().join("comparison-2.csv")).unwrap();
        assert_eq!(text.lines().count(), 5);
        assert!(write(&folder.path().join("none"), Format::Text, &comparison).unwrap_err().contains("cannot be made"));
    }
}
