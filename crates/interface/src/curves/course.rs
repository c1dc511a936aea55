//! The curves of a run, read from its files: all measurements of each branch.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metric::{Metric, Source};
use crate::widgets::Shape;
use crate::widgets::chart::{Along, Extent, Measure};
use spartui_facts::protocol::{ActionKind, Entry, Evaluation, Intervention, JournalAction, Step};
use spartui_facts::series::{Curve, Ruler, Series};
use spartui_run::Reading;

/// The curves of a run.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Its branches by number. A picture that is being written shares them.
    pub branches: BTreeMap<u32, Arc<Track>>,
    /// Lines of the metrics file that could not be parsed.
    pub damaged: usize,
    /// Points that were skipped because their step did not increase.
    pub backwards: usize,
    /// Changes by hand, each with its branch.
    pub changes: Vec<(u32, Intervention)>,
    parents: BTreeMap<u32, (u32, u64)>,
    weight: f64,
}

/// The curves of a branch: its own steps only.
#[derive(Debug, Clone)]
pub struct Track {
    /// The parent branch, and the step after which this one began.
    pub parent: Option<(u32, u64)>,
    /// The step metrics, in the order of [`Metric::STEPS`].
    steps: [Curve; Metric::OF_STEPS],
    evaluations: [Series; Metric::OF_EVALUATIONS],
    /// Epochs, tokens and seconds after each step.
    rulers: [Ruler; 3],
}

impl Track {
    fn new(parent: Option<(u32, u64)>, weight: f64, begins: [f64; 3]) -> Self {
        Self {
            parent,
            steps: std::array::from_fn(|_| Curve::new(weight)),
            evaluations: Default::default(),
            rulers: begins.map(Ruler::from),
        }
    }

    /// A track that begins where another one was after a step, and shares the points there: so its lines and its
    /// smoothing continue the parent's.
    fn after(track: &Self, parent: (u32, u64)) -> Self {
        let from = parent.1;
        let begins = [Along::Epochs, Along::Tokens, Along::Time].map(|along| track.measure(along).value(from));
        let mut new = Self::new(Some(parent), 0.0, begins);
        for (curve, of) in new.steps.iter_mut().zip(&track.steps) {
            *curve = of.following(from);
            if let Some((step, value)) = of.raw().nearest(from).filter(|(step, _)| *step == from) {
                curve.push(step, value);
            }
        }
        if !new.steps[0].raw().is_empty() {
            new.rulers.iter_mut().for_each(|ruler| ruler.push(0.0));
        }
        new
    }

    /// The curve of a metric; none if files do not have it.
    #[must_use]
    pub fn curve(&self, metric: Metric) -> Option<Shape<'_>> {
        match metric.source() {
            Source::Step(at) if metric.is_noisy() => Some(Shape::Curve(&self.steps[at])),
            Source::Step(at) => Some(Shape::Series(self.steps[at].raw())),
            Source::Evaluation(at) => Some(Shape::Series(&self.evaluations[at])),
            Source::Memory => None,
        }
    }

    /// The mapping from its steps to an axis.
    #[must_use]
    pub fn measure(&self, along: Along) -> Measure<'_> {
        match along {
            Along::Steps => Measure::Steps,
            Along::Epochs => Measure::Ruled(self.steps[0].raw(), &self.rulers[0]),
            Along::Tokens => Measure::Ruled(self.steps[0].raw(), &self.rulers[1]),
            Along::Time => Measure::Ruled(self.steps[0].raw(), &self.rulers[2]),
        }
    }

    /// Its range on an axis; none before its first step.
    #[must_use]
    pub fn extent(&self, along: Along) -> Option<Extent> {
        let steps = self.steps[0].raw();
        let span = steps.span()?;
        let ruler = match along {
            Along::Steps => return Some(span.into()),
            Along::Epochs => &self.rulers[0],
            Along::Tokens => &self.rulers[1],
            Along::Time => &self.rulers[2],
        };
        let all = ruler.end() - ruler.begin();
        let unit = (all / steps.len() as f64).max(1e-9);
        Some(Extent { start: ruler.begin(), end: ruler.end() + unit * 1e-3, unit })
    }

    /// First and last step, including the points shared with its parent.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        self.steps[0].raw().span()
    }

    /// Whether a step is its own, rather than shared with its parent.
    #[must_use]
    pub fn owns(&self, step: u64) -> bool {
        self.parent.is_none_or(|(_, from)| step > from)
    }

    /// Memory used, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let steps: usize = self.steps.iter().map(Curve::bytes).sum();
        let evaluations: usize = self.evaluations.iter().map(Series::bytes).sum();
        steps + evaluations + self.rulers.iter().map(Ruler::bytes).sum::<usize>()
    }

    /// Adds a step; returns whether it came after the last one.
    fn step(&mut self, step: &Step) -> bool {
        let added = self.steps[0].push(step.step, step.loss);
        if added {
            for (curve, value) in self.steps[1..].iter_mut().zip(&Metric::of_step(step)[1..]) {
                curve.push(step.step, *value);
            }
            let [epochs, tokens, time] = &mut self.rulers;
            epochs.push(step.epoch - epochs.end());
            tokens.push(step.tokens as f64);
            time.push(step.seconds);
        }
        added
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> bool {
        let values = Metric::of_evaluation(evaluation);
        let mut all = true;
        for (series, value) in self.evaluations.iter_mut().zip(values) {
            all &= value.is_none_or(|value| series.push(evaluation.step, value));
        }
        all
    }
}

