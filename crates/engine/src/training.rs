//! The training loop: handle commands, take a step, evaluate and save when due.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Weak;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::Outbox;
use super::memory::Probe;
use super::playground::Playground;
use super::record::Record;
use super::vitals::Sampler;
use spartui_data::ChatTemplate;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{
    Command, Ending, Entry, Evaluation, Event, Example, KeptState, Level, Memory, Place, Ready, Step, Summary,
};
use spartui_facts::recipe::{FIELDS, Kind, TaskKind, Value};
use spartui_run::{Found, Metrics, Moment, Need, Predictions};
use spartui_train::{Attempt, History, Point, Prediction, Session, Snapshot, Tree, Why, out_of_memory};

/// Time between two reports of memory, sparsity and snapshots; each costs a few milliseconds.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A loaded run in training.
pub struct Training {
    pub(super) session: Session,
    pub(super) record: Record,
    pub(super) commands: Receiver<Command>,
    pub(super) probe: Probe,
    pub(super) predicted: Option<Prediction>,
    pub(super) started: Instant,
    /// Whether there is a user to wait for.
    pub(super) attended: bool,
    /// When the present pause began.
    pub(super) paused_at: Option<Instant>,
    /// Total duration of the earlier pauses.
    pub(super) paused_for: Duration,
    /// How the run is to end, if that was requested.
    pub(super) ending: Option<Ending>,
    pub(super) reported: Option<Instant>,
    /// Time of the last step in seconds.
    pub(super) step_seconds: Option<f64>,
    pub(super) loss: Option<f64>,
    pub(super) tree: Tree,
    pub(super) history: History,
    /// The snapshot written last: in memory until it is on disk.
    pub(super) writing: Weak<Snapshot>,
    pub(super) replay: JournalReplay,
    /// Settings given on resuming.
    pub(super) given: Vec<(String, Value)>,
    /// Commands deferred until the replay is over.
    pub(super) deferred: Vec<Command>,
    /// Number of automatic reductions of the rate.
    pub(super) lowered: u32,
    /// The step by which the last regular checkpoint has to be on disk.
    pub(super) written_by: u64,
    /// Questions to the models.
    pub(super) playground: Playground,
    /// Samples machine and device.
    pub(super) sampler: Option<Sampler>,
    /// The predictions for the validation rows at the last evaluation, and its moment.
    pub(super) predictions: Option<(Moment, Predictions)>,
    /// Whether the state after the last step still has to be kept, if due.
    pub(super) step_unsaved: bool,
    /// The other lanes on the same model.
    pub(super) peers: Peers,
}

/// The other lanes on the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// There are none.
    Nobody,
    /// The run alternates with other lanes, and never waits itself.
    Others {
        /// Bytes that they hold.
        bytes: u64,
        /// Number of those that have not ended.
        lanes: u32,
    },
}

impl Peers {
    fn bytes(self) -> u64 {
        if let Self::Others { bytes, .. } = self { bytes } else { 0 }
    }

    /// Time between two reports: lanes report in turn, so that together they report as often as one run.
    fn report_every(self) -> Duration {
        if let Self::Others { lanes, .. } = self { REPORT_EVERY * (1 + lanes) } else { REPORT_EVERY }
    }
}

/// The replay of a journal.
#[derive(Debug, Default)]
pub struct JournalReplay {
    /// Entries of a journal, in the order of their steps.
    pub entries: VecDeque<Entry>,
    /// Whether these are in the run's own journal already.
    pub journaled: bool,
    /// Whether one of them is being replayed.
    pub now: bool,
}

