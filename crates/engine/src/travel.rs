//! Moves to another step or branch, and back.

use super::Outbox;
use super::training::Training;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{ActionKind, Command, CommandId, Ending, Entry, Event, Level};
use spartui_facts::recipe::OnNonfinite;
use spartui_run::{Found, Need, read_checkpoint};
use spartui_train::{Attempt, Point, Snapshot, Why, from_checkpoint, largest_checkpoint};

/// A rejected command, with the reason.
type Refusal = std::result::Result<(), String>;

impl Training {
    /// Rewinds to an earlier step of this branch or its ancestors; the following steps are a new branch.
    pub(super) fn rewind(&mut self, to: u64, id: CommandId, outbox: &mut Outbox) -> Result<Refusal> {
        if to > self.session.step {
            return Ok(Err(format!(
                "step {to} was not taken yet on this branch; the last one is {}",
                self.session.step
            )));
        }
        let point = self.tree.just_after(to);
        self.begin_branch(point, |branch| ActionKind::Rewind { to, branch }, id, outbox)
    }

    /// Rewinds to before the last change by hand that is in force: changes that were undone do not count, and neither
    /// do those that undid them.
    pub(super) fn undo(&mut self, id: CommandId, outbox: &mut Outbox) -> Result<Refusal> {
        match self.tree.changes_to_undo() {
            Some(changes) => self.undo_changes(changes, id, outbox),
            None => Ok(Err("no setting was changed by hand on the way to here, or each change was taken back".into())),
        }
    }

    /// Rewinds to before the last so many of these changes.
    pub(super) fn undo_changes(&mut self, changes: u32, id: CommandId, outbox: &mut Outbox) -> Result<Refusal> {
        let Some(point) = self.tree.before_change(changes) else {
            return Ok(Err("fewer settings were changed by hand on the way to here".into()));
        };
        self.begin_branch(point, |branch| ActionKind::Undo { to: point.step, branch, changes }, id, outbox)
    }

    fn begin_branch(
        &mut self,
        point: Point,
        what: impl FnOnce(u32) -> ActionKind,
        id: CommandId,
        outbox: &mut Outbox,
    ) -> Result<Refusal> {
        let left = (self.session.branch, self.session.step);
        if let Err(why) = self.travel(point, outbox)? {
            return Ok(Err(why));
        }
        let branch = u32::try_from(self.tree.branches().len()).unwrap_or(u32::MAX);
        self.leave_with(what(branch), left, id);
        self.tree.fork(point);
        self.arrive(branch, left, outbox);
        Ok(Ok(()))
    }

    /// Switches to the tip of another branch.
    pub(super) fn switch(&mut self, branch: u32, id: CommandId, outbox: &mut Outbox) -> Result<Refusal> {
        if self.tree.get(branch).is_none() || branch == self.session.branch {
            let why = if branch == self.session.branch { "is the one that trains" } else { "does not exist" };
            return Ok(Err(format!("branch {branch} {why}; choose one of those that are listed")));
        }
        let left = (self.session.branch, self.session.step);
        if let Err(why) = self.travel(self.tree.tip(branch), outbox)? {
            return Ok(Err(why));
        }
        self.leave_with(ActionKind::SwitchBranch { branch }, left, id);
        self.tree.go_to(branch);
        self.arrive(branch, left, outbox);
        Ok(Ok(()))
    }

    /// The entry contains the step at which the other branch was left.
    fn leave_with(&mut self, what: ActionKind, (_, step): (u32, u64), id: CommandId) {
        let mut entry = self.journal_entry(what, id);
        if let Entry::Action(action) = &mut entry {
            action.step = step;
        }
        self.enter(entry);
    }

    fn arrive(&mut self, branch: u32, left: (u32, u64), outbox: &mut Outbox) {
        self.session.branch = branch;
        let step = self.session.step;
        self.tree.reached(step, self.session.progress.best);
        outbox.send(Event::Rewound { step, branch, left });
        outbox.send(Event::Branches { branches: self.tree.report() });
        self.announce_settings(outbox);
        self.send_total_steps(outbox);
        // If the process ends now, it resumes from here.
        self.checkpoint(Need::Yes);
        self.report(outbox);
    }

    /// Moves to a point. If that fails, or the run is to end meanwhile, nothing is changed.
    fn travel(&mut self, to: Point, outbox: &mut Outbox) -> Result<Refusal> {
        let tip = self.keep(Why::Tip);
        self.write(tip.clone(), Need::Yes);
        let reached = self.reach(to, outbox);
        let why = match reached {
            Ok(()) if self.ending.is_none() => return Ok(Ok(())),
            Ok(()) => "the run ends".into(),
            Err(error) => error.message().to_owned(),
        };
        self.session.restore(&tip)?;
        Ok(Err(why))
    }

