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
        let known = self.selected().map(|run| run.run.folder.clone());
        self.runs = Some(runs);
        let gone = known.is_some_and(|folder| self.selected.as_ref() == Some(&folder) && !self.lists(&folder));
        if gone {
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