impl Training {
    pub(super) fn announce(&mut self, outbox: &mut Outbox) {
        let session = &self.session;
        let around = self.probe.surroundings(session);
        // A failed prediction does not prevent training.
        let plan = session.memory_plan(around);
        self.predicted = plan.predict(&session.recipe).ok();
        if let Some(predicted) = &self.predicted {
            self.probe.expect(predicted);
        }
        let mut warnings = if session.step == 0 { session.remarks() } else { Vec::new() };
        warnings.extend(self.predicted.and_then(|predicted| plan.warning(&session.recipe, &predicted)));
        // Before `Ready`: from then on a key may step the current values.
        self.announce_settings(outbox);
        outbox.send(Event::Ready(Box::new(Ready {
            run: self.record.name(),
            folder: self.record.folder(),
            model: session.summary(),
            method: session.recipe.method.kind.name().into(),
            sparsity_bounds: session.method.sparsity_bounds(),
            total_steps: session.total_steps(),
            steps_per_epoch: session.steps_per_epoch(),
            train_examples: session.data.train.examples.len(),
            validation_examples: session.data.validation.examples.len(),
            labels: session.data.labels.clone(),
            step: session.step,
            seconds: self.record.seconds_before,
            branch: session.branch,
            predicted: self.predicted.map(|predicted| predicted.by_owner()),
            chat: matches!(session.recipe.task.kind, TaskKind::CausalLm) && has_chat_template(&session.folder),
        })));
        if let Some(preview) = &session.data.preview {
            let pieces = preview.pieces.iter().map(|piece| (piece.text.clone(), piece.trained)).collect();
            outbox.send(Event::Example(Example { pieces, label: preview.label.clone() }));
        }
        for message in session.method.remark().into_iter().chain(session.chosen_rate().map(|chosen| chosen.remark())) {
            self.record.log(&message);
            outbox.send(Event::Note { level: Level::Info, message });
        }
        for message in warnings {
            self.record.log(&message);
            outbox.send(Event::Note { level: Level::Warning, message });
        }
        if self.tree.branches().len() > 1 {
            outbox.send(Event::Branches { branches: self.tree.report() });
        }
        self.report(outbox);
        let device = if let tch::Device::Cuda(device) = self.session.model.device { Some(device) } else { None };
        if self.peers == Peers::Nobody {
            self.sampler = Some(Sampler::start(outbox.channel(), self.record.folder(), device));
        }
    }

    /// Sends every live setting that is in force; settings that the method does not use are left out.
    pub(super) fn announce_settings(&self, outbox: &mut Outbox) {
        let recipe = &self.session.recipe;
        let is_used =
            |name: &str| name.strip_prefix("method.").is_none_or(|of_method| recipe.method.uses_field(of_method));
        for field in FIELDS.iter().filter(|field| field.live && !matches!(field.kind, Kind::NumberByName(..))) {
            if let Some(value) = recipe.get(field.name).filter(|_| is_used(field.name)) {
                outbox.send(Event::Setting { field: field.name.into(), value });
            }
        }
        for (group, density) in recipe.method.density.iter().filter(|_| is_used("method.density")) {
            outbox.send(Event::Setting { field: format!("method.density.{group}"), value: Value::Float(*density) });
        }
    }

    /// Trains to the end.
    ///
    /// # Errors
    /// If a step fails or the result cannot be written; the folder then records the failure.
    pub fn run(mut self, outbox: &mut Outbox) -> Result<Summary> {
        let mut ended = self.between_steps(outbox);
        while let Ok(false) = ended {
            ended = self.advance(outbox).and_then(|()| self.between_steps(outbox));
        }
        self.conclude(ended.map(drop), outbox)
    }

    /// Finishes after the last step, or after a failed one.
    ///
    /// # Errors
    /// As [`Training::run`].
    pub(super) fn conclude(&mut self, ended: Result<()>, outbox: &mut Outbox) -> Result<Summary> {
        let ended = ended.and_then(|()| self.finish(outbox));
        if let Err(error) = &ended {
            for event in self.record.written(true) {
                outbox.send(event);
            }
            self.record.failed(error.message());
            self.send_notes(outbox);
        }
        ended
    }

    /// Everything between two steps: evaluates and keeps the state if due, and handles commands. Returns whether the
    /// run has ended.
    pub(super) fn between_steps(&mut self, outbox: &mut Outbox) -> Result<bool> {
        if self.session.progress.evaluation_due {
            self.evaluate(outbox)?;
        }
        if std::mem::take(&mut self.step_unsaved) && self.ending.is_none() {
            self.keep_step(outbox);
        }
        self.serve(outbox)?;
        if self.ending.is_none() && self.has_stopped_improving() {
            self.ending = Some(Ending::StoppedEarly);
        }
        Ok(self.ending.is_some() || self.session.step >= self.session.total_steps())
    }

