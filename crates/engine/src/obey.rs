//! Commands, and journal entries that are replayed.

use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, TryRecvError};

use super::Outbox;
use super::playground::Turn;
use super::record::now;
use super::training::{Peers, Training};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{
    ActionKind, Command, CommandId, CommandStatus, Ending, Entry, Event, Intervention, JournalAction, Level,
};
use spartui_facts::recipe::{EVEN, Value};
use spartui_run::Need;
use spartui_train::{CARRIED, Why};

/// The first identifier of settings given to a resumed run.
const FIRST_GIVEN: CommandId = 1 << 40;
/// Two ways to specify how much trains: each follows the other.
const BUDGET: [&str; 2] = ["method.sparsity", "method.trainable"];
/// Why there is no evaluation.
const NOTHING_TO_EVALUATE: &str =
    "there are no validation rows, as data.validation = 0 asks; start another run with some to have evaluations";
/// How long a paused run waits for a command before it checks for other work.
const SOON: Duration = Duration::from_millis(5);

impl Training {
    /// Handles all waiting commands; while paused, waits for more. When no sender is left, the run goes on.
    pub(super) fn serve(&mut self, outbox: &mut Outbox) -> Result<()> {
        self.catch_up(outbox)?;
        while self.ending.is_none() {
            let command = match self.commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) if self.training_paused() && self.peers == Peers::Nobody => {
                    match self.wait_for_command(outbox) {
                        Some(command) => command,
                        None => continue,
                    }
                }
                Err(_) => {
                    self.play(outbox);
                    return Ok(());
                }
            };
            self.obey(command, outbox)?;
        }
        Ok(())
    }

    /// While paused: the next command; none if other work was done meanwhile.
    fn wait_for_command(&mut self, outbox: &mut Outbox) -> Option<Command> {
        let turn = self.play(outbox);
        if turn == Turn::Done {
            return None;
        }
        self.record.flush();
        self.housekeeping(outbox);
        if turn == Turn::Waits {
            return match self.commands.recv_timeout(SOON) {
                Err(RecvTimeoutError::Timeout) => None,
                received => Some(received.unwrap_or(Command::Resume)),
            };
        }
        Some(self.commands.recv().unwrap_or(Command::Resume))
    }

    /// Replays the journal entries of this step; after the last entry, carries out what was deferred.
    fn catch_up(&mut self, outbox: &mut Outbox) -> Result<()> {
        while self.ending.is_none()
            && let Some(entry) = self.replay.entries.front()
        {
            match entry.step() {
                step if step > self.session.step => return Ok(()),
                step if step < self.session.step => return Err(contradiction(entry, "comes after a later step")),
                _ => {}
            }
            let Some(entry) = self.replay.entries.pop_front() else { return Ok(()) };
            self.replay.now = true;
            let done = self.redo(&entry, outbox);
            self.replay.now = false;
            done?;
        }
        if self.ending.is_some() {
            return Ok(());
        }
        for (id, (field, value)) in (FIRST_GIVEN..).zip(std::mem::take(&mut self.given)) {
            self.change(id, &field, value, true, outbox).map_err(Error::refused)?;
        }
        for command in std::mem::take(&mut self.deferred) {
            self.obey(command, outbox)?;
        }
        Ok(())
    }

    fn redo(&mut self, entry: &Entry, outbox: &mut Outbox) -> Result<()> {
        let JournalAction { what, id, .. } = match entry {
            Entry::Set(change) => {
                let Intervention { field, to, id, .. } = change.clone();
                return self.change(id, &field, to, true, outbox).map_err(|why| contradiction(entry, &why));
            }
            Entry::Action(action) => action.clone(),
        };
        let branch = u32::try_from(self.tree.branches().len()).unwrap_or(u32::MAX);
        let done = match what {
            ActionKind::Evaluate => {
                self.enter(self.journal_entry(ActionKind::Evaluate, id));
                self.evaluate(outbox)?;
                Ok(())
            }
            ActionKind::Rewind { branch: other, .. } | ActionKind::Undo { branch: other, .. } if other != branch => {
                Err(format!("it begins branch {other}, and the next one is {branch}"))
            }
            ActionKind::Rewind { to, .. } => self.rewind(to, id, outbox)?,
            ActionKind::Undo { changes, .. } => self.undo_changes(changes, id, outbox)?,
            ActionKind::SwitchBranch { branch } => self.switch(branch, id, outbox)?,
            ActionKind::Pin { branch, at, pinned } => {
                self.pin((branch, at), pinned, id, outbox);
                Ok(())
            }
            ActionKind::Stop => {
                self.enter(self.journal_entry(ActionKind::Stop, id));
                let goes_on =
                    |entry: &Entry| matches!(entry, Entry::Action(JournalAction { what: ActionKind::Resume, .. }));
                if !self.replay.entries.front().is_some_and(goes_on) {
                    self.ending = Some(Ending::Stopped);
                }
                Ok(())
            }
            ActionKind::Resume => {
                self.enter(self.journal_entry(ActionKind::Resume, id));
                Ok(())
            }
        };
        done.map_err(|why| contradiction(entry, &why))
    }

    /// Adds an entry to the journal, unless it is there already, and to the branches.
    pub(super) fn enter(&mut self, entry: Entry) {
        if !(self.replay.now && self.replay.journaled) {
            self.record.enter(&entry);
        }
        self.tree.add(entry);
    }

    pub(super) fn journal_entry(&self, what: ActionKind, id: CommandId) -> Entry {
        Entry::Action(JournalAction { step: self.session.step, what, id, time: now() })
    }

    pub(super) fn obey(&mut self, command: Command, outbox: &mut Outbox) -> Result<()> {
        let step = self.session.step;
        let (id, done) = match command {
            Command::Pause | Command::Resume | Command::Abort | Command::Terminate => {
                self.obey_at_once(&command, outbox);
                return Ok(());
            }
            Command::Preview { id, field, value } => {
                let outcome = self.session.preview(&field, value);
                outbox.send(Event::Previewed { id, outcome });
                return Ok(());
            }
            Command::Lane { .. } | Command::Clone { .. } => {
                let message = "this is no race, and has no lanes".into();
                outbox.send(Event::Note { level: Level::Warning, message });
                return Ok(());
            }
            Command::Predict { id, question } => {
                self.playground.ask(id, question, outbox);
                return Ok(());
            }
            Command::BreakOff { asked } => {
                self.playground.break_off(asked, outbox);
                return Ok(());
            }
            Command::Stop => return self.stop(outbox),
            // Commands that change training come after the replayed journal.
            command if !self.replay.entries.is_empty() => {
                self.deferred.push(command);
                return Ok(());
            }
            Command::Set { id, field, value } => (id, self.change(id, &field, value, false, outbox)),
            Command::Evaluate { id } if !self.session.can_evaluate() => (id, Err(NOTHING_TO_EVALUATE.into())),
            Command::Evaluate { id } => {
                outbox.send(Event::CommandStatus { id, status: CommandStatus::Queued });
                self.enter(self.journal_entry(ActionKind::Evaluate, id));
                self.evaluate(outbox)?;
                (id, Ok(()))
            }
            Command::Export { id } => {
                outbox.send(Event::CommandStatus { id, status: CommandStatus::Queued });
                (id, self.export(outbox).map(|_| ()).map_err(|error| error.message().to_owned()))
            }
            Command::Snapshot { id } => {
                let snapshot = self.keep(Why::Change);
                self.write(snapshot, Need::Yes);
                (id, Ok(()))
            }
            Command::Rewind { id, step } => (id, self.rewind(step, id, outbox)?),
            Command::Undo { id } => (id, self.undo(id, outbox)?),
            Command::SwitchBranch { id, branch } => (id, self.switch(branch, id, outbox)?),
            Command::Pin { id, branch, step, pinned } => {
                let done = self.can_pin((branch, step), pinned);
                if done.is_ok() {
                    self.pin((branch, step), pinned, id, outbox);
                }
                (id, done)
            }
        };
        let status = match done {
            Ok(()) => CommandStatus::Applied { step },
            Err(why) => CommandStatus::Rejected { why },
        };
        outbox.send(Event::CommandStatus { id, status });
        Ok(())
    }

    fn obey_at_once(&mut self, command: &Command, outbox: &mut Outbox) {
        match command {
            Command::Pause if !self.training_paused() => self.pause(outbox),
            Command::Resume if self.training_paused() => self.unpause(outbox),
            Command::Abort => self.ending = Some(Ending::Aborted),
            Command::Terminate => self.ending = Some(Ending::Terminated),
            _ => {}
        }
    }

    /// Pauses or resumes the sampling of machine and device.
    pub(super) fn watch(&self, wanted: bool) {
        if let Some(sampler) = &self.sampler {
            sampler.pause(!wanted);
        }
    }

    /// Ends the run with an evaluation, a checkpoint and an adapter. While the journal is replayed, nothing new is
    /// recorded.
    fn stop(&mut self, outbox: &mut Outbox) -> Result<()> {
        let is_new = self.replay.entries.is_empty();
        let stale = self.session.progress.last.is_none_or(|last| last.step != self.session.step);
        if stale && self.session.step > 0 && is_new && self.session.can_evaluate() {
            self.enter(self.journal_entry(ActionKind::Evaluate, 0));
            self.evaluate(outbox)?;
        }
        if is_new && self.ending.is_none() {
            // Stopping does not change what was just evaluated.
            let holds = self.predictions.as_ref().is_some_and(|(moment, _)| *moment == self.moment());
            self.enter(self.journal_entry(ActionKind::Stop, 0));
            if let Some((moment, _)) = &mut self.predictions
                && holds
            {
                moment.journal = self.tree.journal();
            }
        }
        self.ending = self.ending.or(Some(Ending::Stopped));
        Ok(())
    }

    /// Sends the run's total number of steps, after a change that may affect it.
    pub(super) fn send_total_steps(&mut self, outbox: &mut Outbox) {
        let total_steps = self.session.total_steps();
        self.record.total_steps(total_steps);
        outbox.send(Event::TotalSteps { total_steps });
    }

    /// Changes a setting; `again` for a replayed change, which may affect fields that a user cannot change.
    fn change(
        &mut self,
        id: CommandId,
        field: &str,
        value: Value,
        again: bool,
        outbox: &mut Outbox,
    ) -> std::result::Result<(), String> {
        let before = self.session.setting(field);
        let budget = BUDGET.map(|field| self.session.setting(field));
        if is_risky(field) && self.history.takes() {
            self.keep(Why::Change);
        }
        if again {
            self.session.set_again(field, value)?;
        } else {
            self.session.set(field, value)?;
        }
        let none = || Value::String(EVEN.into());
        let intervention = Intervention {
            step: self.session.step,
            field: field.to_owned(),
            from: before.unwrap_or_else(none),
            to: self.session.setting(field).unwrap_or_else(none),
            id,
            time: now(),
        };
        self.enter(Entry::Set(intervention.clone()));
        outbox.send(Event::Setting { field: field.to_owned(), value: intervention.to.clone() });
        if CARRIED.contains(&field) {
            self.send_total_steps(outbox);
        }
        // Consequences of a change are reported but not journaled.
        for (other, before) in BUDGET.into_iter().zip(budget).filter(|(other, _)| *other != field) {
            if let Some(value) = self.session.setting(other).filter(|value| Some(value) != before.as_ref()) {
                outbox.send(Event::Setting { field: other.to_owned(), value });
            }
        }
        outbox.send(Event::Intervention(intervention));
        self.report(outbox);
        Ok(())
    }
}

/// Whether changing this field can damage what was learned, so that a snapshot is taken before.
fn is_risky(field: &str) -> bool {
    ["method.", "optimizer."].iter().any(|table| field.starts_with(table))
}

fn contradiction(entry: &Entry, why: &str) -> Error {
    Error::refused(format!(
        "the journal cannot be followed at step {} ({}): {why}; restore the run's folder",
        entry.step(),
        spartui_facts::quote::one_line(&entry.describe())
    ))
}
