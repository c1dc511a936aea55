//! The loop: serve commands, take a step, evaluate and save when it is time.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

use super::memory::Probe;
use super::record::Record;
use super::{Launch, Outbox};
use crate::error::Result;
use crate::protocol::{
    Command, CommandId, CommandStatus, Ending, Evaluation, Event, Example, Intervention, Level, Ready, Summary,
};
use crate::recipe::{EVEN, FIELDS, Kind, MethodKind, Value};
use crate::train::{Prediction, Session};

/// Time between two reports of memory and sparsity; they cost a few milliseconds each.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A run that is loaded.
pub struct Training {
    session: Session,
    record: Record,
    commands: Receiver<Command>,
    probe: Probe,
    predicted: Option<Prediction>,
    started: Instant,
    paused: bool,
    /// How the run shall end, once that was asked for.
    ending: Option<Ending>,
    reported: Option<Instant>,
    step_seconds: Vec<f64>,
    loss: Option<f64>,
    best: Option<Evaluation>,
    last: Option<Evaluation>,
    evaluations_without_gain: usize,
}

impl Training {
    /// Loads all that the launch asks for, and only then makes the run folder.
    ///
    /// # Errors
    /// Refuses input that will not do; nothing is left behind then.
    pub fn prepare(launch: Launch, commands: Receiver<Command>, outbox: &mut Outbox) -> Result<Self> {
        let mut probe = Probe::new();
        let session = Session::load(launch.recipe, &mut |what, fraction| {
            outbox.send(Event::Loading { what: what.to_owned(), fraction });
        })?;
        probe.loaded(&session);
        let record = Record::create(&launch.runs, launch.name.as_deref(), &session)?;
        let mut training = Self {
            session,
            record,
            commands,
            probe,
            predicted: None,
            started: Instant::now(),
            paused: false,
            ending: None,
            reported: None,
            step_seconds: Vec::new(),
            loss: None,
            best: None,
            last: None,
            evaluations_without_gain: 0,
        };
        training.announce(outbox);
        Ok(training)
    }

    fn announce(&mut self, outbox: &mut Outbox) {
        let session = &self.session;
        let around = self.probe.surroundings(session);
        // What cannot be predicted is trained all the same.
        let plan = session.memory_plan(around);
        self.predicted = plan.predict(&session.recipe).ok();
        if let Some(predicted) = &self.predicted {
            self.probe.expect(predicted);
        }
        let warning = self.predicted.and_then(|predicted| plan.warning(&session.recipe, &predicted));
        outbox.send(Event::Ready(Box::new(Ready {
            run: self.record.name(),
            folder: self.record.folder(),
            model: session.summary(),
            method: match session.recipe.method.kind {
                MethodKind::Sparta => "sparta".into(),
                MethodKind::Full => "full".into(),
                MethodKind::Head => "head".into(),
            },
            sparsity_bounds: session.method.sparsity_bounds(),
            total_steps: session.total_steps(),
            steps_per_epoch: session.steps_per_epoch(),
            train_examples: session.data.train.examples.len(),
            validation_examples: session.data.validation.examples.len(),
            labels: session.data.labels.clone(),
            predicted: self.predicted.map(|predicted| predicted.by_owner()),
        })));
        if let Some(preview) = &session.data.preview {
            let pieces = preview.pieces.iter().map(|piece| (piece.text.clone(), piece.trained)).collect();
            outbox.send(Event::Example(Example { pieces, label: preview.label.clone() }));
        }
        for field in FIELDS.iter().filter(|field| field.live && !matches!(field.kind, Kind::NumberByName(..))) {
            if let Some(value) = session.recipe.get(field.name) {
                outbox.send(Event::Setting { field: field.name.into(), value });
            }
        }
        for (group, density) in &session.recipe.method.density {
            outbox.send(Event::Setting { field: format!("method.density.{group}"), value: Value::Float(*density) });
        }
        for note in self.record.take_notes() {
            outbox.send(note);
        }
        if let Some(message) = warning {
            outbox.send(Event::Note { level: Level::Warning, message });
        }
        self.report(outbox);
    }

