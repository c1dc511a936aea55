//! What a run leaves on the disk.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::protocol::{Ending, Evaluation, Event, Intervention, Level, Step};
use crate::run::{Journal, Metrics, RunFolder, State, write_checkpoint};
use crate::train::{self, Session};

pub use crate::run::now;

/// The run folder with its open files.
pub struct Record {
    folder: RunFolder,
    journal: Journal,
    metrics: Metrics,
    log: File,
    notes: Vec<Event>,
    steps: u64,
    best_accuracy: Option<f64>,
}

impl Record {
    /// Makes the folder of a run. Without a name it is called after model, method and data.
    ///
    /// # Errors
    /// Refuses a name that is taken and a place that cannot be written; nothing is left behind then.
    pub fn create(runs: &Path, name: Option<&str>, session: &Session) -> Result<Self> {
        let folder = RunFolder::create(runs, name, &session.recipe, &default_name(session))?;
        folder.set_total_steps(session.total_steps())?;
        let journal = Journal::open(&folder.journal_path())?;
        let metrics = Metrics::open(&folder.metrics_path())?;
        let log = File::options().create(true).append(true).open(folder.log_path()).map_err(|error| {
            crate::error::Error::failed(format!("{}: {error}; check the disk", folder.log_path().display()))
        })?;
        let mut record = Self { folder, journal, metrics, log, notes: Vec::new(), steps: 0, best_accuracy: None };
        for message in
            [&session.data.train, &session.data.validation].into_iter().filter_map(|data| data.left_out.sentence())
        {
            record.log(&message);
            record.notes.push(Event::Note { level: Level::Warning, message });
        }
        Ok(record)
    }

    /// What the user should read about the data.
    pub fn take_notes(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.notes)
    }

    /// Brings what was recorded so far to the disk, for a reader of the files.
    pub fn flush(&mut self) -> Result<()> {
        self.metrics.flush()
    }

    /// Name of the run.
    pub fn name(&self) -> String {
        self.folder.name()
    }

    /// Its folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A line of metrics.
    pub fn step(&mut self, step: &Step) -> Result<()> {
        self.steps = step.step;
        self.metrics.step(step)
    }

    /// A line of metrics.
    pub fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.best_accuracy = Some(self.best_accuracy.map_or(evaluation.accuracy, |best| best.max(evaluation.accuracy)));
        self.metrics.evaluation(evaluation)?;
        self.metrics.flush()
    }

    /// A line of the journal.
    pub fn intervention(&mut self, intervention: &Intervention) -> Result<()> {
        self.log(&format!(
            "step {}: {} from {} to {}",
            intervention.step, intervention.field, intervention.from, intervention.to
        ));
        self.journal.append(intervention)
    }

    /// Writes a checkpoint; its folder and its size.
    pub fn checkpoint(&mut self, session: &Session) -> Result<(PathBuf, u64)> {
        self.metrics.flush()?;
        let keep = session.recipe.train.keep_checkpoints;
        let written =
            write_checkpoint(&self.folder.checkpoints_path(), session.step, &train::checkpoint(session), keep)?;
        Ok((written.path, written.bytes))
    }

    /// Writes the adapter, or the model where every parameter trains; its folder and its size.
    pub fn export(&mut self, session: &Session) -> Result<(PathBuf, u64)> {
        let (path, bytes) = if session.method.trains_everything() {
            let path = self.folder.model_path();
            let bytes = train::whole_model(session, &path)?;
            (path, bytes)
        } else {
            let path = self.folder.adapter_path();
            let bytes = train::adapter(session).write(&path, Some(&session.folder))?;
            (path, bytes)
        };
        self.log(&format!("step {}: {} written", session.step, path.display()));
        Ok((path, bytes))
    }

    /// Notes how the run ended.
    pub fn ended(&mut self, ending: Ending) -> Result<()> {
        self.metrics.flush()?;
        self.folder.end(State::from(ending), self.steps, self.best_accuracy, None)
    }

    /// Notes that the run failed, as far as the disk allows.
    pub fn failed(&mut self, why: &str) {
        self.log(why);
        // The failure itself is reported; that its note could not be written adds nothing.
        let _ = self.metrics.flush();
        let _ = self.folder.end(State::Failed, self.steps, self.best_accuracy, Some(why));
    }

    /// A line of the log. A log that cannot be written stops no training.
    fn log(&mut self, line: &str) {
        let _ = writeln!(self.log, "{line}");
    }
}

fn default_name(session: &Session) -> String {
    let model = session.summary().name;
    let method = toml::Value::try_from(session.recipe.method.kind).ok();
    let method = method.as_ref().and_then(toml::Value::as_str).unwrap_or("run").to_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("{}-{method}", model.chars().map(plain).collect::<String>().trim_start_matches('.'))
}
