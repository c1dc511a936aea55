//! Snapshots in memory, within a budget: dense over the last steps, sparse over the early ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Point, Snapshot};

/// The reason for keeping a snapshot. Where the budget is exceeded, reasons that come first here are dropped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A periodic snapshot.
    Regular,
    /// A change by hand followed.
    Change,
    /// The tip of a branch at the switch to another.
    Tip,
    /// The start of the run.
    Start,
    /// The user pinned it.
    Pinned,
}

/// Number of the newest periodic snapshots that are all kept; further back the distance doubles.
const NEAR: u64 = 4;

#[derive(Debug)]
struct Kept {
    snapshot: Arc<Snapshot>,
    why: Why,
    /// Bytes, without the lists that it shares with an older snapshot.
    bytes: u64,
}

/// Snapshots by branch, step, and length of the journal.
#[derive(Debug)]
pub struct History {
    kept: BTreeMap<(u32, u64, usize), Kept>,
    /// Most bytes of all snapshots.
    budget: u64,
    /// Steps between two periodic snapshots.
    every: u64,
    changed: bool,
    /// Whether a single snapshot exceeds the budget.
    too_large: bool,
}

impl History {
    /// An empty history. With `every` = 0 there are no periodic snapshots.
    #[must_use]
    pub fn new(budget: u64, every: u64) -> Self {
        Self { kept: BTreeMap::new(), budget, every, changed: false, too_large: false }
    }

    /// Whether a periodic snapshot is due at this step.
    #[must_use]
    pub fn is_due(&self, step: u64) -> bool {
        self.takes_regularly() && step.is_multiple_of(self.every)
    }

    /// Whether there are periodic snapshots.
    #[must_use]
    pub fn takes_regularly(&self) -> bool {
        self.takes() && self.every > 0
    }

    /// Whether a single snapshot fits the budget.
    #[must_use]
    pub fn takes(&self) -> bool {
        self.budget > 0 && !self.too_large
    }

    /// Keeps a snapshot, and drops others as far as the budget requires.
    pub fn keep(&mut self, mut snapshot: Snapshot, why: Why) -> Arc<Snapshot> {
        let key = (snapshot.branch, snapshot.step, snapshot.journal);
        self.changed = true;
        let mut bytes = snapshot.bytes();
        if let Some((_, last)) = self.kept.range(..key).next_back() {
            bytes -= snapshot.method.share(&last.snapshot.method);
        }
        self.too_large |= bytes > self.budget;
        let snapshot = Arc::new(snapshot);
        self.kept.insert(key, Kept { snapshot: Arc::clone(&snapshot), why, bytes });
        self.thin(snapshot.branch, snapshot.step);
        while self.bytes() > self.budget && self.drop_one(snapshot.branch, snapshot.step) {}
        snapshot
    }

    /// Thins the periodic snapshots of a branch to a grid that gets coarser with age.
    fn thin(&mut self, branch: u32, now: u64) {
        let near = NEAR * self.every.max(1);
        self.kept.retain(|(of, step, _), kept| {
            let doublings = (now.saturating_sub(*step) / near).checked_ilog2().map_or(0, |log| log + 1);
            let grid = self.every.max(1) << doublings.min(40);
            *of != branch || kept.why != Why::Regular || step.is_multiple_of(grid)
        });
    }

    /// Drops one snapshot: of those with the lowest reason, the one whose removal leaves the smallest gap relative to
    /// its age. Returns whether there was one.
    fn drop_one(&mut self, branch: u32, now: u64) -> bool {
        let Some(least) = self.kept.values().map(|kept| kept.why).min() else { return false };
        let keys: Vec<(u32, u64, usize)> = self.kept.keys().copied().collect();
        #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 steps")]
        let gap = |at: usize| {
            let (of, step, _) = keys[at];
            let before = at.checked_sub(1).map(|at| keys[at]).filter(|(other, ..)| *other == of);
            let after = keys.get(at + 1).filter(|(other, ..)| *other == of);
            let age = if of == branch { now.saturating_sub(step) + 1 } else { now + 1 };
            (after.map_or(now, |after| after.1).saturating_sub(before.map_or(0, |before| before.1))) as f64 / age as f64
        };
        let candidates = (0..keys.len()).filter(|&at| self.kept[&keys[at]].why == least);
        let victim = candidates.min_by(|&a, &b| gap(a).total_cmp(&gap(b)));
        victim.is_some_and(|at| self.kept.remove(&keys[at]).is_some())
    }