    /// Restores the nearest kept state, and takes the steps from there again.
    fn reach(&mut self, to: Point, outbox: &mut Outbox) -> Result<()> {
        let lineage = self.tree.lineage(to);
        let start = self.nearest(&lineage, outbox)?;
        let mut changes = self.tree.changes_after(&lineage, start).into_iter().peekable();
        let (from, of) = (self.session.step, to.step - self.session.step.min(to.step));
        while self.ending.is_none() {
            if self.session.progress.evaluation_due {
                self.restore_evaluation();
            }
            while let Some(change) = changes.next_if(|change| change.step() == self.session.step) {
                match change {
                    Entry::Set(change) => {
                        self.session.set_again(&change.field, change.to).map_err(Error::failed)?;
                    }
                    Entry::Action(_) => self.restore_evaluation(),
                }
            }
            if self.session.step >= to.step {
                return Ok(());
            }
            let owner = lineage.iter().find(|part| self.session.step < part.step);
            self.session.branch = owner.map_or(to.branch, |part| part.branch);
            self.record.check_unchanged(self.session.branch, self.session.step)?;
            self.step_again()?;
            outbox.send(Event::Recomputing { done: self.session.step - from, of });
            self.check_for_end();
        }
        Ok(())
    }

    fn step_again(&mut self) -> Result<()> {
        match self.session.attempt_step()? {
            Attempt::Taken(_) => Ok(()),
            Attempt::NotFinite(fault) if self.session.recipe.train.on_nonfinite == OnNonfinite::Skip => {
                self.session.skip_step(&fault);
                Ok(())
            }
            Attempt::NotFinite(fault) => Err(Error::failed(fault.to_string())),
            Attempt::OutOfMemory(why) => Err(Error::failed(why)),
        }
    }

    /// Restores an evaluation that was made when this step was first taken: it was reported then, and is not again.
    fn restore_evaluation(&mut self) {
        if let Some(evaluation) = self.session.evaluate(|_| std::ops::ControlFlow::Continue(())) {
            self.session.progress.judge(evaluation);
        }
    }

    fn check_for_end(&mut self) {
        for command in self.commands.try_iter() {
            match command {
                Command::Abort => self.ending = Some(Ending::Aborted),
                Command::Terminate => self.ending = Some(Ending::Terminated),
                other => self.deferred.push(other),
            }
        }
    }

    /// Restores the kept state nearest to the end of a path; returns its point.
    fn nearest(&mut self, lineage: &[Point], outbox: &mut Outbox) -> Result<Point> {
        let mut candidates = Vec::new();
        for (at, ..) in self.history.iter() {
            candidates.extend(self.tree.place_of(lineage, at).map(|place| (place, true, at, None)));
        }
        for found in spartui_run::checkpoints(&self.record.checkpoints_path()).unwrap_or_default() {
            let at = Point { branch: found.moment.branch, step: found.moment.step, until: found.moment.journal };
            candidates.extend(self.tree.place_of(lineage, at).map(|place| (place, false, at, Some(found))));
        }
        candidates.sort_by_key(|(place, in_memory, ..)| (*place, *in_memory));
        while let Some((_, _, at, found)) = candidates.pop() {
            let restored = match found {
                None => {
                    self.history.at(at.branch, at.step, at.until, Why::Regular).map(|kept| self.session.restore(&kept))
                }
                Some(found) => Some(self.read_checkpoint(&found).and_then(|snapshot| self.session.restore(&snapshot))),
            };
            match restored {
                Some(Ok(())) => return Ok(at),
                Some(Err(error)) => self.record.note(Level::Warning, error.message().to_owned()),
                None => {}
            }
        }
        self.housekeeping(outbox);
        Err(Error::failed("no state is kept from which that step can be reached; keep more with history.budget_mb"))
    }

    pub(super) fn read_checkpoint(&self, found: &Found) -> Result<Snapshot> {
        let checkpoint = read_checkpoint(found, largest_checkpoint(&self.session))?;
        Ok(from_checkpoint(&checkpoint, &self.session)?.snapshot)
    }

    /// Whether a state can be pinned.
    pub(super) fn can_pin(&self, (branch, step): (u32, u64), pinned: bool) -> Refusal {
        let here = (self.session.branch, self.session.step) == (branch, step);
        let on_disk =
            self.record.present.iter().any(|found| (found.moment.branch, found.moment.step) == (branch, step));
        if !pinned || here || on_disk || self.history.of_step(branch, step).is_some() {
            return Ok(());
        }
        Err(format!("no state of step {step} of branch {branch} is kept; choose one of those that are listed"))
    }

    /// Pins a state, on disk too, or unpins it.
    pub(super) fn pin(&mut self, (branch, step): (u32, u64), pinned: bool, id: CommandId, outbox: &mut Outbox) {
        self.tree.pin(branch, step, pinned);
        self.history.pin(branch, step, pinned);
        if pinned {
            let kept = if (self.session.branch, self.session.step) == (branch, step) {
                Some(self.keep(Why::Pinned))
            } else {
                self.history.of_step(branch, step)
            };
            if let Some(snapshot) = kept {
                self.write(snapshot, Need::Yes);
            }
        }
        self.enter(self.journal_entry(ActionKind::Pin { branch, at: step, pinned }, id));
        outbox.send(Event::Branches { branches: self.tree.report() });
        self.report(outbox);
    }
}