    /// Trains to the end.
    ///
    /// # Errors
    /// Where a step fails or the run folder cannot be written; the folder then says that the run failed.
    pub fn run(mut self, outbox: &mut Outbox) -> Result<Summary> {
        let ended = self.steps(outbox).and_then(|()| self.finish(outbox));
        if let Err(error) = &ended {
            self.record.failed(error.message());
        }
        ended
    }

    fn steps(&mut self, outbox: &mut Outbox) -> Result<()> {
        while self.ending.is_none() && self.session.step < self.session.total_steps() {
            self.serve(outbox)?;
            if self.ending.is_some() {
                break;
            }
            let step = self.session.train_step()?;
            self.step_seconds.push(step.seconds);
            self.loss = Some(step.loss);
            self.record.step(&step)?;
            outbox.send(Event::Step(step));
            let last = step.step == self.session.total_steps();
            if last || is_due(step.step, self.session.recipe.train.evaluate_every) {
                self.evaluate(outbox)?;
            }
            if !last && is_due(step.step, self.session.recipe.train.checkpoint_every) {
                self.checkpoint(outbox)?;
            }
            if self.reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                self.report(outbox);
            }
        }
        Ok(())
    }

    fn finish(&mut self, outbox: &mut Outbox) -> Result<Summary> {
        let ending = self.ending.unwrap_or(Ending::Completed);
        let stale = self.last.is_none_or(|last| last.step != self.session.step);
        if ending == Ending::Stopped && stale && self.session.step > 0 {
            self.evaluate(outbox)?;
        }
        let mut adapter = None;
        if ending != Ending::Aborted {
            self.checkpoint(outbox)?;
        }
        if matches!(ending, Ending::Completed | Ending::Stopped | Ending::StoppedEarly) {
            adapter = Some(self.export(outbox)?);
        }
        self.report(outbox);
        self.record.ended(ending)?;
        Ok(Summary {
            ending,
            folder: self.record.folder(),
            adapter,
            steps: self.session.step,
            seconds: self.started.elapsed().as_secs_f64(),
            loss: self.loss,
            best: self.best,
            last: self.last,
            trainable: self.session.trainable(),
            sparsity: self.session.sparsity(),
            peak_memory: self.probe.peak(),
            predicted_memory: self.predicted.map(|predicted| predicted.total()),
            median_step_seconds: median(&self.step_seconds),
        })
    }

    /// Serves every command that waits; while paused, waits for more. When nobody can ask any more, the run goes on.
    fn serve(&mut self, outbox: &mut Outbox) -> Result<()> {
        loop {
            let command = match self.commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) if self.paused => match self.commands.recv() {
                    Ok(command) => command,
                    Err(_) => Command::Resume,
                },
                Err(_) => return Ok(()),
            };
            self.obey(command, outbox)?;
            if self.ending.is_some() {
                return Ok(());
            }
        }
    }

    fn obey(&mut self, command: Command, outbox: &mut Outbox) -> Result<()> {
        let step = self.session.step;
        match command {
            Command::Pause if !self.paused => {
                self.paused = true;
                self.record.flush()?;
                outbox.send(Event::Paused { step });
            }
            Command::Resume if self.paused => {
                self.paused = false;
                outbox.send(Event::Resumed { step });
            }
            Command::Pause | Command::Resume => {}
            Command::Stop => self.ending = Some(Ending::Stopped),
            Command::Abort => self.ending = Some(Ending::Aborted),
            Command::Terminate => self.ending = Some(Ending::Terminated),
            Command::Preview { id, field, value } => {
                let outcome = self.session.preview(&field, value);
                outbox.send(Event::Previewed { id, outcome });
            }
            Command::Set { id, field, value } => self.set(id, &field, value, outbox)?,
            Command::Evaluate { id } => {
                outbox.send(Event::CommandStatus { id, status: CommandStatus::Queued });
                self.evaluate(outbox)?;
                outbox.send(Event::CommandStatus { id, status: CommandStatus::Applied { step } });
            }
            Command::Export { id } => {
                outbox.send(Event::CommandStatus { id, status: CommandStatus::Queued });
                let status = match self.export(outbox) {
                    Ok(_) => CommandStatus::Applied { step },
                    Err(error) => CommandStatus::Rejected { why: error.message().to_owned() },
                };
                outbox.send(Event::CommandStatus { id, status });
            }
        }
        Ok(())
    }

    fn set(&mut self, id: CommandId, field: &str, value: Value, outbox: &mut Outbox) -> Result<()> {
        let step = self.session.step;
        let before = self.session.setting(field);
        if let Err(why) = self.session.set(field, value) {
            outbox.send(Event::CommandStatus { id, status: CommandStatus::Rejected { why } });
            return Ok(());
        }
        let none = || Value::String(EVEN.into());
        let intervention = Intervention {
            step,
            field: field.to_owned(),
            from: before.unwrap_or_else(none),
            to: self.session.setting(field).unwrap_or_else(none),
            id,
            time: super::record::now(),
        };
        self.record.intervention(&intervention)?;
        outbox.send(Event::Setting { field: field.to_owned(), value: intervention.to.clone() });
        outbox.send(Event::Intervention(intervention));
        outbox.send(Event::CommandStatus { id, status: CommandStatus::Applied { step } });
        self.report(outbox);
        Ok(())
    }

    /// Evaluates, and meanwhile hears the commands that end the run; the others wait.
    fn evaluate(&mut self, outbox: &mut Outbox) -> Result<()> {
        let of = self.session.data.validation.examples.len();
        let mut later = Vec::new();
        let mut ending = None;
        let commands = &self.commands;
        let evaluation = self.session.evaluate(|done| {
            outbox.send(Event::Evaluating { done, of });
            for command in commands.try_iter() {
                match command {
                    Command::Abort => ending = Some(Ending::Aborted),
                    Command::Terminate => ending = Some(Ending::Terminated),
                    other => later.push(other),
                }
            }
            if ending.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.ending = ending.or(self.ending);
        if let Some(evaluation) = evaluation {
            self.record.evaluation(&evaluation)?;
            outbox.send(Event::Evaluated(evaluation));
            self.judge(evaluation);
        }
        for command in later {
            self.obey(command, outbox)?;
        }
        Ok(())
    }

    fn judge(&mut self, evaluation: Evaluation) {
        self.last = Some(evaluation);
        if self.best.is_none_or(|best| evaluation.is_better_than(&best)) {
            self.best = Some(evaluation);
            self.evaluations_without_gain = 0;
        } else {
            self.evaluations_without_gain += 1;
        }
        let patience = self.session.recipe.train.early_stopping_patience;
        if patience > 0 && self.evaluations_without_gain >= patience {
            self.ending = self.ending.or(Some(Ending::StoppedEarly));
        }
    }

    fn checkpoint(&mut self, outbox: &mut Outbox) -> Result<()> {
        let (path, bytes) = self.record.checkpoint(&self.session)?;
        outbox.send(Event::Checkpointed { step: self.session.step, path, bytes });
        Ok(())
    }

    fn export(&mut self, outbox: &mut Outbox) -> Result<std::path::PathBuf> {
        let (path, bytes) = self.record.export(&self.session)?;
        outbox.send(Event::Exported { step: self.session.step, path: path.clone(), bytes });
        Ok(path)
    }

    fn report(&mut self, outbox: &mut Outbox) {
        self.reported = Some(Instant::now());
        outbox.send(Event::Memory(self.probe.measure(&self.session)));
        outbox.send(Event::Sparsity(self.session.sparsity_report()));
    }
}

fn is_due(step: u64, every: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
