//! Which states are kept, in memory and on the disk.

use std::sync::Arc;
use std::time::Duration;

use super::training::Training;
use crate::allocator;
use crate::method;
use crate::recipe::KeepState;
use crate::run::{Job, Keep, Moment, Need};
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

    /// Has the state as it is written to the disk; it stays in memory as a regular snapshot, where such are kept.
    pub(super) fn checkpoint(&mut self, needed: Need) {
        let snapshot = if self.history.takes_regularly() { self.keep(Why::Regular) } else { self.passing() };
        self.write(snapshot, needed);
    }

    /// The state as it is, which does not stay in memory.
    fn passing(&mut self) -> Arc<Snapshot> {
        let journal = self.tree.journal();
        let kept = self.history.at(self.session.branch, self.session.step, journal, Why::Regular);
        kept.unwrap_or_else(|| {
            // The free pages of the last steps would stay resident beside it.
            allocator::release();
            allocator::apart(|| Arc::new(self.session.snapshot(journal)))
        })
    }

    /// Whether a checkpoint of this step, with the evaluations as they are, is there or under way.
    pub(super) fn has_checkpoint(&self) -> bool {
        let here = self.moment();
        self.record.newest().is_some_and(|(there, progress)| {
            (there.branch, there.step) == (here.branch, here.step) && *progress == self.session.progress
        })
    }

    /// The checkpoint at the end of a run, if it is not there already. What was done since that changes neither weights nor
    /// evaluations, as to stop, is in the journal.
    pub(super) fn final_checkpoint(&mut self) {
        let moment = self.moment();
        let changed = self.record.newest().is_some_and(|(there, _)| self.tree.is_changed_since(there.journal));
        if !self.has_checkpoint() || changed {
            // A snapshot that is kept may lack evaluations that came after it.
            allocator::release();
            let snapshot = allocator::apart(|| Arc::new(self.session.snapshot(moment.journal)));
            self.write(snapshot, Need::Yes);
        }
    }

    /// Has a snapshot written to the disk.
    pub(super) fn write(&mut self, snapshot: Arc<Snapshot>, needed: Need) {
        let moment = Moment { branch: snapshot.branch, step: snapshot.step, journal: snapshot.journal };
        let progress = snapshot.progress.clone();
        self.writing = Arc::downgrade(&snapshot);
        let measured = self.record.measured.clone();
        let contents = move || to_checkpoint(&snapshot, measured.within(HASHING));
        let job = Job { moment, contents: Box::new(contents), keep: self.stays(), needed, before: None };
        self.record.checkpoint(job, progress);
    }

    /// Bytes of the snapshot that is being written, if it is in memory for that alone.
    pub(super) fn writing_bytes(&self) -> u64 {
        let written = self.writing.upgrade().filter(|snapshot| !self.history.holds(snapshot));
        written.map_or(0, |snapshot| snapshot.bytes())
    }

    /// Whether the best state is written whenever it is met: that of a method which trains everything is large, and has to be
    /// asked for.
    pub(super) fn keeps_best(&self) -> bool {
        self.keeps_base() || self.session.recipe.train.keep == KeepState::Best
    }

    fn keeps_base(&self) -> bool {
        method::definition(self.session.recipe.method.kind).keeps_base()
    }

    /// Which checkpoints stay: the newest, the best of the run and of each branch, the pinned ones, and the tips of other
    /// branches.
    fn stays(&self) -> Keep {
        let here = self.session.branch;
        let tips = (0..).zip(self.tree.branches()).filter(|(branch, _)| *branch != here);
        let tips: Vec<(u32, u64)> = tips.map(|(branch, grown)| (branch, grown.tip)).collect();
        let whole = !self.keeps_base();
        let of_branches = self.tree.branches().iter().filter_map(|grown| grown.best).filter(|_| !whole);
        let best = of_branches.chain(self.session.progress.best).chain(self.tree.best());
        let best = best.map(|best| (best.branch, best.step));
        let tips = tips.into_iter().rev().take(TIPS);
        Keep {
            newest: self.session.recipe.train.keep_checkpoints,
            also: tips.chain(best).chain(self.tree.pins().iter().copied()).collect(),
        }
    }
}
