//! The list of runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::jobs::KnownRun;
use crate::typed::Typed;
use spartui_run::State;

/// The list of runs.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// The runs, newest first; none while unknown.
    pub runs: Option<Result<Vec<KnownRun>, String>>,
    /// The filter of the list.
    pub filter: String,
    /// The filter while it is being typed.
    pub typed: Option<Typed>,
    /// The order of the runs.
    pub sort: Sort,
    /// The order of a race's lanes.
    lane_sort: LaneSort,
    /// The race whose lanes are listed instead of the runs.
    inside: Option<PathBuf>,
    /// The folders of the marked runs.
    marked: BTreeSet<PathBuf>,
    /// The folder of the selected run; none for the first one.
    selected: Option<PathBuf>,
}

/// The order of a list of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Runs in training, then the newest ones.
    #[default]
    Time,
    /// By name.
    Name,
    /// Best first.
    Score,
    /// Runs in training, resumable runs, ended runs.
    Status,
}

/// The order of a race's lanes, by default their ranking.
#[derive(Debug, Clone, Copy)]
struct LaneSort(Sort);

impl Default for LaneSort {
    fn default() -> Self {
        Self(Sort::Score)
    }
}

impl Sort {
    const ALL: [Self; 4] = [Self::Time, Self::Name, Self::Score, Self::Status];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Name => "name",
            Self::Score => "score",
            Self::Status => "status",
        }
    }

    fn moved(self, by: isize) -> Self {
        let count = Self::ALL.len();
        Self::ALL[(self as usize).wrapping_add_signed(by + count.cast_signed()) % count]
    }

    /// Sorts runs given newest first. The sort is stable.
    fn sort(self, runs: &mut [&KnownRun]) {
        match self {
            Self::Time => runs.sort_by_key(|run| run.run.state != Some(State::Running)),
            Self::Name => runs.sort_by_key(|run| natural(&run.run.name)),
            Self::Score => runs.sort_by(|a, b| {
                let ((kind, score), (other_kind, other)) = (score(a), score(b));
                kind.cmp(&other_kind).then(score.total_cmp(&other))
            }),
            Self::Status => runs.sort_by_key(|run| match run.run.state {
                Some(State::Running) => 0,
                Some(state) if state.can_resume() => 1,
                Some(_) => 2,
                None => 3,
            }),
        }
    }
}

/// The key of a sort by quality: classifiers by accuracy, then language models by loss, then runs without an
/// evaluation. Less is better.
fn score(run: &KnownRun) -> (u8, f64) {
    match (&run.best, run.run.best_accuracy) {
        (Some(best), _) if best.mcc.is_some() => (0, -best.accuracy),
        (Some(best), _) => (1, best.eval_loss),
        (None, Some(accuracy)) => (0, -accuracy),
        (None, None) => (2, 0.0),
    }
}

/// A natural sort key, by which `lane-10` comes after `lane-9`: digits are compared as numbers.
fn natural(name: &str) -> Vec<(String, Option<u64>)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let word = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(word);
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        let number = (!number.is_empty()).then(|| number.parse().unwrap_or(u64::MAX));
        parts.push((text.to_lowercase(), number));
        rest = tail;
    }
    parts
}

impl Home {
    /// The runs that match the filter, in their order; in an opened race, its lanes.
    #[must_use]
    pub fn shown(&self) -> Vec<&KnownRun> {
        let filter = self.typed.as_ref().map_or(&self.filter, |typed| &typed.text).to_lowercase();
        let fits = |run: &&KnownRun| {
            let state = run.run.state.map_or("damaged".into(), |state| state.to_string());
            let of = |text: &Option<String>| text.clone().unwrap_or_default();
            let words = format!(
                "{} {state} {} {} {} {} {}",
                run.run.name,
                of(&run.run.method),
                of(&run.run.model),
                of(&run.varied),
                run.run.tags.join(" "),
                run.run.note
            )
            .to_lowercase();
            filter.split_whitespace().all(|part| words.contains(part.trim_start_matches('#')))
        };
        let mut shown: Vec<&KnownRun> = self.listable().iter().filter(fits).collect();
        self.order().sort(&mut shown);
        shown
    }

    /// The runs of the list before filtering.
    fn listable(&self) -> &[KnownRun] {
        self.race().map_or_else(|| self.known(), |race| race.lanes.as_slice())
    }

