//! The branches of a run: the steps and the changes by hand that led to each state.

use std::collections::BTreeMap;

use spartui_facts::protocol::{ActionKind, Branch, Entry, Evaluation, Intervention};

/// The current state of a branch.
#[derive(Debug, Clone, PartialEq)]
pub struct BranchState {
    /// The parent branch; none for the first.
    pub parent: Option<u32>,
    /// The parent's step after which it began.
    pub from: u64,
    /// The parent's entries of the journal before this index led to the state where the branch began.
    pub until: usize,
    /// Its last step.
    pub tip: u64,
    /// The best evaluation on the way to its tip.
    pub best: Option<Evaluation>,
}

/// A point in the run's history: a step of a branch, and the length of the journal at that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The branch.
    pub branch: u32,
    /// Optimizer steps taken.
    pub step: u64,
    /// Length of the journal: entries from this index on came later.
    pub until: usize,
}

/// All branches of a run, and its journal.
#[derive(Debug, Clone)]
pub struct Tree {
    branches: Vec<BranchState>,
    /// The entries of the journal, each with its branch.
    entries: Vec<(u32, Entry)>,
    current: u32,
    /// Branches and steps of the pinned states.
    pins: Vec<(u32, u64)>,
    /// The last evaluation of each branch and step.
    evaluations: BTreeMap<(u32, u64), Evaluation>,
}

impl Default for Tree {
    fn default() -> Self {
        let first = BranchState { parent: None, from: 0, until: 0, tip: 0, best: None };
        Self { branches: vec![first], entries: Vec::new(), current: 0, pins: Vec::new(), evaluations: BTreeMap::new() }
    }
}

impl Tree {
    /// Rebuilds the tree from the entries of a journal; the current branch is at this step.
    ///
    /// # Errors
    /// Where an entry contradicts those before it.
    pub fn of_journal(entries: &[Entry], step: u64) -> Result<Self, String> {
        let mut tree = Self::default();
        for entry in entries {
            tree.replay(entry).map_err(|why| format!("{}: {why}", entry.describe()))?;
        }
        if tree.here().step > step {
            return Err(format!("its last entry is of step {}", tree.here().step));
        }
        tree.reached(step, None);
        Ok(tree)
    }

    /// Applies one entry of a journal.
    fn replay(&mut self, entry: &Entry) -> Result<(), String> {
        if entry.step() < self.here().step {
            return Err(format!("it comes after step {}", self.here().step));
        }
        self.reached(entry.step(), None);
        let Entry::Action(action) = entry else {
            self.add(entry.clone());
            return Ok(());
        };
        let begins = match action.what {
            ActionKind::Rewind { to, branch } if to <= action.step => Some((self.just_after(to), branch)),
            ActionKind::Rewind { .. } => return Err("that step was not taken yet".into()),
            ActionKind::Undo { branch, changes, .. } => {
                let point = self.before_change(changes).ok_or("nothing was changed before")?;
                Some((point, branch))
            }
            _ => None,
        };
        self.add(entry.clone());
        match action.what {
            ActionKind::SwitchBranch { branch } if (branch as usize) < self.branches.len() => self.go_to(branch),
            ActionKind::SwitchBranch { .. } => return Err("there is no such branch".into()),
            ActionKind::Pin { branch, at, pinned } => self.pin(branch, at, pinned),
            _ => {}
        }
        match begins {
            Some((point, branch)) if self.fork(point) != branch => Err("another branch comes next".into()),
            _ => Ok(()),
        }
    }

