//! The folder of a run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::changed::{self, Changed};
use super::delete::{check_deletable, delete_run};
use super::files::{failed, remove, rename_new, sync_folder, write_synced};
use super::identity::TOKENIZER;
use super::metrics::{Reading, scan};
use super::race::lanes_of;
use super::status::{State, Status, claim, now};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Evaluation, Holds};
use spartui_facts::quote::{place, quoted};
use spartui_facts::recipe::Recipe;

const RECIPE: &str = "recipe.toml";
/// Longest name of a run in bytes; file systems take 255, and a suffix may be added.
const LONGEST_NAME: usize = 100;
/// Largest recipe in bytes.
const LARGEST_RECIPE: u64 = 1 << 20;
/// Prefix of the name of a run's folder while it is being created.
const NEW: &str = ".new-run-";
/// Age after which a folder with that prefix was left behind by a process that died.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);
/// The number suffixes of a default name that are tried are below this one.
const LAST_NUMBER: u32 = 100_000;

/// The folder of a run. After [`RunFolder::create`] or [`RunFolder::claim`] it is locked by this process until it is
/// dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    recipe: Recipe,
    lock: Option<File>,
}

impl RunFolder {
    /// Creates the folder of a new run: a name that the user gave must be free; a default name that is taken gets a
    /// number as suffix. If this fails, nothing is left behind.
    ///
    /// # Errors
    /// Refuses a name that is taken or is no valid folder name, and a folder that cannot be written.
    pub fn create(runs_dir: &Path, name: Option<&str>, recipe: &Recipe, default_name: &str) -> Result<Self> {
        if let Some(name) = name {
            check_name(name).map_err(Error::refused)?;
        }
        let missing: Vec<&Path> = runs_dir
            .ancestors()
            .take_while(|ancestor| !ancestor.as_os_str().is_empty() && fs::symlink_metadata(ancestor).is_err())
            .collect();
        let created = Self::create_inside(runs_dir, name, recipe, default_name);
        if created.is_err() {
            for folder in missing {
                // Only empty folders are removed: by now, another process may have written into one.
                let _ = fs::remove_dir(folder);
            }
        }
        created
    }

