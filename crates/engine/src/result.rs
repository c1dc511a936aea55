//! The result of a run: the adapter or the model, of its last or of its best state.

use std::path::PathBuf;

use super::Outbox;
use super::training::Training;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Evaluation, Holds, Level};
use spartui_facts::recipe::KeepState;
use spartui_run::Moment;
use spartui_train::{Point, Why};

impl Training {
    /// Writes the adapter or the model, and the predictions for the validation rows in that state; returns its path,
    /// and which state it is. The run's own state is unchanged.
    pub(super) fn leave_result(&mut self, outbox: &mut Outbox) -> Result<(PathBuf, Holds)> {
        let Some(best) = self.best_elsewhere() else { return self.leave_last(outbox) };
        let here = self.session.snapshot(self.tree.journal());
        if let Err(error) = self.go_to_evaluated(best) {
            let why = format!(
                "the state of the best evaluation, of step {} of branch {}, cannot be had: {}; the last one is exported",
                best.step,
                best.branch,
                error.message()
            );
            self.record.note(Level::Warning, why);
            return self.leave_last(outbox);
        }
        let left = self.leave(Some(best), outbox);
        self.session.restore(&here)?;
        left
    }

    fn leave_last(&mut self, outbox: &mut Outbox) -> Result<(PathBuf, Holds)> {
        let Moment { branch, step, journal } = self.moment();
        // An evaluation from before a change does not describe the state after it.
        let as_evaluated = self.tree.is_as_evaluated(Point { branch, step, until: journal });
        let evaluation = self.tree.evaluation(branch, step).filter(|_| as_evaluated);
        self.leave(evaluation, outbox)
    }

    fn leave(&mut self, evaluation: Option<Evaluation>, outbox: &mut Outbox) -> Result<(PathBuf, Holds)> {
        let path = self.export(outbox)?;
        let (branch, step) = (self.session.branch, self.session.step);
        self.write_predictions(outbox)?;
        Ok((path, Holds { branch, step, evaluation }))
    }

    /// The best evaluation, if its state is to be exported and is not the current one.
    fn best_elsewhere(&self) -> Option<Evaluation> {
        let here = self.moment();
        let at = Point { branch: here.branch, step: here.step, until: here.journal };
        let is_here =
            |best: &Evaluation| (best.branch, best.step) == (at.branch, at.step) && self.tree.is_as_evaluated(at);
        let keeps = self.session.recipe.train.keep == KeepState::Best;
        self.tree.best().filter(|best| keeps && !is_here(best))
    }

    /// Restores the state of an evaluation: from memory, else from disk.
    fn go_to_evaluated(&mut self, evaluation: Evaluation) -> Result<()> {
        let is_it =
            |at: Point| (at.branch, at.step) == (evaluation.branch, evaluation.step) && self.tree.is_as_evaluated(at);
        let in_memory = self.history.iter().map(|(at, ..)| at).find(|at| is_it(*at));
        if let Some(kept) = in_memory.and_then(|at| self.history.at(at.branch, at.step, at.until, Why::Regular)) {
            return self.session.restore(&kept);
        }
        let on_disk = self.record.present.iter().find(|found| {
            is_it(Point { branch: found.moment.branch, step: found.moment.step, until: found.moment.journal })
        });
        let found = on_disk.cloned().ok_or_else(|| Error::failed("it is not kept"))?;
        let snapshot = self.read_checkpoint(&found)?;
        self.session.restore(&snapshot)
    }
}
