//! Which states are kept, in memory and on disk.

use std::sync::Arc;
use std::time::Duration;

use super::training::Training;
use crate::allocator;
use spartui_facts::recipe::KeepState;
use spartui_method as method;
use spartui_run::{Job, Keep, Moment, Need};
use spartui_train::{Snapshot, Why, to_checkpoint};

/// Number of tips of other branches that stay on disk without being pinned, the newest branches first.
const TIPS: usize = 16;

/// How long a checkpoint waits for the hashes of the run's files: a run that is asked to end must end within seconds,
/// and a later checkpoint has the hashes.
const HASHING: Duration = Duration::from_secs(2);

impl Training {
    /// Keeps the current state in memory.
    pub(super) fn keep(&mut self, why: Why) -> Arc<Snapshot> {
        let journal = self.tree.journal();
        let kept = self.history.at(self.session.branch, self.session.step, journal, why);
        kept.unwrap_or_else(|| self.history.keep(self.session.snapshot(journal), why))
    }

    /// Writes the current state to disk; it also stays in memory as a regular snapshot, if those are kept.
    pub(super) fn checkpoint(&mut self, needed: Need) {
        let snapshot = if self.history.takes_regularly() { self.keep(Why::Regular) } else { self.passing() };
        self.write(snapshot, needed);
    }

    /// The current state, not kept in memory.
    fn passing(&mut self) -> Arc<Snapshot> {
        let journal = self.tree.journal();
        let kept = self.history.at(self.session.branch, self.session.step, journal, Why::Regular);
        kept.unwrap_or_else(|| {
            // Free pages from the last steps would stay resident beside it.
            allocator::release();
            allocator::apart(|| Arc::new(self.session.snapshot(journal)))
        })
    }

    /// Whether a checkpoint of this step, with the present evaluations, exists or is being written.
    pub(super) fn has_checkpoint(&self) -> bool {
        let here = self.moment();
        self.record.newest().is_some_and(|(there, progress)| {
            (there.branch, there.step) == (here.branch, here.step) && *progress == self.session.progress
        })
    }

    /// Writes the checkpoint at the end of a run, unless it exists. Later actions that change neither weights nor
    /// evaluations, such as stopping, are in the journal.
    pub(super) fn final_checkpoint(&mut self) {
        let moment = self.moment();
        let changed = self.record.newest().is_some_and(|(there, _)| self.tree.is_changed_since(there.journal));
        if !self.has_checkpoint() || changed {
            // A kept snapshot may lack evaluations that came after it.
            allocator::release();
            let snapshot = allocator::apart(|| Arc::new(self.session.snapshot(moment.journal)));
            self.write(snapshot, Need::Yes);
        }
    }

    /// Queues a snapshot to be written to disk.
    pub(super) fn write(&mut self, snapshot: Arc<Snapshot>, needed: Need) {
        let moment = Moment { branch: snapshot.branch, step: snapshot.step, journal: snapshot.journal };
        let progress = snapshot.progress.clone();
        self.writing = Arc::downgrade(&snapshot);
        let measured = self.record.measured.clone();
        let contents = move || to_checkpoint(&snapshot, measured.wait_for(HASHING));
        let job = Job { moment, contents: Box::new(contents), keep: self.stays(), needed, before: None };
        self.record.checkpoint(job, progress);
    }

    /// Bytes of the snapshot being written, if it is in memory for that alone.
    pub(super) fn writing_bytes(&self) -> u64 {
        let written = self.writing.upgrade().filter(|snapshot| !self.history.holds(snapshot));
        written.map_or(0, |snapshot| snapshot.bytes())
    }

    /// Whether each new best state is written: for a method that trains everything it is large, and has to be
    /// requested.
    pub(super) fn keeps_best(&self) -> bool {
        self.keeps_base() || self.session.recipe.train.keep == KeepState::Best
    }

    fn keeps_base(&self) -> bool {
        method::definition(self.session.recipe.method.kind).keeps_base(&self.session.recipe.method)
    }

    /// Which checkpoints are kept: the newest, the best of the run and of each branch, the pinned ones, and the tips
    /// of other branches.
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
