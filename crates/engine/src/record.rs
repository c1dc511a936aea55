//! The files of a run. A failing disk is reported, and training goes on.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Ending, Entry, Evaluation, Event, Holds, Level, Step};
use spartui_run::{
    Changed, Found, Job, Journal, Metrics, Moment, Outcome, PendingIdentity, Predictions, RunFolder, State, Writer,
};
use spartui_train::{self as train, Progress, Session, Tree};

pub use spartui_run::now;

/// The run folder with its open files.
pub struct Record {
    folder: RunFolder,
    journal: Journal,
    metrics: Metrics,
    log: File,
    writer: Writer,
    /// Hashes of the run's files.
    pub measured: PendingIdentity,
    /// Checkpoints on disk when one was last written.
    pub present: Vec<Found>,
    /// The newest moment on disk or in the writer's queue, with the progress of the evaluations then.
    newest: Option<(Moment, Progress)>,
    notes: Vec<Event>,
    /// Whether lines and checkpoints failed to be written; reported once.
    failing: [bool; 2],
    /// Seconds of training before this process resumed the run.
    pub seconds_before: f64,
    /// Changes that were accepted when it was resumed.
    changed: Vec<Changed>,
    steps: u64,
    /// The best evaluation on any branch.
    best: Option<Evaluation>,
    /// The largest resident size of earlier processes of the run.
    pub earlier_peak: u64,
}

/// What a write to disk was for.
#[derive(Debug, Clone, Copy)]
enum WriteKind {
    Lines,
    Checkpoints,
}

impl Record {
    /// Creates the folder of a run. The default name is made of model, method and data.
    ///
    /// # Errors
    /// Refuses a name that is taken and a place that cannot be written; nothing is left behind then.
    pub fn create(runs: &Path, name: Option<&str>, session: &Session) -> Result<Self> {
        Self::create_named(runs, name, &default_name(session), session)
    }

    /// As [`Record::create`], with another default name.
    ///
    /// # Errors
    /// As [`Record::create`].
    pub fn create_named(runs: &Path, name: Option<&str>, default: &str, session: &Session) -> Result<Self> {
        let folder = RunFolder::create(runs, name, &session.recipe, default)?;
        let measured = PendingIdentity::start(session.recipe.clone(), session.folder.clone());
        Self::open(folder, session, measured)
    }