    /// The number of the current branch, the one that trains.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.current
    }

    /// The branches, by their numbers.
    #[must_use]
    pub fn branches(&self) -> &[BranchState] {
        &self.branches
    }

    /// A branch by its number.
    #[must_use]
    pub fn get(&self, branch: u32) -> Option<&BranchState> {
        self.branches.get(branch as usize)
    }

    fn state_of(&self, branch: u32) -> &BranchState {
        &self.branches[branch as usize]
    }

    /// Records an evaluation.
    pub fn evaluated(&mut self, evaluation: Evaluation) {
        self.evaluations.insert((evaluation.branch, evaluation.step), evaluation);
        if let Some(state) = self.branches.get_mut(evaluation.branch as usize)
            && state.best.is_none_or(|best| evaluation.is_better_than(&best))
        {
            state.best = Some(evaluation);
        }
    }

    /// The evaluation of a step of a branch, if there is one.
    #[must_use]
    pub fn evaluation(&self, branch: u32, step: u64) -> Option<Evaluation> {
        self.evaluations.get(&(branch, step)).copied()
    }

    /// The best evaluation of the run over all branches; of equal ones, the earliest of the lowest branch.
    #[must_use]
    pub fn best(&self) -> Option<Evaluation> {
        best_of(self.evaluations.values())
    }

    /// The best evaluation on a lineage.
    #[must_use]
    pub fn best_on(&self, lineage: &[Point]) -> Option<Evaluation> {
        let on_it =
            |made: &&Evaluation| lineage.iter().any(|part| part.branch == made.branch && made.step <= part.step);
        best_of(self.evaluations.values().filter(on_it))
    }

    /// Whether a state is the one that was evaluated at its step, that is, no setting, which may have changed the
    /// weights, was changed between the evaluation and the state.
    #[must_use]
    pub fn is_as_evaluated(&self, state: Point) -> bool {
        let here = |(branch, entry): &&(u32, Entry)| *branch == state.branch && entry.step() == state.step;
        let entries = &self.entries[..state.until.min(self.entries.len())];
        let last = entries.iter().rev().filter(here).map(|(_, entry)| entry).find(|entry| entry.shapes_training());
        !matches!(last, Some(Entry::Set(_)))
    }

    /// Whether a setting was changed after the journal had this length.
    #[must_use]
    pub fn is_changed_since(&self, journal: usize) -> bool {
        self.entries.iter().skip(journal).any(|(_, entry)| matches!(entry, Entry::Set(_)))
    }

    /// Moves the tip of the current branch to this step.
    pub fn reached(&mut self, step: u64, best: Option<Evaluation>) {
        let state = &mut self.branches[self.current as usize];
        state.tip = step;
        state.best = best;
    }

    /// Pins or unpins the state of a step of a branch.
    pub fn pin(&mut self, branch: u32, step: u64, pinned: bool) {
        self.pins.retain(|pin| *pin != (branch, step));
        if pinned {
            self.pins.push((branch, step));
        }
    }

    /// Branches and steps of the pinned states.
    #[must_use]
    pub fn pins(&self) -> &[(u32, u64)] {
        &self.pins
    }

    /// Length of the journal.
    #[must_use]
    pub fn journal(&self) -> usize {
        self.entries.len()
    }

    /// Appends an entry of the current branch to the journal.
    pub fn add(&mut self, entry: Entry) {
        self.entries.push((self.current, entry));
    }

    /// Begins a branch at a point and makes it current. Returns its number.
    pub fn fork(&mut self, at: Point) -> u32 {
        let best = self.state_of(at.branch).best;
        let Point { branch, step, until } = at;
        self.branches.push(BranchState { parent: Some(branch), from: step, until, tip: step, best });
        // A run has far fewer than 2^32 branches.
        self.current = u32::try_from(self.branches.len() - 1).unwrap_or(u32::MAX);
        self.current
    }

    /// Makes an existing branch current.
    pub fn go_to(&mut self, branch: u32) {
        self.current = branch;
    }

    /// The tip of the current branch.
    #[must_use]
    pub fn here(&self) -> Point {
        self.tip(self.current)
    }

    /// The tip of a branch.
    #[must_use]
    pub fn tip(&self, branch: u32) -> Point {
        Point { branch, step: self.state_of(branch).tip, until: self.entries.len() }
    }

    /// The point just after this step of the current branch or of one of its ancestors, before any change at that step.
    #[must_use]
    pub fn just_after(&self, step: u64) -> Point {
        let mut point = Point { step, ..self.here() };
        while let BranchState { parent: Some(parent), from, until, .. } = self.state_of(point.branch) {
            if step > *from {
                break;
            }
            point = Point { branch: *parent, step, until: *until };
        }
        let excluded =
            |(branch, entry): &(u32, Entry)| *branch == point.branch && entry.step() >= step && entry.shapes_training();
        let first = self.entries[..point.until].iter().position(excluded);
        Point { until: first.unwrap_or(point.until), ..point }
    }

    /// The changes by hand of settings on the current lineage, in order, each with the point before it.
    fn changes_by_hand(&self) -> Vec<(Point, &Intervention)> {
        let of_part = |part: Point| {
            let mine =
                self.entries[..part.until].iter().enumerate().filter(move |(_, (branch, _))| *branch == part.branch);
            mine.filter_map(move |(until, (_, entry))| match entry {
                Entry::Set(change) if change.id != 0 => {
                    Some((Point { branch: part.branch, step: change.step, until }, change))
                }
                _ => None,
            })
        };
        self.lineage(self.here()).into_iter().flat_map(of_part).collect()
    }

    /// The point before the last `changes` changes by hand on the current lineage; none where there are fewer.
    #[must_use]
    pub fn before_change(&self, changes: u32) -> Option<Point> {
        let all = self.changes_by_hand();
        let at = all.len().checked_sub(changes as usize)?;
        all.get(at).map(|(point, _)| *point)
    }

    /// The number of changes by hand that undo has to revert to reach the point before the last change still in effect.
    /// A change whose old value was set again is no longer in effect, and neither is the change that set it.
    #[must_use]
    pub fn changes_to_undo(&self) -> Option<u32> {
        let all = self.changes_by_hand();
        let mut standing: Vec<usize> = Vec::new();
        for (at, (_, change)) in all.iter().enumerate() {
            let reverts = |before: &Intervention| {
                (&before.field, &before.from, &before.to) == (&change.field, &change.to, &change.from)
            };
            if standing.last().is_some_and(|last| reverts(all[*last].1)) {
                standing.pop();
            } else {
                standing.push(at);
            }
        }
        standing.last().map(|last| u32::try_from(all.len() - last).unwrap_or(u32::MAX))
    }

    /// The lineage of a point: the parts of the branches that lead to it, from the start on.
    #[must_use]
    pub fn lineage(&self, to: Point) -> Vec<Point> {
        let mut parts = vec![to];
        let mut branch = to.branch;
        while let BranchState { parent: Some(parent), from, until, .. } = *self.state_of(branch) {
            parts.push(Point { branch: parent, step: from, until });
            branch = parent;
        }
        parts.reverse();
        parts
    }

    /// The position of a state on a lineage, which increases towards its end; none where the state does not lie on it.
    #[must_use]
    pub fn place_of(&self, lineage: &[Point], state: Point) -> Option<(usize, u64, usize)> {
        let at = lineage.iter().position(|part| part.branch == state.branch)?;
        let part = lineage[at];
        let has_more = || {
            let range = part.until.min(self.entries.len())..state.until.min(self.entries.len());
            !range.is_empty()
                && self.entries[range].iter().any(|(branch, entry)| *branch == part.branch && entry.shapes_training())
        };
        (state.step <= part.step && !has_more()).then_some((at, state.step, state.until))
    }

    /// The changes by hand on a lineage after a state that lies on it.
    #[must_use]
    pub fn changes_after(&self, lineage: &[Point], state: Point) -> Vec<Entry> {
        let from = lineage.iter().position(|part| part.branch == state.branch).unwrap_or(0);
        let of_part = |(at, part): (usize, &Point)| {
            let start = if at == 0 { state.until.min(part.until) } else { 0 };
            let mine = self.entries[start..part.until].iter().filter(|(branch, _)| *branch == part.branch);
            mine.filter(|(_, entry)| entry.shapes_training()).map(|(_, entry)| entry.clone()).collect::<Vec<_>>()
        };
        lineage[from..].iter().enumerate().flat_map(of_part).collect()
    }

    /// The branches as events report them.
    #[must_use]
    pub fn report(&self) -> Vec<Branch> {
        let numbered = (0..).zip(&self.branches);
        let shown = numbered.map(|(id, state)| Branch {
            id,
            parent: state.parent,
            from: state.from,
            tip: state.tip,
            best: state.best,
            pinned: self.pins.contains(&(id, state.tip)),
            current: id == self.current,
        });
        shown.collect()
    }
}