    fn known(&self) -> &[KnownRun] {
        self.runs.as_ref().and_then(|runs| runs.as_deref().ok()).unwrap_or_default()
    }

    /// The race whose lanes are listed.
    #[must_use]
    pub fn race(&self) -> Option<&KnownRun> {
        let inside = self.inside.as_ref()?;
        self.known().iter().find(|run| run.run.folder == *inside)
    }

    /// Lists the lanes of a race.
    pub fn enter(&mut self, race: &Path) {
        (self.inside, self.selected) = (Some(race.to_owned()), None);
        self.filter.clear();
        self.marked.clear();
    }

    /// Undoes one restriction or the marks of the list; returns whether there was any.
    pub fn leave(&mut self) -> bool {
        if !self.filter.is_empty() {
            self.filter.clear();
        } else if !self.marked.is_empty() {
            self.marked.clear();
        } else if let Some(race) = self.inside.take() {
            self.selected = Some(race);
        } else {
            return false;
        }
        true
    }

    /// The current order.
    #[must_use]
    pub fn order(&self) -> Sort {
        if self.race().is_some() { self.lane_sort.0 } else { self.sort }
    }

    /// Changes the order. The selection stays on its run.
    pub fn sort_by(&mut self, by: isize) {
        self.selected = self.selected().map(|run| run.run.folder.clone());
        let sort = self.order().moved(by);
        if self.race().is_some() {
            self.lane_sort = LaneSort(sort);
        } else {
            self.sort = sort;
        }
    }

    /// Whether a run is marked.
    #[must_use]
    pub fn is_marked(&self, run: &KnownRun) -> bool {
        self.marked.contains(&run.run.folder)
    }

    /// Marks or unmarks the selected run, and moves on to the next one.
    pub fn mark(&mut self) {
        let Some(folder) = self.selected().map(|run| run.run.folder.clone()) else { return };
        if !self.marked.remove(&folder) {
            self.marked.insert(folder);
        }
        self.walk(1);
    }

    /// Marks all runs of the list, or unmarks them if all are marked. Runs that the filter hides keep their marks.
    pub fn mark_all(&mut self) {
        let shown: BTreeSet<PathBuf> = self.shown().into_iter().map(|run| run.run.folder.clone()).collect();
        if shown.is_subset(&self.marked) {
            self.marked.retain(|folder| !shown.contains(folder));
        } else {
            self.marked.extend(shown);
        }
    }

    /// The marked runs of the list.
    #[must_use]
    pub fn marked(&self) -> Vec<&KnownRun> {
        self.shown().into_iter().filter(|run| self.is_marked(run)).collect()
    }

    /// Number of marked runs hidden by the filter, which actions leave out.
    #[must_use]
    pub fn hidden_marks(&self) -> usize {
        self.marked.len().saturating_sub(self.marked().len())
    }

    /// The runs that an action applies to: the marked ones, else the selected one.
    #[must_use]
    pub fn chosen(&self) -> Vec<&KnownRun> {
        let marked = self.marked();
        if marked.is_empty() { self.selected().into_iter().collect() } else { marked }
    }

    /// Row of the selected run.
    #[must_use]
    pub fn row(&self) -> usize {
        let shown = self.shown();
        self.selected.as_ref().and_then(|folder| shown.iter().position(|run| run.run.folder == *folder)).unwrap_or(0)
    }

    /// The selected run.
    #[must_use]
    pub fn selected(&self) -> Option<&KnownRun> {
        self.shown().get(self.row()).copied()
    }

    /// Moves the selection by this many rows.
    pub fn walk(&mut self, by: isize) {
        let shown = self.shown();
        let row = self.row().saturating_add_signed(by).min(shown.len().saturating_sub(1));
        self.selected = shown.get(row).map(|run| run.run.folder.clone());
    }

    /// Selects a run by its folder, even if it is not listed yet.
    pub fn select(&mut self, folder: &Path) {
        self.selected = Some(folder.to_owned());
    }

    /// Updates the list of runs. The selection keeps its row even if its run is gone.
    pub fn listed(&mut self, runs: Result<Vec<KnownRun>, String>) {
        let row = self.row();
        let was_listed = self.selected.as_ref().is_some_and(|folder| self.lists(folder));
        self.runs = Some(runs);
        let known: BTreeSet<PathBuf> = self.listable().iter().map(|run| run.run.folder.clone()).collect();
        self.marked.retain(|folder| known.contains(folder));
        if self.inside.is_some() && self.race().is_none_or(|race| race.lanes.is_empty()) {
            self.inside = None;
        }
        if was_listed && self.selected.as_ref().is_some_and(|folder| !self.lists(folder)) {
            let shown = self.shown();
            self.selected = shown.get(row.min(shown.len().saturating_sub(1))).map(|run| run.run.folder.clone());
        }
    }