    /// Opens the files of a run folder that this process has claimed.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn open(folder: RunFolder, session: &Session, measured: PendingIdentity) -> Result<Self> {
        let best = best_so_far(&folder)?;
        let earlier_peak = folder.status().ok().and_then(|status| status.peak_memory).unwrap_or(0);
        folder.set_resumed(session.total_steps(), usize::try_from(tch::get_num_threads()).ok())?;
        folder.drop_predictions()?;
        let (seconds_before, changed) = (folder.trained_seconds()?, folder.changed()?);
        let journal = Journal::open(&folder.journal_path())?;
        let metrics = Metrics::open(&folder.metrics_path())?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.log_path())
            .map_err(|error| Error::failed(format!("{}: {error}; check the disk", folder.log_path().display())))?;
        let writer = Writer::start(folder.checkpoints_path());
        let present = spartui_run::checkpoints(&folder.checkpoints_path())?;
        let mut record = Self {
            folder,
            journal,
            metrics,
            log,
            writer,
            measured,
            present,
            newest: None,
            notes: Vec::new(),
            failing: [false; 2],
            seconds_before,
            changed,
            steps: session.step,
            best,
            earlier_peak,
        };
        for data in [&session.data.train, &session.data.validation] {
            data.read_as.iter().for_each(|sentence| record.note(Level::Info, sentence.clone()));
            data.left_out.sentence().into_iter().for_each(|sentence| record.note(Level::Warning, sentence));
        }
        session.data.findings.iter().for_each(|finding| record.note(Level::Warning, finding.clone()));
        for remark in &session.model.remarks {
            record.note(if remark.warns { Level::Warning } else { Level::Info }, remark.text.clone());
        }
        Ok(record)
    }

    /// Adds a note for the user; it is logged too.
    pub fn note(&mut self, level: Level, message: String) {
        self.log(&message);
        self.notes.push(Event::Note { level, message });
    }

    /// Takes the notes for the user.
    pub fn take_notes(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.notes)
    }

    /// Notes once that the disk fails, and once that it has recovered.
    fn note_write(&mut self, what: WriteKind, written: Result<()>) {
        let was = std::mem::replace(&mut self.failing[what as usize], written.is_err());
        match written {
            Err(error) if !was => {
                let message = format!("{}; training goes on, and it is tried again", error.message());
                self.note(Level::Warning, message);
            }
            Ok(()) if was => {
                self.note(Level::Info, "the run's folder can be written again; nothing is missing in it".into());
            }
            _ => {}
        }
    }

    /// Flushes everything recorded so far to disk; returns whether that succeeded.
    pub fn flush(&mut self) -> bool {
        let written = self.metrics.flush().and_then(|()| self.journal.sync());
        let is_written = written.is_ok();
        self.note_write(WriteKind::Lines, written);
        is_written
    }

    /// The recipe at the start of the run.
    pub fn recipe(&self) -> &spartui_facts::recipe::Recipe {
        self.folder.recipe()
    }

    /// The run folder.
    pub fn run_folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Name of the run.
    pub fn name(&self) -> String {
        self.folder.name()
    }

    /// Path of its folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Folder of its checkpoints.
    pub fn checkpoints_path(&self) -> PathBuf {
        self.folder.checkpoints_path()
    }

    /// Records the run's total number of steps.
    pub fn total_steps(&mut self, total_steps: u64) {
        let said = self.folder.set_total_steps(total_steps);
        self.note_write(WriteKind::Lines, said);
    }

    /// Refuses to take the step after this one again if it was first taken with files that have changed.
    pub fn check_unchanged(&self, branch: u32, step: u64) -> Result<()> {
        let Some(changed) = self.changed.iter().find(|changed| changed.was_made_after(branch, step)) else {
            return Ok(());
        };
        let parts = changed.parts().join(" and ");
        Err(Error::failed(format!(
            "step {} was taken with other {parts}, before the run went on with what is there now, so that it cannot be taken \
             again; go to one of the states that are kept",
            step + 1
        )))
    }

    /// Writes a line of metrics.
    pub fn step(&mut self, step: &Step) {
        self.steps = step.step;
        if let Err(error) = self.metrics.step(step) {
            self.note_write(WriteKind::Lines, Err(error));
        }
    }

    /// Writes a line of metrics.
    pub fn evaluation(&mut self, evaluation: &Evaluation) {
        if self.best.is_none_or(|best| evaluation.is_better_than(&best)) {
            self.best = Some(*evaluation);
        }
        let written = self.metrics.evaluation(evaluation).and_then(|()| self.metrics.flush());
        self.note_write(WriteKind::Lines, written);
    }

    /// Writes a journal entry to disk before it is reported, if the disk works.
    pub fn enter(&mut self, entry: &Entry) {
        self.log(&format!("step {}: {}", entry.step(), entry.describe()));
        let written = self.journal.append(entry);
        self.note_write(WriteKind::Lines, written);
    }

    /// Queues a checkpoint, unless it equals the last one. It must not contain anything that metrics and journal do
    /// not have on disk yet, so it may have to wait.
    pub fn checkpoint(&mut self, mut job: Job, progress: Progress) {
        let newest = Some((job.moment, progress));
        if self.newest == newest && !self.writer.is_waiting(job.moment) {
            return;
        }
        if self.flush() {
            job.before = self.metrics.handle();
            self.newest = newest;
            self.writer.offer(job);
        }
    }

    /// The moment of the last checkpoint written or queued, with the progress of the evaluations then.
    pub fn newest(&self) -> Option<&(Moment, Progress)> {
        self.newest.as_ref()
    }

    /// The results of checkpoint writes since the last call; with `wait`, of all of them.
    pub fn written(&mut self, wait: bool) -> Vec<Event> {
        let outcomes = if wait { self.writer.wait() } else { self.writer.poll() };
        let mut events = Vec::new();
        for Outcome { moment, written, present } in outcomes {
            self.present = present;
            match written {
                Ok(written) => {
                    self.log(&format!("step {}: {} written", moment.step, written.path.display()));
                    self.note_write(WriteKind::Checkpoints, Ok(()));
                    events.push(Event::Checkpointed { step: moment.step, path: written.path, bytes: written.bytes });
                }
                Err(error) => {
                    self.newest = self.newest.take().filter(|(newest, _)| *newest != moment);
                    self.note_write(WriteKind::Checkpoints, Err(error));
                }
            }
        }
        events
    }

    /// Writes the adapter, or the model if every parameter trains; returns its folder and its size.
    pub fn export(&mut self, session: &Session) -> Result<(PathBuf, u64)> {
        let (path, bytes) = match train::exported(session) {
            None => {
                let path = self.folder.model_path();
                let bytes = train::whole_model(session, &path)?;
                (path, bytes)
            }
            Some(adapter) => {
                let path = self.folder.adapter_path();
                let names: Vec<&str> = session.model.parameters.iter().map(|one| one.name.as_str()).collect();
                let bytes = adapter.write(&path, &names, Some(&session.folder))?;
                (path, bytes)
            }
        };
        self.log(&format!("step {}: {} written", session.step, path.display()));
        Ok((path, bytes))
    }

    /// Writes the predictions for the validation rows.
    pub fn predictions(&mut self, predictions: &Predictions) -> Result<()> {
        let path = self.folder.predictions_path();
        predictions.write(&path)?;
        self.log(&format!("step {}: {} written", predictions.step, path.display()));
        Ok(())
    }

    /// Records how the run ended, which state its adapter has, and its peak memory.
    pub fn ended(&mut self, ending: Ending, holds: Option<Holds>, peak_memory: u64) {
        self.flush();
        let noted = self.folder.note_result(holds);
        self.note_write(WriteKind::Lines, noted);
        let noted = self.folder.note_peak_memory(peak_memory);
        self.note_write(WriteKind::Lines, noted);
        let said = self.folder.end(State::from(ending), self.steps, self.best, None);
        self.note_write(WriteKind::Lines, said);
    }

    /// Records that the run failed, if the disk works.
    pub fn failed(&mut self, why: &str) {
        self.log(why);
        // The failure itself is reported; a failure to record it adds nothing.
        let _ = self.metrics.flush();
        let _ = self.folder.end(State::Failed, self.steps, self.best, Some(why));
    }

    /// Writes a line of the log. A log that cannot be written does not stop training.
    pub fn log(&mut self, line: &str) {
        let _ = writeln!(self.log, "{line}");
    }
}

/// The best evaluation of the run so far.
fn best_so_far(folder: &RunFolder) -> Result<Option<Evaluation>> {
    let mut tree = Tree::default();
    Metrics::read(&folder.metrics_path())?.evaluations.into_iter().for_each(|made| tree.evaluated(made));
    Ok(tree.best())
}

pub fn default_name(session: &Session) -> String {
    let model = session.summary().name;
    let method = session.recipe.method.kind.name();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("{}-{method}", model.chars().map(plain).collect::<String>().trim_start_matches('.'))
}
