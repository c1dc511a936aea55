//! Steps that fail.

use super::Outbox;
use super::record::now;
use super::training::Training;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Entry, Event, Intervention, Level};
use spartui_facts::recipe::{LearningRate, OnNonfinite, Value};
use spartui_run::Need;
use spartui_train::{NotFinite, Point};

const RATE: &str = "optimizer.learning_rate";
const HEAD_RATE: &str = "optimizer.head_learning_rate";
/// The most automatic reductions of the rate in a run.
const MOST_LOWERINGS: u32 = 10;

impl Training {
    /// Loss or gradient are not finite, and nothing was updated: follows the recipe's setting for that case. Returns
    /// whether a step was taken.
    pub(super) fn not_finite(&mut self, fault: &NotFinite, outbox: &mut Outbox) -> Result<bool> {
        let NotFinite { step, loss, grad_norm, file, .. } = fault;
        let what =
            format!("step {step}: the loss is {loss} and the gradient's norm {grad_norm}; the update was not applied");
        self.record.log(&format!("{what}; its batch: lines {} of {file}", fault.lines_shown()));
        match self.session.recipe.train.on_nonfinite {
            OnNonfinite::Skip => {
                self.record
                    .note(Level::Warning, format!("{what}, and the batch is left out (its lines are in the log)"));
                let step = self.session.skip_step(fault);
                self.step_taken(step, outbox);
                return Ok(true);
            }
            OnNonfinite::LowerRate if self.lowered < MOST_LOWERINGS => self.lower_rate(&what, outbox)?,
            OnNonfinite::LowerRate => {
                return Err(Error::failed(format!(
                    "{what}, although the rate was halved {MOST_LOWERINGS} times; look at the rows that the log names"
                )));
            }
            OnNonfinite::Pause => {
                let to = self.back_to_good(outbox)?;
                let how = format!("{what}, and training went back to step {to} (the rows are in the log)");
                if !self.attended {
                    self.checkpoint(Need::Yes);
                    return Err(Error::failed(format!(
                        "{how}; go on with `spartui resume {} --set {RATE}=...`, or with train.on_nonfinite set to skip or \
                         lower_rate in a new run",
                        self.record.name()
                    )));
                }
                self.record.note(Level::Warning, format!("{how}; lower the rate, then resume"));
                self.pause(outbox);
            }
        }
        Ok(false)
    }

    /// Goes back to the last good state before this one, if there is one; returns its step.
    fn back_to_good(&mut self, outbox: &mut Outbox) -> Result<u64> {
        let lineage = self.tree.lineage(self.tree.here());
        let earlier = self.history.iter().filter(|(at, ..)| at.step < self.session.step);
        let good = earlier
            .filter_map(|(at, ..)| self.tree.place_of(&lineage, at).map(|place| (place, at)))
            .max_by_key(|(place, _)| *place);
        if let Some((_, Point { step, .. })) = good
            && let Err(why) = self.rewind(step, 0, outbox)?
        {
            self.record.note(Level::Warning, format!("training could not go back to step {step}: {why}"));
        }
        Ok(self.session.step)
    }

    fn lower_rate(&mut self, what: &str, outbox: &mut Outbox) -> Result<()> {
        let to = self.back_to_good(outbox)?;
        self.lowered += 1;
        let before = self.session.learning_rate();
        let lower = before / 2.0;
        let mut halved = vec![(RATE, before)];
        // A head without a rate of its own follows.
        if let LearningRate::At(rate) = self.session.recipe.optimizer.head_learning_rate {
            halved.push((HEAD_RATE, rate));
        }
        for (field, rate) in &halved {
            self.set_by_fault(field, Value::Float(*rate), Value::Float(rate / 2.0))?;
        }
        let how =
            format!("{what}; training went back to step {to} and goes on at the rate {lower:e} instead of {before:e}");
        self.record.note(Level::Warning, how);
        for (field, rate) in halved {
            outbox.send(Event::Setting { field: field.into(), value: Value::Float(rate / 2.0) });
        }
        Ok(())
    }

    /// Out of memory: from now on half as many examples are in memory at once, twice as often.
    pub(super) fn halve_micro_batch(&mut self, why: &str) -> Result<()> {
        let before = self.session.micro_batch();
        if before <= 1 {
            return Err(Error::failed(format!(
                "memory does not suffice for one example ({why}); take a smaller data.max_length, or train.recompute = \
                 \"blocks\""
            )));
        }
        let half = before.div_ceil(2);
        let size = |size: usize| Value::Integer(i64::try_from(size).unwrap_or(i64::MAX));
        self.set_by_fault("train.micro_batch_size", size(before), size(half))?;
        let batch = self.session.recipe.train.batch_size;
        self.record.note(
            Level::Warning,
            format!(
                "memory did not suffice ({why}): {half} examples are in memory at once instead of {before}; an optimizer step \
                 still sees {batch}"
            ),
        );
        Ok(())
    }

    /// Changes a setting without a user; it is journaled, so that a replay does the same.
    fn set_by_fault(&mut self, field: &str, from: Value, to: Value) -> Result<()> {
        self.session.set_again(field, to.clone()).map_err(Error::failed)?;
        let step = self.session.step;
        self.enter(Entry::Set(Intervention { step, field: field.into(), from, to, id: 0, time: now() }));
        Ok(())
    }
}
