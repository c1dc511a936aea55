//! What a run leaves on the disk. A disk that fails is told of, and training goes on.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::protocol::{Ending, Entry, Evaluation, Event, Holds, Level, Step};
use crate::run::{
    Changed, Found, Job, Journal, Measured, Metrics, Moment, Outcome, Predictions, RunFolder, State, Writer,
};
use crate::train::{self, Progress, Session, Tree};

pub use crate::run::now;

/// The run folder with its open files.
pub struct Record {
    folder: RunFolder,
    journal: Journal,
    metrics: Metrics,
    log: File,
    writer: Writer,
    /// What the run belongs to.
    pub measured: Measured,
    /// Checkpoints on the disk, as they were when one was written last.
    pub present: Vec<Found>,
    /// The last moment that is on the disk, or that the writer has, and how the evaluations had gone by then.
    newest: Option<(Moment, Progress)>,
    notes: Vec<Event>,
    /// What the disk would not take, of lines and of checkpoints; told once.
    trouble: [bool; 2],
    /// Seconds that the run had trained before this process went on with it.
    pub seconds_before: f64,
    /// When it went on although something had changed.
    changed: Vec<Changed>,
    steps: u64,
    /// The best evaluation, on whichever branch.
    best: Option<Evaluation>,
    /// Largest resident size of the processes that trained the run before.
    pub earlier_peak: u64,
}

/// What a disk can fail to take.
#[derive(Debug, Clone, Copy)]
enum What {
    Lines,
    Checkpoints,
}

impl Record {
    /// Makes the folder of a run. Without a name it is called after model, method and data.
    ///
    /// # Errors
    /// Refuses a name that is taken and a place that cannot be written; nothing is left behind then.
    pub fn create(runs: &Path, name: Option<&str>, session: &Session) -> Result<Self> {
        Self::create_named(runs, name, &default_name(session), session)
    }

    /// As [`Record::create`], with another name for want of one.
    ///
    /// # Errors
    /// As [`Record::create`].
    pub fn create_named(runs: &Path, name: Option<&str>, default: &str, session: &Session) -> Result<Self> {
        let folder = RunFolder::create(runs, name, &session.recipe, default)?;
        let measured = Measured::start(session.recipe.clone(), session.folder.clone());
        Self::open(folder, session, measured)
    }

    /// Opens the files of a run's folder that belongs to this process.
    ///
    /// # Errors
    /// Fails where they cannot be written.
    pub fn open(folder: RunFolder, session: &Session, measured: Measured) -> Result<Self> {
        let best = best_so_far(&folder)?;
        let earlier_peak = folder.status().ok().and_then(|status| status.peak_memory).unwrap_or(0);
        folder.go_on(session.total_steps())?;
        folder.set_threads(usize::try_from(tch::get_num_threads()).unwrap_or(1))?;
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
        let present = crate::run::checkpoints(&folder.checkpoints_path())?;
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
            trouble: [false; 2],
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

    /// Something that the user should read; it goes into the log too.
    pub fn note(&mut self, level: Level, message: String) {
        self.log(&message);
        self.notes.push(Event::Note { level, message });
    }

    /// What the user should read.
    pub fn take_notes(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.notes)
    }

    /// Says once that the disk fails, and once that it no longer does.
    fn heed(&mut self, what: What, written: Result<()>) {
        let was = std::mem::replace(&mut self.trouble[what as usize], written.is_err());
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

    /// Brings what was recorded so far to the disk, for a reader of the files; whether that was possible.
    pub fn flush(&mut self) -> bool {
        let written = self.metrics.flush().and_then(|()| self.journal.sync());
        let is_written = written.is_ok();
        self.heed(What::Lines, written);
        is_written
    }

    /// The recipe that the run began with.
    pub fn recipe(&self) -> &crate::recipe::Recipe {
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

    /// Its folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Where its checkpoints are.
    pub fn checkpoints_path(&self) -> PathBuf {
        self.folder.checkpoints_path()
    }

    /// Says how many steps the run takes in all.
    pub fn total_steps(&mut self, total_steps: u64) {
        let said = self.folder.set_total_steps(total_steps);
        self.heed(What::Lines, said);
    }

    /// Refuses to take the step after this one again, where it was taken on files that are no longer there.
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

    /// A line of metrics.
    pub fn step(&mut self, step: &Step) {
        self.steps = step.step;
        if let Err(error) = self.metrics.step(step) {
            self.heed(What::Lines, Err(error));
        }
    }

    /// A line of metrics.
    pub fn evaluation(&mut self, evaluation: &Evaluation) {
        if self.best.is_none_or(|best| evaluation.is_better_than(&best)) {
            self.best = Some(*evaluation);
        }
        let written = self.metrics.evaluation(evaluation).and_then(|()| self.metrics.flush());
        self.heed(What::Lines, written);
    }

    /// An entry of the journal, on the disk before it is told to anyone, as far as the disk allows.
    pub fn enter(&mut self, entry: &Entry) {
        self.log(&format!("step {}: {}", entry.step(), entry.told()));
        let written = self.journal.append(entry);
        self.heed(What::Lines, written);
    }

    /// Has a checkpoint written, unless the last one is the same. What metrics and journal cannot tell yet must not be in one,
    /// so it may have to wait.
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

    /// The moment of the last checkpoint that is there or under way, and how the evaluations had gone by then.
    pub fn newest(&self) -> Option<&(Moment, Progress)> {
        self.newest.as_ref()
    }

    /// Says what became of checkpoints since this was asked last; `wait`: of all.
    pub fn written(&mut self, wait: bool) -> Vec<Event> {
        let outcomes = if wait { self.writer.wait() } else { self.writer.poll() };
        let mut events = Vec::new();
        for Outcome { moment, written, present } in outcomes {
            self.present = present;
            match written {
                Ok(written) => {
                    self.log(&format!("step {}: {} written", moment.step, written.path.display()));
                    self.heed(What::Checkpoints, Ok(()));
                    events.push(Event::Checkpointed { step: moment.step, path: written.path, bytes: written.bytes });
                }
                Err(error) => {
                    self.newest = self.newest.take().filter(|(newest, _)| *newest != moment);
                    self.heed(What::Checkpoints, Err(error));
                }
            }
        }
        events
    }

    /// Writes the adapter, or the model where every parameter trains; its folder and its size.
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

    /// Writes what the run says of each validation row.
    pub fn predictions(&mut self, predictions: &Predictions) -> Result<()> {
        let path = self.folder.predictions_path();
        predictions.write(&path)?;
        self.log(&format!("step {}: {} written", predictions.step, path.display()));
        Ok(())
    }

    /// Notes how the run ended, which state its adapter holds, and the memory that it took at the most.
    pub fn ended(&mut self, ending: Ending, holds: Option<Holds>, peak_memory: u64) {
        self.flush();
        let noted = self.folder.note_result(holds);
        self.heed(What::Lines, noted);
        let noted = self.folder.note_peak_memory(peak_memory);
        self.heed(What::Lines, noted);
        let said = self.folder.end(State::from(ending), self.steps, self.best, None);
        self.heed(What::Lines, said);
    }

    /// Notes that the run failed, as far as the disk allows.
    pub fn failed(&mut self, why: &str) {
        self.log(why);
        // The failure itself is reported; that its note could not be written adds nothing.
        let _ = self.metrics.flush();
        let _ = self.folder.end(State::Failed, self.steps, self.best, Some(why));
    }

    /// A line of the log. A log that cannot be written stops no training.
    pub fn log(&mut self, line: &str) {
        let _ = writeln!(self.log, "{line}");
    }
}

/// The best evaluation of what a run has done so far.
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