    fn lists(&self, folder: &Path) -> bool {
        self.known()
            .iter()
            .any(|run| run.run.folder == folder || run.lanes.iter().any(|lane| lane.run.folder == folder))
    }

    /// Whether a run of this name is known.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.known().iter().any(|run| run.run.name == name)
    }
}

/// The action available for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAction {
    /// It is in training: attach.
    Attach,
    /// A race that is not in training: list its lanes.
    Lanes,
    /// It ended early: resume it.
    Resume,
    /// It has ended.
    Look,
    /// It cannot be read.
    Nothing,
}

/// The action of Enter on a run.
#[must_use]
pub fn action_of(run: &KnownRun) -> RunAction {
    match run.run.state {
        None => RunAction::Nothing,
        Some(State::Running) => RunAction::Attach,
        Some(_) if !run.lanes.is_empty() => RunAction::Lanes,
        Some(_) if run.run.can_resume() => RunAction::Resume,
        Some(_) => RunAction::Look,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Spark;
    use spartui_facts::protocol::Evaluation;
    use spartui_run::ListedRun;

    fn run(name: &str, state: State) -> KnownRun {
        let run = ListedRun {
            name: name.into(),
            folder: Path::new("/runs").join(name),
            state: Some(state),
            steps: None,
            total_steps: None,
            best_accuracy: None,
            best: None,
            method: Some("sparta".into()),
            model: None,
            started: None,
            problem: None,
            tags: Vec::new(),
            note: String::new(),
            lanes: Vec::new(),
            out: false,
        };
        KnownRun {
            run,
            sparsity: None,
            loss: None,
            best: None,
            spark: Spark::default(),
            lanes: Vec::new(),
            varied: None,
        }
    }

    fn names(home: &Home) -> Vec<String> {
        home.shown().into_iter().map(|run| run.run.name.clone()).collect()
    }

    #[test]
    fn what_trains_stands_first_and_a_filter_takes_every_word() {
        let mut home = Home::default();
        home.listed(Ok(vec![run("a", State::Completed), run("b", State::Running), run("c", State::Failed)]));
        assert_eq!(names(&home), ["b", "a", "c"]);
        home.filter = "SPARTA fail".into();
        assert_eq!(names(&home), ["c"]);
        home.filter = "lora".into();
        assert!(names(&home).is_empty() && home.selected().is_none());
        home.walk(3);
    }

    #[test]
    fn the_selection_stays_with_its_run_and_else_with_its_row() {
        let mut home = Home::default();
        let all = || vec![run("a", State::Completed), run("b", State::Completed), run("c", State::Completed)];
        home.listed(Ok(all()));
        home.walk(1);
        let mut more = all();
        more.insert(0, run("new", State::Completed));
        home.listed(Ok(more));
        assert_eq!(home.selected().map(|run| run.run.name.as_str()), Some("b"));
        home.listed(Ok(vec![run("a", State::Completed), run("c", State::Completed)]));
        assert!(home.selected().is_some());
        // A run that is not listed yet is selected when it appears.
        home.select(Path::new("/runs/later"));
        home.listed(Ok(all()));
        let mut later = all();
        later.push(run("later", State::Running));
        home.listed(Ok(later));
        assert_eq!(home.selected().map(|run| run.run.name.as_str()), Some("later"));
    }

    fn scored(name: &str, state: State, accuracy: Option<f64>) -> KnownRun {
        let best = accuracy.map(|accuracy| Evaluation {
            step: 1,
            eval_loss: 1.0,
            accuracy,
            mcc: Some(0.0),
            examples: 1,
            seconds: 0.0,
            branch: 0,
        });
        KnownRun { best, ..run(name, state) }
    }

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = ["run-10", "sep0", "run", "Run-9", "sep", "run-2"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["run", "run-2", "Run-9", "run-10", "sep", "sep0"]);
    }

    #[test]
    fn the_list_is_sorted_and_the_selection_stays() {
        let mut home = Home::default();
        home.listed(Ok(vec![
            scored("b", State::Completed, Some(0.5)),
            scored("a10", State::Failed, None),
            scored("a9", State::Running, Some(0.9)),
            scored("c", State::Interrupted, Some(0.7)),
        ]));
        assert_eq!((home.order(), names(&home)), (Sort::Time, ["a9", "b", "a10", "c"].map(str::to_owned).to_vec()));
        home.walk(3);
        home.sort_by(1);
        assert_eq!((home.order(), names(&home)), (Sort::Name, ["a9", "a10", "b", "c"].map(str::to_owned).to_vec()));
        home.sort_by(1);
        assert_eq!((home.order(), names(&home)), (Sort::Score, ["a9", "c", "b", "a10"].map(str::to_owned).to_vec()));
        home.sort_by(1);
        assert_eq!((home.order(), names(&home)), (Sort::Status, ["a9", "a10", "c", "b"].map(str::to_owned).to_vec()));
        home.sort_by(1);
        assert_eq!(home.order(), Sort::Time);
        assert_eq!(home.selected().map(|run| run.run.name.as_str()), Some("c"));
    }

    #[test]
    fn several_runs_are_marked_and_those_that_go_are_forgotten() {
        let mut home = Home::default();
        let all =
            || vec![run("alpha", State::Completed), run("beta", State::Completed), run("gamma", State::Completed)];
        home.listed(Ok(all()));
        let chosen = |home: &Home| home.chosen().into_iter().map(|run| run.run.name.clone()).collect::<Vec<_>>();
        assert_eq!(chosen(&home), ["alpha"], "the selected one, where none is marked");
        home.mark();
        home.walk(1);
        home.mark();
        assert_eq!(chosen(&home), ["alpha", "gamma"]);
        home.filter = "gamma".into();
        assert_eq!(chosen(&home), ["gamma"], "what is out of sight is not meant");
        assert_eq!(home.hidden_marks(), 1);
        home.listed(Ok(all()));
        home.mark_all();
        assert_eq!((home.marked().len(), home.hidden_marks()), (0, 1));
        home.mark_all();
        home.filter.clear();
        assert_eq!(chosen(&home), ["alpha", "gamma"], "what is out of sight is not forgotten");
        assert_eq!(home.hidden_marks(), 0);
        home.listed(Ok(all().into_iter().skip(1).collect()));
        assert_eq!(chosen(&home), ["gamma"]);
        home.mark_all();
        assert_eq!(chosen(&home), ["beta", "gamma"]);
        home.mark_all();
        assert!(home.marked().is_empty());
    }

    #[test]
    fn a_race_opens_its_lanes_and_offers_what_can_be_done() {
        let lane = |name: &str, state, accuracy| {
            let mut lane = scored(name, state, Some(accuracy));
            lane.run.folder = Path::new("/runs/race/lanes").join(name);
            lane
        };
        let mut race = run("race", State::Stopped);
        race.lanes = vec![lane("lane-1", State::Stopped, 0.2), lane("lane-2", State::Stopped, 0.4)];
        race.run.lanes = race.lanes.iter().map(|lane| lane.run.clone()).collect();
        assert_eq!((action_of(&race), race.run.can_resume()), (RunAction::Lanes, true));
        // All lanes were stopped individually: the race has nothing to resume.
        let mut over = race.clone();
        over.run.lanes.iter_mut().for_each(|lane| lane.out = true);
        assert_eq!((action_of(&over), over.run.can_resume()), (RunAction::Lanes, false));
        let mut home = Home::default();
        home.listed(Ok(vec![run("other", State::Completed), race.clone()]));
        home.enter(&race.run.folder);
        assert_eq!(names(&home), ["lane-2", "lane-1"], "in the order in which they stand");
        assert_eq!(home.selected().map(action_of), Some(RunAction::Resume), "a lane is a run of its own");
        home.walk(1);
        home.listed(Ok(vec![run("other", State::Completed), race.clone()]));
        assert_eq!(home.selected().map(|run| run.run.name.as_str()), Some("lane-1"));
        assert!(home.leave());
        assert_eq!(home.selected().map(|run| run.run.name.as_str()), Some("race"));
        assert!(!home.leave());
        // The race is deleted while its lanes are listed.
        home.enter(&race.run.folder);
        home.listed(Ok(vec![run("other", State::Completed)]));
        assert_eq!(names(&home), ["other"]);
    }
}
