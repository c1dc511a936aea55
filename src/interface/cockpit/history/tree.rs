//! Branches: what each has of its own, and which of it leads to where the run stands.

use std::collections::BTreeMap;

use crate::interface::metric::Metric;
use crate::protocol::{self, KeptState, Step};
use crate::series::{Points, Series, Smoother};

/// The branches of a run.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The one that trains.
    pub current: u32,
    /// As the engine lists them.
    pub listed: Vec<protocol::Branch>,
    /// States that can be gone back to at once, as the engine lists them.
    pub kept: Vec<KeptState>,
    own: BTreeMap<u32, Own>,
}

/// A branch.
#[derive(Debug, Clone, Default)]
struct Own {
    /// The branch that it came from, and the step after which it began.
    parent: Option<(u32, u64)>,
    /// What every step measures, in the order of [`Metric::STEPS`].
    metrics: [Points; Metric::OF_STEPS],
}

/// The branches that lead to a branch, the first one first, each with its last step that does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<(u32, u64)>);

impl Line {
    /// Whether a step of a branch leads there.
    #[must_use]
    pub fn holds(&self, branch: u32, step: u64) -> bool {
        self.0.iter().any(|&(id, last)| id == branch && step <= last)
    }

    /// As [`Line::holds`], of a change that was made after a step: a branch begins before the changes that were made there.
    #[must_use]
    pub fn holds_change(&self, branch: u32, step: u64) -> bool {
        self.0.iter().any(|&(id, last)| id == branch && step < last)
    }
}

impl Tree {
    /// The way to where the run stands.
    #[must_use]
    pub fn line(&self) -> Line {
        self.line_to(self.current)
    }

    /// The way to a branch.
    #[must_use]
    pub fn line_to(&self, branch: u32) -> Line {
        let mut line = vec![(branch, u64::MAX)];
        // However wrong what was told is, no way is longer than there are branches.
        while line.len() <= self.own.len()
            && let Some(&(branch, last)) = line.last()
            && let Some((parent, from)) = self.own.get(&branch).and_then(|own| own.parent)
        {
            line.push((parent, last.min(from)));
        }
        line.reverse();
        Line(line)
    }

    /// Branch, step and value of one of [`Metric::STEPS`] at all steps on a way.
    pub fn along<'a>(&'a self, metric: usize, line: &'a Line) -> impl Iterator<Item = (u32, u64, f64)> + 'a {
        line.0.iter().flat_map(move |&(branch, last)| {
            let points = self.own.get(&branch).map(|own| own.metrics[metric].iter()).into_iter().flatten();
            points.take_while(move |(step, _)| *step <= last).map(move |(step, value)| (branch, step, value))
        })
    }

    /// Takes in a step of the current branch.
    pub fn push(&mut self, step: &Step) {
        let own = self.own.entry(self.current).or_default();
        for (points, value) in own.metrics.iter_mut().zip(Metric::of_step(step)) {
            points.push(step.step, value);
        }
    }

    /// Goes to a branch, which began after this step of the current one if it is new. Whether it is.
    pub fn go_to(&mut self, branch: u32, step: u64) -> bool {
        let before = std::mem::replace(&mut self.current, branch);
        let new = !self.own.contains_key(&branch);
        if new {
            let parent = self.own.contains_key(&before).then_some((before, step));
            self.own.insert(branch, Own { parent, metrics: Default::default() });
        }
        new
    }

    /// Takes in what the engine says of all branches.
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

    /// What was left behind: of each branch the smoothed losses that do not lead to where the run stands, with the one
    /// from which they go on.
    #[must_use]
    pub fn left_behind(&self, weight: f64) -> Vec<Series> {
        let current = self.line();
        let departures = self.own.keys().map(|&branch| self.departure(branch, &current, weight));
        departures.filter(|series| series.len() > 1).collect()
    }

    fn departure(&self, branch: u32, current: &Line, weight: f64) -> Series {
        let line = self.line_to(branch);
        let mut smoother = Smoother::new(weight);
        let (mut series, mut before) = (Series::default(), None);
        for (id, step, loss) in self.along(0, &line) {
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
        tree.along(0, &tree.line()).map(|(_, step, loss)| (step, loss)).collect()
    }

    #[test]
    fn a_rewind_begins_a_branch_and_leaves_the_rest_behind() {
        let mut tree = Tree::default();
        steps(&mut tree, 1, 6, 1.0);
        assert!(tree.go_to(1, 3));
        steps(&mut tree, 4, 5, 2.0);
        assert_eq!(shown(&tree), [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0)]);
        let left = tree.left_behind(0.0);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].points().collect::<Vec<_>>(), [(3, 1.0), (4, 1.0), (5, 1.0), (6, 1.0)]);
        assert!(tree.line().holds(0, 3) && !tree.line().holds(0, 4) && tree.line().holds(1, 4));
        assert!(tree.line().holds_change(0, 2) && !tree.line().holds_change(0, 3));
    }

    #[test]
    fn a_branch_of_a_branch_that_begins_before_it_and_the_way_back() {
        let mut tree = Tree::default();
        steps(&mut tree, 1, 9, 1.0);
        tree.go_to(1, 6);
        steps(&mut tree, 7, 8, 2.0);
        assert!(tree.go_to(2, 2));
        steps(&mut tree, 3, 4, 3.0);
        assert_eq!(shown(&tree), [(1, 1.0), (2, 1.0), (3, 3.0), (4, 3.0)]);
        assert_eq!(tree.left_behind(0.9).len(), 2);
        assert!(!tree.go_to(1, 8));
        assert_eq!(shown(&tree).len(), 8);
        assert_eq!(shown(&tree)[7], (8, 2.0));
    }

    #[test]
    fn what_the_engine_lists_counts_and_cannot_lead_in_a_circle() {
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
        assert!(tree.left_behind(0.5).len() < 4);
    }
}
