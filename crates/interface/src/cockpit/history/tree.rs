//! The branches of a run, and the path through them to the current state.

use std::collections::BTreeMap;

use crate::metric::Metric;
use spartui_facts::protocol::{self, KeptState, Step};
use spartui_facts::series::{Points, Series, Smoother};

/// The branches of a run.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The current branch.
    pub current: u32,
    /// The engine's list of branches.
    pub listed: Vec<protocol::Branch>,
    /// States that can be restored at once, as the engine lists them.
    pub kept: Vec<KeptState>,
    own: BTreeMap<u32, Own>,
}

/// A branch.
#[derive(Debug, Clone, Default)]
struct Own {
    /// The parent branch, and the step after which this one began.
    parent: Option<(u32, u64)>,
    /// The step metrics, in the order of [`Metric::STEPS`].
    metrics: [Points; Metric::OF_STEPS],
}

/// The path to a branch: the branches from the first one on, each with its last step on the path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BranchPath(Vec<(u32, u64)>);

impl BranchPath {
    /// Whether a step of a branch is on the path.
    #[must_use]
    pub fn holds(&self, branch: u32, step: u64) -> bool {
        self.0.iter().any(|&(id, last)| id == branch && step <= last)
    }

    /// As [`BranchPath::holds`], for a change made after a step: a branch begins before the changes that were made there.
    #[must_use]
    pub fn holds_change(&self, branch: u32, step: u64) -> bool {
        self.0.iter().any(|&(id, last)| id == branch && step < last)
    }
}

impl Tree {
    /// The path to the current state.
    #[must_use]
    pub fn path(&self) -> BranchPath {
        self.path_to(self.current)
    }

    /// The path to a branch.
    #[must_use]
    pub fn path_to(&self, branch: u32) -> BranchPath {
        let mut path = vec![(branch, u64::MAX)];
        // Even if the list is wrong, no path is longer than the number of branches.
        while path.len() <= self.own.len()
            && let Some(&(branch, last)) = path.last()
            && let Some((parent, from)) = self.own.get(&branch).and_then(|own| own.parent)
        {
            path.push((parent, last.min(from)));
        }
        path.reverse();
        BranchPath(path)
    }

    /// Branch, step and value of one of [`Metric::STEPS`] at all steps on a path.
    pub fn along<'a>(&'a self, metric: usize, path: &'a BranchPath) -> impl Iterator<Item = (u32, u64, f64)> + 'a {
        path.0.iter().flat_map(move |&(branch, last)| {
            let points = self.own.get(&branch).map(|own| own.metrics[metric].iter()).into_iter().flatten();
            points.take_while(move |(step, _)| *step <= last).map(move |(step, value)| (branch, step, value))
        })
    }

    /// Adds a step of the current branch.
    pub fn push(&mut self, step: &Step) {
        let own = self.own.entry(self.current).or_default();
        for (points, value) in own.metrics.iter_mut().zip(Metric::of_step(step)) {
            points.push(step.step, value);
        }
    }

    /// Goes to a branch; a new one begins after this step of the current branch. Returns whether it is new.
    pub fn go_to(&mut self, branch: u32, step: u64) -> bool {
        let before = std::mem::replace(&mut self.current, branch);
        let new = !self.own.contains_key(&branch);
        if new {
            let parent = self.own.contains_key(&before).then_some((before, step));
            self.own.insert(branch, Own { parent, metrics: Default::default() });
        }
        new
    }

    /// Stores the engine's list of branches.
    pub fn list(&mut self, listed: Vec<protocol::Branch>) {
        for branch in &listed {
            let parent = branch.parent.filter(|parent| *parent != branch.id).map(|parent| (parent, branch.from));
            self.own.entry(branch.id).or_default().parent = parent;
            if branch.current {
                self.current = branch.id;
            }
        }
        self.listed = listed;
    }

    /// The smoothed losses of each branch outside the current path, each from the sample at which it leaves the path.
    #[must_use]
    pub fn abandoned(&self, weight: f64) -> Vec<Series> {
        let current = self.path();
        let departures = self.own.keys().map(|&branch| self.departure(branch, &current, weight));
        departures.filter(|series| series.len() > 1).collect()
    }

    fn departure(&self, branch: u32, current: &BranchPath, weight: f64) -> Series {
        let path = self.path_to(branch);
        let mut smoother = Smoother::new(weight);
        let (mut series, mut before) = (Series::default(), None);
        for (id, step, loss) in self.along(0, &path) {
            let value = smoother.push(loss);
            if id == branch && !current.holds(id, step) {
                if let Some((step, value)) = before.take() {
                    series.push(step, value);
                }
                series.push(step, value);
            } else {
                before = Some((step, value));
            }
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(tree: &mut Tree, from: u64, to: u64, loss: f64) {
        let step = |step| Step {
            step,
            epoch: 0.0,
            loss,
            learning_rate: 1e-4,
            grad_norm: 1.0,
            examples: 8,
            tokens: 99,
            seconds: 0.1,
            trainable: 7,
            sparsity: 0.5,
            branch: tree.current,
        };
        (from..=to).map(step).collect::<Vec<_>>().iter().for_each(|step| tree.push(step));
    }

    fn shown(tree: &Tree) -> Vec<(u64, f64)> {
        tree.along(0, &tree.path()).map(|(_, step, loss)| (step, loss)).collect()
    }

    #[test]
    fn a_rewind_begins_a_branch_and_leaves_the_rest_behind() {
        let mut tree = Tree::default();
        steps(&mut tree, 1, 6, 1.0);
        assert!(tree.go_to(1, 3));
        steps(&mut tree, 4, 5, 2.0);
        assert_eq!(shown(&tree), [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0)]);
        let left = tree.abandoned(0.0);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].points().collect::<Vec<_>>(), [(3, 1.0), (4, 1.0), (5, 1.0), (6, 1.0)]);
        assert!(tree.path().holds(0, 3) && !tree.path().holds(0, 4) && tree.path().holds(1, 4));
        assert!(tree.path().holds_change(0, 2) && !tree.path().holds_change(0, 3));
    }

    #[test]
    fn a_branch_of_a_branch_that_begins_before_it_and_switching_back() {
        let mut tree = Tree::default();
        steps(&mut tree, 1, 9, 1.0);
        tree.go_to(1, 6);
        steps(&mut tree, 7, 8, 2.0);
        assert!(tree.go_to(2, 2));
        steps(&mut tree, 3, 4, 3.0);
        assert_eq!(shown(&tree), [(1, 1.0), (2, 1.0), (3, 3.0), (4, 3.0)]);
        assert_eq!(tree.abandoned(0.9).len(), 2);
        assert!(!tree.go_to(1, 8));
        assert_eq!(shown(&tree).len(), 8);
        assert_eq!(shown(&tree)[7], (8, 2.0));
    }

    #[test]
    fn a_listed_cycle_of_branches_does_no_harm() {
        let branch = |id, parent, from| protocol::Branch {
            id,
            parent,
            from,
            tip: 9,
            best: None,
            pinned: false,
            current: id == 1,
        };
        let mut tree = Tree::default();
        steps(&mut tree, 1, 9, 1.0);
        tree.list(vec![branch(0, None, 0), branch(1, Some(0), 4)]);
        assert_eq!(shown(&tree).len(), 4);
        tree.list(vec![branch(0, Some(1), 3), branch(1, Some(0), 4), branch(2, Some(2), 1)]);
        assert!(shown(&tree).len() < 30);
        assert!(tree.abandoned(0.5).len() < 4);
    }
}
