//! Which states are kept, in memory and on the disk.

use std::sync::Arc;
use std::time::Duration;

use super::training::Training;
use crate::run::{Job, Keep, Moment};
use crate::train::{Snapshot, Why, to_checkpoint};

/// Tips of branches that were left, which stay on the disk although nobody pinned them: those that began last.
const TIPS: usize = 16;

/// How long a checkpoint waits for what the run belongs to: a run that is told to end has to end within seconds, and a later
/// checkpoint knows it.
const HASHING: Duration = Duration::from_secs(2);

impl Training {
    /// Keeps the state as it is in memory.
    pub(super) fn keep(&mut self, why: Why) -> Arc<Snapshot> {
        let journal = self.tree.journal();
        let kept = self.history.at(self.session.branch, self.session.step, journal, why);
        kept.unwrap_or_else(|| self.history.keep(self.session.snapshot(journal), why))
    }

    /// Has the state as it is written to the disk; it stays in memory as a regular snapshot.
    pub(super) fn checkpoint(&mut self, needed: bool) {
        let snapshot = self.keep(Why::Regular);
        self.write(snapshot, needed);
    }

    /// The checkpoint at the end of a run, if it is not there already.
    pub(super) fn final_checkpoint(&mut self) {
        let moment = self.moment();
        let snapshot = self.session.snapshot(moment.journal);
        if !self.record.has(moment) || snapshot.progress.evaluation_due {
            self.write(Arc::new(snapshot), true);
        }
    }

    /// Has a snapshot written to the disk.
    pub(super) fn write(&mut self, snapshot: Arc<Snapshot>, needed: bool) {
        let moment = Moment { branch: snapshot.branch, step: snapshot.step, journal: snapshot.journal };
        let measured = self.record.measured.clone();
        let contents = move || to_checkpoint(&snapshot, measured.within(HASHING));
        let job = Job { moment, contents: Box::new(contents), keep: self.stays(), needed, before: None };
        self.record.checkpoint(job);
    }

    /// Whether the best state is written whenever it is met: that of a method which trains everything is too large.
    pub(super) fn keeps_best(&self) -> bool {
        !self.session.method.trains_everything()
    }

    /// Which checkpoints stay: the newest, the best, the pinned ones, and the tips of other branches.
    fn stays(&self) -> Keep {
        let here = self.session.branch;
        let tips = (0..).zip(self.tree.branches()).filter(|(branch, _)| *branch != here);
        let tips: Vec<(u32, u64)> = tips.map(|(branch, grown)| (branch, grown.tip)).collect();
        let best = self.session.progress.best.map(|best| (best.branch, best.step));
        let tips = tips.into_iter().rev().take(TIPS);
        Keep {
            newest: self.session.recipe.train.keep_checkpoints,
            also: tips.chain(best).chain(self.tree.pins().iter().copied()).collect(),
        }
    }
}