impl Course {
    /// Empty curves, smoothed with this weight.
    #[must_use]
    pub fn new(weight: f64) -> Self {
        Self { weight, ..Self::default() }
    }

    /// Drops all measurements.
    pub fn restart(&mut self) {
        (self.branches, self.damaged, self.backwards) = (BTreeMap::new(), 0, 0);
    }

    /// Adds parsed lines of the metrics; returns whether a branch with an unknown parent began.
    pub fn add_readings(&mut self, readings: &[Reading]) -> bool {
        let mut unknown = false;
        for reading in readings {
            let branch = match reading {
                Reading::Step(step) => step.branch,
                Reading::Evaluation(evaluation) => evaluation.branch,
            };
            if !self.branches.contains_key(&branch) {
                let parent = self.parents.get(&branch).copied();
                unknown |= branch > 0 && parent.is_none();
                let track = match parent.and_then(|parent| Some((self.origin(parent)?, parent))) {
                    Some((origin, parent)) => Track::after(origin, parent),
                    None => Track::new(parent, self.weight, [0.0; 3]),
                };
                self.branches.insert(branch, Arc::new(track));
            }
            let Some(track) = self.branches.get_mut(&branch).map(Arc::make_mut) else { continue };
            let added = match reading {
                Reading::Step(step) => track.step(step),
                Reading::Evaluation(evaluation) => track.evaluation(evaluation),
            };
            self.backwards += usize::from(!added);
        }
        unknown
    }

    /// The track that has the step after which a branch began: its parent's, or that of the ancestor which has the
    /// step.
    fn origin(&self, (mut branch, from): (u32, u64)) -> Option<&Track> {
        loop {
            let track = self.branches.get(&branch)?;
            if track.span().is_some_and(|(first, _)| first <= from) {
                return Some(track);
            }
            // A branch has a higher number than its parent, so this loop ends.
            branch = track.parent?.0;
        }
    }

    /// Reads branches and changes from the journal. Returns whether a known branch turned out to have another parent:
    /// then the metrics must be read again.
    pub fn journal(&mut self, entries: &[Entry]) -> bool {
        (self.parents, self.changes) = (BTreeMap::new(), Vec::new());
        let mut current = 0;
        for entry in entries {
            match entry {
                Entry::Set(change) => self.changes.push((current, change.clone())),
                Entry::Action(JournalAction {
                    what: ActionKind::Rewind { to, branch } | ActionKind::Undo { to, branch, .. },
                    ..
                }) => {
                    if *branch > current {
                        self.parents.entry(*branch).or_insert((current, *to));
                    }
                    current = *branch;
                }
                Entry::Action(JournalAction { what: ActionKind::SwitchBranch { branch }, .. }) => current = *branch,
                Entry::Action(_) => {}
            }
        }
        self.branches.iter().any(|(id, track)| self.parents.get(id).copied() != track.parent)
    }

    /// Changes the weight of the smoothing.
    pub fn smooth(&mut self, weight: f64) {
        self.weight = weight;
        let ids: Vec<u32> = self.branches.keys().copied().collect();
        for id in ids {
            let begins = self.branches[&id].parent.and_then(|parent| {
                let origin = self.origin(parent)?;
                Some(origin.steps.each_ref().map(|curve| curve.state_before(parent.1)))
            });
            let begins = begins.unwrap_or_default();
            let Some(track) = self.branches.get_mut(&id).map(Arc::make_mut) else { continue };
            for (curve, begin) in track.steps.iter_mut().zip(begins) {
                curve.set_weight_after(weight, begin);
            }
        }
    }