    /// Checks, before anything is loaded, that the name of a new run is free and that the runs folder can be written.
    /// With `overwrite`, the name may be that of a run which no process trains.
    ///
    /// # Errors
    /// As [`RunFolder::create`].
    pub fn check_new(runs_dir: &Path, name: Option<&str>, overwrite: bool) -> Result<()> {
        if let Some(name) = name {
            check_name(name).map_err(Error::refused)?;
            let path = runs_dir.join(name);
            if fs::symlink_metadata(&path).is_ok() {
                if !overwrite {
                    return Err(name_taken(&path));
                }
                check_deletable(&path)?;
            }
        }
        let there = runs_dir.ancestors().find(|ancestor| ancestor.as_os_str().is_empty() || ancestor.exists());
        let there = there.filter(|there| !there.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The temporary folder is removed at once.
        tempfile::Builder::new().prefix(NEW).tempdir_in(there).map(drop).map_err(|error| unwritable(runs_dir, &error))
    }

    /// Deletes the run of this name, if there is one, so that a new run can have the name.
    ///
    /// # Errors
    /// Refuses a folder that is no run, and a run that a process trains; nothing has changed then.
    pub fn delete_existing(runs_dir: &Path, name: &str) -> Result<()> {
        let path = runs_dir.join(name);
        if fs::symlink_metadata(&path).is_err() { Ok(()) } else { delete_run(&path) }
    }

    fn create_inside(runs_dir: &Path, name: Option<&str>, recipe: &Recipe, default_name: &str) -> Result<Self> {
        let refuse = |error: io::Error| unwritable(runs_dir, &error);
        fs::create_dir_all(runs_dir).map_err(refuse)?;
        sweep(runs_dir);
        // The folder is created under a hidden name and renamed when complete, so that no partial run is ever listed.
        let new = tempfile::Builder::new().prefix(NEW).tempdir_in(runs_dir).map_err(refuse)?;
        let lock = Self::write_contents(new.path(), recipe).map_err(refuse)?;
        let path = match name {
            Some(name) => {
                let path = runs_dir.join(name);
                rename_new(new.path(), &path).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => name_taken(&path),
                    _ => refuse(error),
                })?;
                path
            }
            None => first_free(new.path(), runs_dir, &sanitized(default_name)).map_err(refuse)?,
        };
        let _ = new.keep();
        sync_folder(runs_dir).map_err(|error| {
            // The first error is the one to report.
            let _ = remove(&path);
            refuse(error)
        })?;
        Ok(Self { path, recipe: recipe.clone(), lock })
    }

    fn write_contents(path: &Path, recipe: &Recipe) -> io::Result<Option<File>> {
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let lock = claim(path)?;
        write_synced(&path.join(RECIPE), recipe.to_toml().as_bytes())?;
        Status::begun().write(path)?;
        sync_folder(path)?;
        Ok(lock)
    }

    /// Opens the folder of an existing run for reading.
    ///
    /// # Errors
    /// Refuses a folder that is no run folder.
    pub fn open(path: &Path) -> Result<Self> {
        let file = path.join(RECIPE);
        if !file.is_file() {
            return Err(Error::refused(format!(
                "{} is not a run folder: it has no {RECIPE}; `spartui runs` lists the runs",
                place(path)
            )));
        }
        if fs::metadata(&file).is_ok_and(|metadata| metadata.len() > LARGEST_RECIPE) {
            return Err(Error::refused(format!("{} is too large for a recipe; restore it", place(&file))));
        }
        let recipe = Recipe::load_run(&file)?;
        Ok(Self { path: path.to_owned(), recipe, lock: None })
    }

    /// Opens the run that the user named: by its name in the runs folder, a lane as `RACE/lane-2`, or by its path.
    ///
    /// # Errors
    /// As [`RunFolder::open`].
    pub fn find(runs_dir: &Path, run: &Path) -> Result<Self> {
        let inside = runs_dir.join(run);
        let lane = run.parent().zip(run.file_name()).map(|(race, lane)| lanes_of(&runs_dir.join(race)).join(lane));
        let known = [Some(inside), lane].into_iter().flatten().find(|path| path.join(RECIPE).is_file());
        Self::open(known.as_deref().unwrap_or(run))
    }

    /// Locks an existing run for this process, to continue it.
    ///
    /// # Errors
    /// Refuses a run that another process trains.
    pub fn claim(&mut self) -> Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        self.refuse_links()?;
        self.lock = claim(&self.path).map_err(failed("take over the run", &self.path))?;
        if self.lock.is_none() {
            return Err(Error::refused(format!(
                "the run {} is being trained by another process; stop it first",
                place(&self.path)
            )));
        }
        Ok(())
    }

    /// Sets the status of a run that [`RunFolder::claim`] locked to running again; `threads` is the number of threads,
    /// if known.
    ///
    /// # Errors
    /// As [`RunFolder::set_status`].
    pub fn set_resumed(&self, total_steps: u64, threads: Option<usize>) -> Result<()> {
        let (started, peak_memory) =
            self.status().map_or_else(|_| (now(), None), |status| (status.started, status.peak_memory));
        self.set_status(&Status { total_steps: Some(total_steps), started, peak_memory, threads, ..Status::begun() })
    }

    /// Refuses links and special files: a run folder from elsewhere must not make this process write outside it.
    fn refuse_links(&self) -> Result<()> {
        let refuse = |path: &Path, what: &str| {
            Err(Error::refused(format!("{} {what}; replace it by a regular file or folder", place(path))))
        };
        for folder in [self.path.clone(), self.checkpoints_path()] {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                    return refuse(&entry.path(), "is a link, which may lead out of the run's folder");
                }
            }
        }
        let files =
            [self.journal_path(), self.metrics_path(), self.changed_path(), self.log_path(), self.predictions_path()];
        for file in files {
            if fs::symlink_metadata(&file).is_ok_and(|metadata| !metadata.is_file()) {
                return refuse(&file, "is no regular file");
            }
        }
        Ok(())
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// The recipe with which the run began.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Folder of the adapter.
    #[must_use]
    pub fn adapter_path(&self) -> PathBuf {
        self.path.join("adapter")
    }

    /// Folder of the complete model, for a run that trains every parameter.
    #[must_use]
    pub fn model_path(&self) -> PathBuf {
        self.path.join("model")
    }

    /// Folder of the checkpoints.
    #[must_use]
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// File of the journal.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// File with the changes of recipe or files that the user allowed at a resume.
    fn changed_path(&self) -> PathBuf {
        self.path.join("changed.jsonl")
    }

    /// Adds a change of recipe or files that the user allowed at a resume.
    ///
    /// # Errors
    /// Fails where the folder cannot be written.
    pub fn add_changed(&self, changed: &Changed) -> Result<()> {
        changed::add(&self.changed_path(), changed)
    }

    /// The changes of recipe or files that the user allowed at a resume.
    ///
    /// # Errors
    /// Refuses a damaged file.
    pub fn changed(&self) -> Result<Vec<Changed>> {
        changed::read(&self.changed_path())
    }

    /// Seconds of all steps and evaluations so far, on every branch.
    ///
    /// # Errors
    /// Refuses a file that cannot be read.
    pub fn trained_seconds(&self) -> Result<f64> {
        let mut seconds = 0.0;
        scan(&self.metrics_path(), |reading| {
            seconds += match reading {
                Some(Reading::Step(step)) => step.seconds,
                Some(Reading::Evaluation(evaluation)) => evaluation.seconds,
                None => 0.0,
            };
        })?;
        Ok(seconds)
    }

    /// File of the metrics.
    #[must_use]
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// File of the predictions for the validation rows at the end of the run.
    #[must_use]
    pub fn predictions_path(&self) -> PathBuf {
        self.path.join("predictions.jsonl")
    }

    /// Deletes the predictions of an earlier end of the run, which continues.
    ///
    /// # Errors
    /// Fails where the folder cannot be written.
    pub fn drop_predictions(&self) -> Result<()> {
        let path = self.predictions_path();
        remove(&path).map_err(failed("remove the earlier predictions", &path))
    }

    /// Bytes of the adapter's files, or of the model's, without the tokenizer's; none if the run has neither.
    #[must_use]
    pub fn result_bytes(&self) -> Option<u64> {
        let size = |folder: &Path| {
            fs::read_dir(folder).ok()?.flatten().try_fold(0, |sum, entry| {
                let is_own = !TOKENIZER.iter().any(|name| entry.file_name() == *name);
                Some(sum + if is_own { entry.metadata().ok()?.len() } else { 0 })
            })
        };
        size(&self.adapter_path()).or_else(|| size(&self.model_path()))
    }

    /// File of the log.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    /// The status of the run.
    ///
    /// # Errors
    /// Refuses a folder whose status is missing or broken.
    pub fn status(&self) -> Result<Status> {
        Status::read(&self.path)
            .map_err(|why| Error::refused(format!("{}: {why}; the run is damaged", place(&self.path))))
    }

    /// Writes the status of the run.
    ///
    /// # Errors
    /// Fails where the folder cannot be written.
    pub fn set_status(&self, status: &Status) -> Result<()> {
        status.write(&self.path).map_err(failed("write the status of", &self.path))
    }

    /// Writes the total number of steps into the status.
    ///
    /// # Errors
    /// As [`RunFolder::set_status`].
    pub fn set_total_steps(&self, total_steps: u64) -> Result<()> {
        let status = self.status().unwrap_or_else(|_| Status::begun());
        self.set_status(&Status { total_steps: Some(total_steps), ..status })
    }

    /// Writes the peak memory into the status, unless an earlier session of the run had a higher one.
    ///
    /// # Errors
    /// As [`RunFolder::set_status`].
    pub fn note_peak_memory(&self, bytes: u64) -> Result<()> {
        let status = self.status().unwrap_or_else(|_| Status::begun());
        self.set_status(&Status { peak_memory: status.peak_memory.max(Some(bytes)), ..status })
    }

    /// Writes into the status which state the adapter, or the model, holds.
    ///
    /// # Errors
    /// As [`RunFolder::set_status`].
    pub fn note_result(&self, holds: Option<Holds>) -> Result<()> {
        let status = self.status().unwrap_or_else(|_| Status::begun());
        self.set_status(&Status { holds, ..status })
    }

    /// Writes the status of a run that has ended, with its best evaluation; `message` is why it failed, if it did.
    ///
    /// # Errors
    /// As [`RunFolder::set_status`].
    pub fn end(&self, state: State, steps: u64, best: Option<Evaluation>, message: Option<&str>) -> Result<()> {
        let status = self.status().unwrap_or_else(|_| Status::begun());
        self.set_status(&Status {
            state,
            ended: Some(now()),
            steps: Some(steps),
            best_accuracy: best.map(|best| best.accuracy),
            best,
            message: message.map(str::to_owned),
            ..status
        })
    }
}