    /// Pauses training.
    pub(super) fn pause(&mut self, outbox: &mut Outbox) {
        self.paused_at = Some(Instant::now());
        self.watch(false);
        outbox.send(Event::Paused { step: self.session.step });
    }

    /// Resumes training.
    pub(super) fn unpause(&mut self, outbox: &mut Outbox) {
        self.paused_for += self.paused_at.take().map_or(Duration::ZERO, |since| since.elapsed());
        self.watch(true);
        outbox.send(Event::Resumed { step: self.session.step, stood: self.paused_for.as_secs_f64() });
    }

    /// Whether training is paused.
    pub(super) fn training_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// Seconds of training, including earlier processes and without pauses: the elapsed time that the interface shows.
    fn seconds(&self) -> f64 {
        let standing = self.paused_at.map_or(Duration::ZERO, |since| since.elapsed());
        let here = self.started.elapsed().saturating_sub(self.paused_for + standing);
        self.record.seconds_before + here.as_secs_f64()
    }

    /// Whether it waits for a command.
    pub(super) fn is_paused(&self) -> bool {
        self.training_paused() && self.ending.is_none()
    }

    /// Whether a turn would do something: take a step, or answer a question.
    pub(super) fn has_something_to_do(&self) -> bool {
        !self.is_paused() || !self.commands.is_empty() || self.playground.is_busy()
    }

    /// Bytes that it holds besides model and data.
    pub(super) fn bytes(&self) -> u64 {
        let [deltas, moments, _] = self.session.accounted();
        deltas + moments + self.history.bytes()
    }

    /// The largest resident size of this process and of the run's earlier ones.
    pub(super) fn peak(&self) -> u64 {
        self.probe.peak().max(self.record.earlier_peak)
    }

    /// Attempts a step.
    pub(super) fn advance(&mut self, outbox: &mut Outbox) -> Result<()> {
        self.step_unsaved = self.attempt(outbox)?;
        self.housekeeping(outbox);
        Ok(())
    }