fn best_of<'a>(evaluations: impl Iterator<Item = &'a Evaluation>) -> Option<Evaluation> {
    evaluations.fold(None, |best: Option<Evaluation>, made| match best {
        Some(best) if !made.is_better_than(&best) => Some(best),
        _ => Some(*made),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::protocol::{ActionKind, Intervention, JournalAction};
    use spartui_facts::recipe::Value;

    fn set(step: u64, to: i64) -> Entry {
        let (field, from) = ("f".to_owned(), Value::Integer(0));
        Entry::Set(Intervention { step, field, from, to: Value::Integer(to), id: 7, time: 0.0 })
    }

    fn rewind(tree: &mut Tree, to: u64) -> u32 {
        let (step, point) = (tree.here().step, tree.just_after(to));
        let branch = u32::try_from(tree.branches().len()).unwrap();
        tree.add(Entry::Action(JournalAction { step, what: ActionKind::Rewind { to, branch }, id: 1, time: 0.0 }));
        assert_eq!(tree.fork(point), branch);
        branch
    }

    fn values(tree: &Tree, to: Point) -> Vec<i64> {
        let lineage = tree.lineage(to);
        let start = Point { branch: 0, step: 0, until: 0 };
        let value = |entry: Entry| if let Entry::Set(change) = entry { change.to.as_integer() } else { None };
        tree.changes_after(&lineage, start).into_iter().filter_map(value).collect()
    }

    /// 0: set 1 at 10, set 2 at 20, to 40; 1: from 20 to 30, set 3 at 25; 2: from 22 of 1; then on with 0, set 4 at 40.
    fn sample_tree() -> Tree {
        let mut tree = Tree::default();
        for (step, value) in [(10, 1), (20, 2)] {
            tree.reached(step, None);
            tree.add(set(step, value));
        }
        tree.reached(40, None);
        rewind(&mut tree, 20);
        tree.reached(25, None);
        tree.add(set(25, 3));
        tree.reached(30, None);
        rewind(&mut tree, 22);
        tree.add(Entry::Action(JournalAction {
            step: 22,
            what: ActionKind::SwitchBranch { branch: 0 },
            id: 1,
            time: 0.0,
        }));
        tree.go_to(0);
        tree.add(set(40, 4));
        tree.reached(50, None);
        tree
    }

    #[test]
    fn a_way_holds_the_changes_that_were_made_on_it_and_no_others() {
        let tree = sample_tree();
        assert_eq!(values(&tree, tree.here()), [1, 2, 4]);
        assert_eq!(values(&tree, tree.tip(1)), [1, 3]);
        assert_eq!(values(&tree, tree.tip(2)), [1]);
        assert_eq!(values(&tree, tree.just_after(20)), [1]);
        assert_eq!(values(&tree, tree.just_after(21)), [1, 2]);
        assert_eq!(values(&tree, tree.just_after(0)), [0_i64; 0]);
    }

    #[test]
    fn a_rewind_before_the_branch_began_is_one_of_its_parent() {
        let mut tree = sample_tree();
        tree.go_to(2);
        assert_eq!(tree.just_after(22).branch, 1);
        assert_eq!(tree.just_after(20), Point { branch: 0, step: 20, until: 1 });
        assert_eq!(tree.just_after(5).branch, 0);
        rewind(&mut tree, 20);
        assert_eq!((values(&tree, tree.here()), tree.here().step), (vec![1], 20));
    }

    #[test]
    fn undo_goes_before_the_last_change_and_again_before_the_one_before() {
        let mut tree = sample_tree();
        let mut undo = |expected: &[i64]| {
            assert_eq!(tree.changes_to_undo(), Some(1));
            let point = tree.before_change(1).unwrap();
            tree.fork(point);
            assert_eq!(values(&tree, tree.here()), expected);
        };
        undo(&[1, 2]);
        undo(&[1]);
        undo(&[]);
        assert_eq!((tree.changes_to_undo(), tree.before_change(1)), (None, None));
    }

    #[test]
    fn what_was_taken_back_is_not_undone_again() {
        let mut tree = Tree::default();
        let mut change = |step: u64, field: &str, from: i64, to: i64| {
            tree.reached(step, None);
            let (from, to) = (Value::Integer(from), Value::Integer(to));
            tree.add(Entry::Set(Intervention { step, field: field.into(), from, to, id: 7, time: 0.0 }));
            let changes = tree.changes_to_undo();
            (changes, changes.and_then(|changes| tree.before_change(changes)).map(|point| (point.step, point.until)))
        };
        assert_eq!(change(10, "f", 0, 1), (Some(1), Some((10, 0))));
        assert_eq!(change(20, "g", 0, 5), (Some(1), Some((20, 1))));
        assert_eq!(change(30, "g", 5, 0), (Some(3), Some((10, 0))), "the second one was taken back");
        assert_eq!(change(40, "f", 1, 0), (None, None), "both were");
        assert_eq!(change(50, "f", 0, 2), (Some(1), Some((50, 4))));
        // A journal is followed as it is: those of before went back over the last change alone.
        for (changes, to) in [(1, 30), (2, 20), (3, 10)] {
            let mut tree = Tree::default();
            for (step, field, from, to) in [(10, "f", 0, 1), (20, "g", 0, 5), (30, "g", 5, 0)] {
                let (from, to) = (Value::Integer(from), Value::Integer(to));
                let change = Intervention { step, field: field.into(), from, to, id: 7, time: 0.0 };
                tree.replay(&Entry::Set(change)).unwrap();
            }
            let what = ActionKind::Undo { to, branch: 1, changes };
            tree.replay(&Entry::Action(JournalAction { step: 40, what, id: 1, time: 0.0 })).unwrap();
            assert_eq!((tree.current(), tree.get(1).unwrap().from), (1, to));
        }
    }

    #[test]
    fn a_state_lies_on_the_ways_that_it_led_to() {
        let tree = sample_tree();
        let to_tip_of_1 = tree.lineage(tree.tip(1));
        let lies = |branch, step, until| tree.place_of(&to_tip_of_1, Point { branch, step, until });
        assert_eq!(lies(0, 20, 1), Some((0, 20, 1)));
        assert_eq!(lies(0, 20, 2), None, "with the second change in it");
        assert_eq!(lies(0, 21, 2), None);
        assert_eq!(lies(1, 30, 4), Some((1, 30, 4)));
        assert_eq!(lies(2, 22, 6), None);
        assert!(lies(0, 20, 1) < lies(1, 25, 3));
    }

    #[test]
    fn a_journal_makes_the_same_branches_again_and_a_wrong_one_is_refused() {
        let tree = sample_tree();
        let entries: Vec<Entry> = tree.entries.iter().map(|(_, entry)| entry.clone()).collect();
        let again = Tree::of_journal(&entries, 50).unwrap();
        assert_eq!(again.branches, tree.branches);
        assert_eq!((again.here(), again.entries), (tree.here(), tree.entries.clone()));
        assert!(Tree::of_journal(&entries, 39).is_err());
        let wrong = |at: usize, entry: Entry| {
            let mut entries = entries.clone();
            entries[at] = entry;
            Tree::of_journal(&entries, 50).is_err()
        };
        let action = |step, what| Entry::Action(JournalAction { step, what, id: 1, time: 0.0 });
        assert!(wrong(1, set(5, 1)));
        assert!(wrong(2, action(40, ActionKind::Rewind { to: 41, branch: 1 })));
        assert!(wrong(2, action(40, ActionKind::Rewind { to: 20, branch: 2 })));
        assert!(wrong(0, action(10, ActionKind::Undo { to: 0, branch: 1, changes: 1 })));
        assert!(wrong(5, action(22, ActionKind::SwitchBranch { branch: 7 })));
        assert!(Tree::of_journal(&[], 0).is_ok());
    }
}