fn unwritable(runs_dir: &Path, error: &io::Error) -> Error {
    Error::refused(format!("cannot write to the runs folder {}: {error}; use another folder", place(runs_dir)))
}

fn name_taken(path: &Path) -> Error {
    Error::refused(format!("there is a run {} already; give another name, or replace it with --overwrite", place(path)))
}

/// Checks that this is a valid name of a run.
///
/// # Errors
/// One sentence that says what is wrong with the name.
pub fn check_name(name: &str) -> std::result::Result<(), String> {
    let problem = if name.is_empty() {
        "is empty"
    } else if name.len() > LONGEST_NAME {
        "is longer than 100 bytes"
    } else if name.starts_with(['.', '-']) {
        "starts with a dot or a hyphen"
    } else if name.contains(['/', '\\']) || name.chars().any(char::is_control) {
        "has a separator or a control character in it"
    } else if name.trim() != name {
        "starts or ends with a space"
    } else {
        return Ok(());
    };
    Err(format!("the run's name {} {problem}; give one such as \"first-try\"", quoted(name)))
}

/// The name with the characters replaced that [`check_name`] refuses, and shortened.
fn sanitized(name: &str) -> String {
    let mut sanitized = String::new();
    for character in name.chars() {
        // Room is left for a number.
        if sanitized.len() + character.len_utf8() > LONGEST_NAME - 10 {
            break;
        }
        let is_allowed = character.is_alphanumeric() || matches!(character, '.' | '_' | '-');
        sanitized.push(if is_allowed { character } else { '-' });
    }
    let name = sanitized.trim_start_matches(['.', '-']);
    if name.is_empty() { "run".into() } else { name.into() }
}