    /// Steps of all branches together.
    #[must_use]
    pub fn points(&self) -> usize {
        self.branches.values().map(|track| track.steps[0].raw().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn step(number: u64, branch: u32) -> Reading {
        Reading::Step(Step {
            step: number,
            epoch: number as f64 / 100.0,
            loss: 1.0 / number as f64,
            learning_rate: 1e-4,
            grad_norm: 1.0,
            examples: 8,
            tokens: 100,
            seconds: 0.5,
            trainable: 7,
            sparsity: 0.5,
            branch,
        })
    }

    fn rewind(to: u64, branch: u32) -> Entry {
        Entry::Action(JournalAction { step: 9, what: ActionKind::Rewind { to, branch }, id: 1, time: 0.0 })
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-5
    }

    #[test]
    fn a_branch_goes_on_where_its_parent_was() {
        let readings: Vec<Reading> = (1..=10).map(|n| step(n, 0)).chain((5..=8).map(|n| step(n, 1))).collect();
        let mut course = Course::new(0.9);
        assert!(!course.journal(&[rewind(4, 1)]));
        assert!(!course.add_readings(&readings));
        for weight in [0.9, 0.5] {
            course.smooth(weight);
            let (first, track) = (&course.branches[&0], &course.branches[&1]);
            assert_eq!((track.parent, track.span()), (Some((0, 4)), Some((4, 8))));
            assert!(!track.owns(4) && track.owns(5));
            let smoothed = |track: &Track| track.curve(Metric::Loss).unwrap().smoothed_near(4);
            assert!(close(smoothed(track), smoothed(first)), "{} {}", smoothed(track), smoothed(first));
            let at = |along| track.measure(along).value(6);
            assert!(close(at(Along::Tokens), 600.0) && close(at(Along::Time), 3.0) && close(at(Along::Epochs), 0.06));
            assert_eq!(track.measure(Along::Tokens).step(599.0), 6);
            assert_eq!(track.measure(Along::Tokens).step(601.0), 7);
        }
    }

    #[test]
    fn where_a_branch_came_from_may_be_known_late() {
        let readings: Vec<Reading> = (1..=10).map(|n| step(n, 0)).chain((5..=8).map(|n| step(n, 1))).collect();
        let mut course = Course::new(0.9);
        assert!(course.add_readings(&readings));
        assert!(course.journal(&[rewind(4, 1)]));
        course.restart();
        assert!(!course.add_readings(&readings) && !course.journal(&[rewind(4, 1)]));
        assert_eq!(course.branches[&1].span(), Some((4, 8)));
    }

    #[test]
    fn a_branch_of_a_branch_that_begins_before_it() {
        let mut course = Course::new(0.0);
        course.journal(&[rewind(6, 1), rewind(2, 2)]);
        let branches =
            (1..=9).map(|n| step(n, 0)).chain((7..=8).map(|n| step(n, 1))).chain((3..=4).map(|n| step(n, 2)));
        course.add_readings(&branches.collect::<Vec<_>>());
        assert_eq!(course.branches[&2].span(), Some((2, 4)));
        assert!(close(course.branches[&2].measure(Along::Tokens).value(4), 400.0));
    }

    #[test]
    fn what_runs_backwards_is_left_out_and_counted() {
        let mut course = Course::new(0.0);
        course.add_readings(&[step(1, 0), step(3, 0), step(2, 0), step(3, 0), step(4, 0)]);
        assert_eq!((course.points(), course.backwards), (3, 2));
        course.restart();
        assert_eq!((course.points(), course.backwards), (0, 0));
    }

    #[test]
    fn a_journal_that_leads_in_a_circle_does_no_harm() {
        let mut course = Course::new(0.0);
        course.add_readings(&[step(1, 0), step(2, 1), step(3, 2)]);
        course.journal(&[rewind(4, 0), rewind(1, 2), rewind(9, 1), rewind(3, 2)]);
        assert!(course.branches.iter().all(|(id, track)| track.parent.is_none_or(|(parent, _)| parent < *id)));
    }
}