    /// Attempts a step; returns whether it was taken.
    fn attempt(&mut self, outbox: &mut Outbox) -> Result<bool> {
        #[cfg(test)]
        super::tests::hooks::before_step(&self.record.folder(), &mut self.session);
        match self.session.attempt_step()? {
            Attempt::Taken(step) => self.step_taken(step, outbox),
            Attempt::NotFinite(fault) => return self.not_finite(&fault, outbox),
            Attempt::OutOfMemory(why) => {
                self.halve_micro_batch(&why)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn step_taken(&mut self, step: Step, outbox: &mut Outbox) {
        self.step_seconds = Some(step.seconds);
        self.loss = Some(step.loss);
        self.tree.reached(step.step, self.session.progress.best);
        self.record.step(&step);
        outbox.send(Event::Step(step));
    }

    /// Keeps the state after the last step, if due. Training goes on while a checkpoint is written, but for no longer
    /// than a tenth of the steps between two checkpoints, so no more than that is lost in addition.
    fn keep_step(&mut self, outbox: &mut Outbox) {
        let (step, total) = (self.session.step, self.session.total_steps());
        let every = self.session.recipe.train.checkpoint_every.of(total);
        let is_due = step < total && is_due(step, every);
        if is_due || step == self.written_by {
            self.record.written(true).into_iter().for_each(|event| outbox.send(event));
        }
        if is_due {
            // Changes made since, at this very step, are in the journal.
            if !self.has_checkpoint() {
                self.checkpoint(Need::No);
            }
            self.written_by = step + every.div_ceil(10);
        } else if self.history.is_due(step) {
            self.keep(Why::Regular);
        }
        self.housekeeping(outbox);
    }

    /// Work that does not change training: results of writes, and notes.
    pub(super) fn housekeeping(&mut self, outbox: &mut Outbox) {
        for event in self.record.written(false) {
            outbox.send(event);
            self.history.set_changed();
        }
        self.send_notes(outbox);
        if self.reported.is_none_or(|at| at.elapsed() >= self.peers.report_every()) {
            self.report(outbox);
        }
    }

    fn send_notes(&mut self, outbox: &mut Outbox) {
        for note in self.record.take_notes() {
            outbox.send(note);
        }
    }

    fn has_stopped_improving(&self) -> bool {
        let (progress, patience) = (&self.session.progress, self.session.recipe.train.early_stopping_patience);
        let is_fresh = progress.last.is_some_and(|last| last.step == self.session.step);
        patience > 0 && is_fresh && progress.without_gain >= patience
    }

    fn finish(&mut self, outbox: &mut Outbox) -> Result<Summary> {
        self.playground.dismiss("the run has ended", outbox);
        let ending = self.ending.unwrap_or(Ending::Completed);
        let mut result = None;
        let mut events = self.record.written(true);
        if ending != Ending::Aborted {
            self.final_checkpoint();
            events.extend(self.record.written(true));
        }
        for event in events {
            outbox.send(event);
        }
        self.send_notes(outbox);
        if matches!(ending, Ending::Completed | Ending::Stopped | Ending::StoppedEarly) {
            let name = self.record.name();
            let how =
                |error: Error| Error::failed(format!("{}; then `spartui resume {name}` writes it", error.message()));
            result = Some(self.leave_result(outbox).map_err(how)?);
        }
        self.report(outbox);
        let (adapter, holds) = result.unzip();
        self.record.ended(ending, holds, self.peak());
        self.send_notes(outbox);
        let progress = &self.session.progress;
        Ok(Summary {
            ending,
            folder: self.record.folder(),
            adapter,
            holds,
            steps: self.session.step,
            seconds: self.seconds(),
            loss: self.loss,
            best: self.tree.best(),
            last: progress.last,
            trainable: self.session.trainable(),
            sparsity: self.session.sparsity(),
            peak_memory: self.peak(),
            predicted_memory: self.predicted.map(|predicted| predicted.total()),
            median_step_seconds: self.median_step(),
        })
    }

    /// Median time of the steps on the current path, including those of earlier processes: the same number as in a
    /// comparison.
    fn median_step(&self) -> Option<f64> {
        let lineage = self.tree.lineage(self.tree.here());
        let readings = Metrics::read(&self.record.run_folder().metrics_path()).ok()?;
        readings
            .median_step_seconds(|branch, step| lineage.iter().any(|part| part.branch == branch && step <= part.step))
    }

    /// Evaluates, while checking for commands that end the run; others wait.
    pub(super) fn evaluate(&mut self, outbox: &mut Outbox) -> Result<()> {
        let (evaluation, ending, later) = self.run_validation(outbox)?;
        self.ending = ending.or(self.ending);
        if let Some(evaluation) = evaluation {
            self.record.evaluation(&evaluation);
            outbox.send(Event::Evaluated(evaluation));
            if let Some(confusion) = self.predictions.as_ref().and_then(|(_, predictions)| predictions.confusion()) {
                outbox.send(Event::Confused(Box::new(confusion)));
            }
            let is_best = self.session.progress.judge(evaluation);
            self.tree.evaluated(evaluation);
            self.tree.reached(self.session.step, self.session.progress.best);
            self.history.set_changed();
            if is_best && self.keeps_best() {
                self.checkpoint(Need::Best);
            }
        }
        for command in later {
            self.obey(command, outbox)?;
        }
        Ok(())
    }

    /// Evaluates on the validation rows; none if a command cancelled it. Also returns how that command ends the run,
    /// and the commands that wait.
    fn run_validation(&mut self, outbox: &mut Outbox) -> Result<(Option<Evaluation>, Option<Ending>, Vec<Command>)> {
        let of = self.session.data.validation.examples.len();
        let (mut later, mut ending) = (Vec::new(), None);
        let commands = &self.commands;
        let mut heard = |done| {
            outbox.send(Event::Evaluating { done, of });
            for command in commands.try_iter() {
                match command {
                    Command::Abort => ending = Some(Ending::Aborted),
                    Command::Terminate => ending = Some(Ending::Terminated),
                    other => later.push(other),
                }
            }
            if ending.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut rows = self.session.recipe.train.batch_size.max(32);
        let found = loop {
            match out_of_memory(|| self.session.evaluate_each(rows, &mut heard)) {
                Ok(found) => break found,
                Err(Ok(_)) if rows > 1 => rows = rows.div_ceil(2),
                Err(fault) => return Err(fault.map_or_else(|error| error, Error::failed)),
            }
        };
        let (evaluation, predictions) = found.unzip();
        self.predictions = predictions.map(|predictions| (self.moment(), predictions));
        Ok((evaluation, ending, later))
    }

    /// The current branch and step, and the number of journal entries that led there.
    pub(super) fn moment(&self) -> Moment {
        Moment { branch: self.session.branch, step: self.session.step, journal: self.tree.journal() }
    }

    /// Writes the predictions for the validation rows in the exported state. They are known if nothing has happened
    /// since the last evaluation; else the rows are evaluated once more, which has no other effect. A command that
    /// ends the run cancels it, and then there is no such file.
    pub(super) fn write_predictions(&mut self, outbox: &mut Outbox) -> Result<()> {
        if self.session.can_evaluate() && self.predictions.as_ref().is_none_or(|(moment, _)| *moment != self.moment()) {
            self.run_validation(outbox)?;
        }
        match self.predictions.take() {
            Some((_, predictions)) => self.record.predictions(&predictions),
            None => Ok(()),
        }
    }

    pub(super) fn export(&mut self, outbox: &mut Outbox) -> Result<std::path::PathBuf> {
        let (path, bytes) = self.record.export(&self.session)?;
        outbox.send(Event::Exported { step: self.session.step, path: path.clone(), bytes });
        Ok(path)
    }

    pub(super) fn report(&mut self, outbox: &mut Outbox) {
        self.reported = Some(Instant::now());
        let snapshots = self.history.bytes() + self.writing_bytes() + self.peers.bytes();
        let memory = self.probe.measure(&self.session, snapshots);
        outbox.send(Event::Memory(Memory { peak: self.peak(), ..memory }));
        outbox.send(Event::Sparsity(self.session.sparsity_report()));
        if self.history.take_changed() {
            outbox.send(Event::Snapshots { snapshots: self.kept_states() });
        }
    }

    /// Every kept state, in memory or on disk, by branch and step.
    fn kept_states(&self) -> Vec<KeptState> {
        let mut states = std::collections::BTreeMap::new();
        for (at, bytes, _) in self.history.iter() {
            states.insert((at.branch, at.step), (bytes, Place::Memory, self.tree.is_as_evaluated(at)));
        }
        for Found { moment, bytes, .. } in &self.record.present {
            let at = Point { branch: moment.branch, step: moment.step, until: moment.journal };
            let known = states.get(&(at.branch, at.step));
            let place = if known.is_some() { Place::Both } else { Place::Disk };
            let as_evaluated = known.is_some_and(|known| known.2) || self.tree.is_as_evaluated(at);
            states.insert((at.branch, at.step), (*bytes, place, as_evaluated));
        }
        let best = self.tree.best().map(|best| (best.branch, best.step));
        let shown = states.into_iter().map(|((branch, step), (bytes, place, as_evaluated))| {
            let pinned = self.tree.pins().contains(&(branch, step));
            let evaluation = self.tree.evaluation(branch, step).filter(|_| as_evaluated);
            let best = evaluation.is_some() && best == Some((branch, step));
            KeptState { branch, step, bytes, pinned, place, evaluation, best }
        });
        shown.collect()
    }
}

/// A template that cannot be read counts as missing; a question that needs it reports why.
fn has_chat_template(folder: &std::path::Path) -> bool {
    matches!(ChatTemplate::load(folder), Ok(Some(_)))
}

fn is_due(step: u64, every: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}