/// Renames a folder to the first free name: `name`, `name-2`, `name-3`, …
fn first_free(folder: &Path, runs_dir: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 1..LAST_NUMBER {
        let path = runs_dir.join(if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
        match rename_new(folder, &path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes the folders of processes that were killed while they created a run.
fn sweep(runs_dir: &Path) {
    for entry in fs::read_dir(runs_dir).into_iter().flatten().flatten() {
        let modified = || entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = || modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > LEFT_BEHIND));
        if entry.file_name().to_string_lossy().starts_with(NEW) && is_old() {
            // A leftover does no harm; the next start tries again.
            let _ = remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_holds_the_whole_recipe() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("deep/runs");
        let mut recipe = Recipe::default();
        recipe.method.sparsity = 0.995;
        recipe.method.density.insert("v_proj".into(), 0.02);
        recipe.model.path = root.path().join("model");
        let created = RunFolder::create(&runs, Some("first"), &recipe, "unused").unwrap();
        assert_eq!((created.name().as_str(), created.status().unwrap().state), ("first", State::Running));
        let opened = RunFolder::find(&runs, Path::new("first")).unwrap();
        assert_eq!(opened.recipe(), &recipe);
        assert_eq!(RunFolder::find(Path::new("/none"), created.path()).unwrap().path(), created.path());
    }

    #[test]
    fn a_given_name_must_be_free_and_a_default_one_is_numbered() {
        let root = tempfile::tempdir().unwrap();
        let create = |name: Option<&str>| RunFolder::create(root.path(), name, &Recipe::default(), "mini LM/x");
        let names: Vec<String> = (0..3).map(|_| create(None).unwrap().name()).collect();
        assert_eq!(names, ["mini-LM-x", "mini-LM-x-2", "mini-LM-x-3"]);
        let taken = create(Some("mini-LM-x")).unwrap_err();
        assert!(matches!(&taken, Error::Refused(why) if why.contains("already; give another name")), "{taken}");
        for name in ["", ".", "..", ".x", "a/b", "a\\b", "/tmp/x", "a\nb", "-x", " x", &"x".repeat(101)] {
            assert!(create(Some(name)).unwrap_err().message().starts_with("the run's name"), "{name:?}");
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_refused_and_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let error = RunFolder::create(&root.path().join("file/runs"), None, &Recipe::default(), "x").unwrap_err();
        assert!(matches!(&error, Error::Refused(why) if why.contains("cannot write to the runs folder")), "{error}");
        let too_long = root.path().join("new/runs").join("y".repeat(300));
        assert!(RunFolder::create(&too_long, None, &Recipe::default(), "x").is_err());
        assert!(!root.path().join("new").exists());
    }

    #[test]
    fn a_running_run_whose_process_is_gone_was_interrupted() {
        let root = tempfile::tempdir().unwrap();
        let running = RunFolder::create(root.path(), None, &Recipe::default(), "x").unwrap();
        running.set_total_steps(50).unwrap();
        let path = running.path().to_owned();
        let mut other = RunFolder::open(&path).unwrap();
        assert_eq!(other.status().unwrap().state, State::Running);
        assert!(other.claim().unwrap_err().message().contains("another process"));
        drop(running);
        let status = other.status().unwrap();
        assert_eq!((status.state, status.total_steps), (State::Interrupted, Some(50)));
        other.claim().unwrap();
        other.note_peak_memory(70).unwrap();
        other.set_resumed(60, None).unwrap();
        assert_eq!(other.status().unwrap().state, State::Running);
        other.note_peak_memory(50).unwrap();
        assert_eq!(other.status().unwrap().peak_memory, Some(70));
        other.end(State::Failed, 7, None, Some("no more")).unwrap();
        drop(other);
        let status = RunFolder::open(&path).unwrap().status().unwrap();
        assert_eq!((status.state, status.steps, status.message.as_deref()), (State::Failed, Some(7), Some("no more")));
    }
}
