//! The list of runs.

use std::path::{Path, PathBuf};

use crate::interface::jobs::KnownRun;
use crate::interface::state::Typed;
use crate::run::State;

/// The list of runs.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// The runs, the latest first; nothing while they are not known.
    pub runs: Option<Result<Vec<KnownRun>, String>>,
    /// What the list is narrowed to.
    pub filter: String,
    /// The filter while it is being typed.
    pub typed: Option<Typed>,
    /// The folder of the selected run; none: the first.
    selected: Option<PathBuf>,
}

impl Home {
    /// The runs that fit the filter: those that train first, then by time.
    #[must_use]
    pub fn shown(&self) -> Vec<&KnownRun> {
        let filter = self.typed.as_ref().map_or(&self.filter, |typed| &typed.text).to_lowercase();
        let runs = self.runs.iter().flatten().flatten();
        let fits = |run: &&KnownRun| {
            let state = run.run.state.map_or("damaged".into(), |state| state.to_string());
            let of = |text: &Option<String>| text.clone().unwrap_or_default();
            let words =
                format!("{} {state} {} {}", run.run.name, of(&run.run.method), of(&run.run.model)).to_lowercase();
            filter.split_whitespace().all(|part| words.contains(part))
        };
        let mut shown: Vec<&KnownRun> = runs.filter(fits).collect();
        shown.sort_by_key(|run| run.run.state != Some(State::Running));
        shown
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

    /// Selects the run this many rows further.
    pub fn walk(&mut self, by: isize) {
        let shown = self.shown();
        let row = self.row().saturating_add_signed(by).min(shown.len().saturating_sub(1));
        self.selected = shown.get(row).map(|run| run.run.folder.clone());
    }

    /// Selects a run by its folder, also one that is not listed yet.
    pub fn select(&mut self, folder: &Path) {
        self.selected = Some(folder.to_owned());
    }

    /// Takes in what runs there are. The selection stays where it is, also where its run is gone.
    pub fn listed(&mut self, runs: Result<Vec<KnownRun>, String>) {
        let row = self.row();
        let was_listed = self.selected.as_ref().is_some_and(|folder| self.lists(folder));
        self.runs = Some(runs);
        if was_listed && self.selected.as_ref().is_some_and(|folder| !self.lists(folder)) {
            let shown = self.shown();
            self.selected = shown.get(row.min(shown.len().saturating_sub(1))).map(|run| run.run.folder.clone());
        }
    }

    fn lists(&self, folder: &Path) -> bool {
        self.runs.iter().flatten().flatten().any(|run| run.run.folder == folder)
    }

    /// Whether a run of this name is known.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.runs.iter().flatten().flatten().any(|run| run.run.name == name)
    }
}

/// What can be done with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Can {
    /// A process trains it: attach.
    Attach,
    /// It ended before its time: go on with it.
    Resume,
    /// It has ended.
    Look,
    /// It cannot be understood.
    Nothing,
}

/// What Enter does with a run.
#[must_use]
pub fn can(run: &KnownRun) -> Can {
    match run.run.state {
        Some(State::Running) => Can::Attach,
        Some(State::Interrupted | State::Terminated | State::Failed | State::Stopped | State::Aborted) => Can::Resume,
        Some(State::Completed | State::StoppedEarly) => Can::Look,
        None => Can::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::jobs::Spark;
    use crate::run::ListedRun;

    fn run(name: &str, state: State) -> KnownRun {
        let run = ListedRun {
            name: name.into(),
            folder: Path::new("/runs").join(name),
            state: Some(state),
            steps: None,
            total_steps: None,
            best_accuracy: None,
            method: Some("sparta".into()),
            model: None,
            started: None,
            problem: None,
        };
        KnownRun { run, sparsity: None, loss: None, best: None, spark: Spark::default() }
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
        // A run that is not listed yet is selected as soon as it is.
        home.select(Path::new("/runs/later"));
        home.listed(Ok(all()));
        let mut later = all();
        later.push(run("later", State::Running));
        home.listed(Ok(later));
        assert_eq!(home.selected().map(|run| run.run.name.as_str()), Some("later"));
    }
}