    /// Bytes of all snapshots.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.kept.values().map(|kept| kept.bytes).sum()
    }

    /// The snapshot of this point, if there is one. Its reason is raised to `why`.
    #[must_use]
    pub fn at(&mut self, branch: u32, step: u64, journal: usize, why: Why) -> Option<Arc<Snapshot>> {
        let kept = self.kept.get_mut(&(branch, step, journal))?;
        kept.why = kept.why.max(why);
        Some(Arc::clone(&kept.snapshot))
    }

    /// Whether this snapshot object is kept.
    #[must_use]
    pub fn holds(&self, snapshot: &Arc<Snapshot>) -> bool {
        self.kept.values().any(|kept| Arc::ptr_eq(&kept.snapshot, snapshot))
    }

    /// The last snapshot of a step of a branch.
    #[must_use]
    pub fn of_step(&self, branch: u32, step: u64) -> Option<Arc<Snapshot>> {
        let mut of_step = self.kept.range((branch, step, 0)..=(branch, step, usize::MAX));
        of_step.next_back().map(|(_, kept)| Arc::clone(&kept.snapshot))
    }

    /// Pins or unpins the snapshots of a step of a branch.
    pub fn pin(&mut self, branch: u32, step: u64, pinned: bool) {
        for (_, kept) in self.kept.range_mut((branch, step, 0)..=(branch, step, usize::MAX)) {
            match (pinned, kept.why) {
                (true, _) => kept.why = Why::Pinned,
                (false, Why::Pinned) => kept.why = Why::Change,
                (false, _) => {}
            }
        }
        self.changed = true;
    }

    /// The points of all snapshots, with their bytes and reasons.
    pub fn iter(&self) -> impl Iterator<Item = (Point, u64, Why)> {
        self.kept.iter().map(|(&(branch, step, until), kept)| (Point { branch, step, until }, kept.bytes, kept.why))
    }

    /// Notes that the set of kept states has changed elsewhere, such as on the disk.
    pub fn set_changed(&mut self) {
        self.changed = true;
    }

    /// Whether anything has changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Progress;
    use spartui_facts::recipe::Recipe;
    use spartui_method::{Part, State};

    fn snapshot(branch: u32, step: u64) -> Snapshot {
        let indices = Arc::new((0..100).collect());
        let zeros = vec![0.0; 100];
        let part =
            Part { born: Some(0), indices, delta: zeros.clone(), first: zeros.clone(), second: zeros, written: vec![] };
        let method = State { sites: vec![("w".into(), vec![part])], tensors: Vec::new() };
        let (recipe, progress) = (Recipe::default(), Progress::default());
        let labels = Arc::default();
        Snapshot { step, branch, journal: 0, recipe, progress, method, head: Vec::new(), labels }
    }

    fn steps(history: &History) -> Vec<u64> {
        history.iter().map(|(at, ..)| at.step).collect()
    }

    #[test]
    fn old_ones_are_thinned_to_about_the_logarithm_of_their_number() {
        let mut history = History::new(u64::MAX, 10);
        history.keep(snapshot(0, 0), Why::Start);
        for step in (10..=10_000).step_by(10) {
            assert!(history.is_due(step) && !history.is_due(step + 1));
            history.keep(snapshot(0, step), Why::Regular);
        }
        let steps = steps(&history);
        assert!((15..45).contains(&steps.len()), "{steps:?}");
        assert!(steps.ends_with(&[9970, 9980, 9990, 10_000]) && steps[0] == 0);
        for pair in steps.windows(2) {
            assert!(pair[1] - pair[0] <= 40.max(10_000 - pair[0]), "{pair:?}");
        }
    }

    #[test]
    fn followers_share_their_positions() {
        let mut history = History::new(u64::MAX, 1);
        history.keep(snapshot(0, 1), Why::Regular);
        history.keep(snapshot(0, 2), Why::Regular);
        assert_eq!(history.bytes(), 2000 + 1200);
    }

    #[test]
    fn the_budget_holds_and_what_was_asked_for_goes_last() {
        let mut history = History::new(7000, 1);
        history.keep(snapshot(0, 0), Why::Start);
        history.keep(snapshot(0, 3), Why::Pinned);
        history.keep(snapshot(0, 5), Why::Change);
        for step in 6..60 {
            history.keep(snapshot(0, step), Why::Regular);
            assert!(history.bytes() <= 7000);
        }
        let kept = steps(&history);
        assert!(kept.starts_with(&[0, 3, 5]) && kept.ends_with(&[59]), "{kept:?}");
        let mut small = History::new(100, 1);
        assert_eq!(small.keep(snapshot(0, 1), Why::Pinned).step, 1);
        assert_eq!(small.bytes(), 0);
    }

    #[test]
    fn a_pin_comes_and_goes() {
        let mut history = History::new(u64::MAX, 1);
        history.keep(snapshot(1, 4), Why::Regular);
        history.pin(1, 4, true);
        assert_eq!(history.iter().next().unwrap().2, Why::Pinned);
        history.pin(1, 4, false);
        assert_eq!(history.iter().next().unwrap().2, Why::Change);
        assert!(
            history.of_step(1, 4).is_some()
                && history.of_step(0, 4).is_none()
                && history.at(1, 4, 0, Why::Regular).is_some()
        );
    }
}
