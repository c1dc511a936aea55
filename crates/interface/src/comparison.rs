//! The comparison screen: settings with their spread over seeds, and paired tests on the same validation rows. It
//! shows the same as `spartui compare`; reading and resampling run as jobs.

use std::path::PathBuf;
use std::sync::Arc;

use super::frame::{Effect, Env, Look, Notice, Severity};
use super::jobs::comparison::{Ask, Listed};
use spartui_compare::{Column, Comparison, Row};

mod act;
mod draw;
mod layout;
mod mouse;
mod screen;

/// The comparison screen.
#[derive(Debug, Clone)]
pub struct ComparisonScreen {
    /// The fields that every screen has.
    pub env: Env,
    runs_dir: PathBuf,
    /// The runs to mark at first, if they match.
    candidates: Vec<PathBuf>,
    /// The run whose task and rows the marked runs must have, and the first baseline of the tests.
    against: Option<PathBuf>,
    /// All runs of the folder, newest first.
    runs: Option<Result<Vec<Listed>, String>>,
    /// The comparison of the marked runs.
    found: Option<Result<Arc<Comparison>, String>>,
    /// Number of the newest request; answers to older ones are ignored.
    asked: u64,
    /// Whether that request is in progress.
    waits: bool,
    focus: Focus,
    row: usize,
    run_row: usize,
    /// The column by which the settings are sorted, and whether descending; none for the original order.
    sort: Option<(Column, bool)>,
    /// Whether the question for the file format is open.
    writing: bool,
}

/// The list with the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Settings,
    Runs,
}

impl ComparisonScreen {
    /// The comparison of a folder of runs. At first those candidates are marked that have the rows and the task of the
    /// run `like`.
    #[must_use]
    pub fn new(runs_dir: PathBuf, candidates: Vec<PathBuf>, like: Option<PathBuf>, look: Look) -> Self {
        Self {
            env: Env::new(look),
            runs_dir,
            candidates,
            against: like,
            runs: None,
            found: None,
            asked: 0,
            waits: false,
            focus: Focus::Settings,
            row: 0,
            run_row: 0,
            sort: None,
            writing: false,
        }
    }

    fn listed(&self) -> &[Listed] {
        self.runs.as_ref().and_then(|runs| runs.as_deref().ok()).unwrap_or_default()
    }

    fn comparison(&self) -> Option<&Arc<Comparison>> {
        self.found.as_ref()?.as_ref().ok()
    }

    /// The settings in the order shown, each with its index in the comparison.
    fn settings(&self) -> Vec<(usize, &Row)> {
        let Some(comparison) = self.comparison() else { return Vec::new() };
        let mut rows: Vec<(usize, &Row)> = comparison.settings.iter().enumerate().collect();
        if let Some((column, down)) = self.sort {
            rows.sort_by(|(_, a), (_, b)| {
                let (x, y) = (column.number(a), column.number(b));
                // Rows without a number come last, in either direction.
                let by_number = match (x, y) {
                    (Some(x), Some(y)) if down => y.total_cmp(&x),
                    (Some(x), Some(y)) => x.total_cmp(&y),
                    _ => y.is_some().cmp(&x.is_some()),
                };
                let by_name = a.setting.cmp(&b.setting);
                by_number.then(if down && column == Column::Setting { by_name.reverse() } else { by_name })
            });
        }
        rows
    }

    fn selected(&self) -> Option<&Row> {
        self.settings().get(self.row).map(|(_, row)| *row)
    }

    /// Requests the comparison of the marked runs.
    fn compare(&mut self) -> Vec<Ask> {
        let marked: Vec<&Listed> = self.listed().iter().filter(|run| run.marked).collect();
        // In the order of their start, so that the oldest setting comes first.
        let folders: Vec<PathBuf> = marked.iter().rev().map(|run| run.folder.clone()).collect();
        let against = folders.iter().position(|folder| Some(folder) == self.against.as_ref()).unwrap_or(0);
        self.asked += 1;
        if folders.is_empty() {
            (self.found, self.waits) = (None, false);
            return Vec::new();
        }
        self.waits = true;
        vec![Ask::Compare { number: self.asked, folders, against }]
    }

    fn say(&mut self, text: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(Severity::Info, text.as_ref(), self.env.now));
    }

    fn refuse(&mut self, text: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(Severity::Error, text.as_ref(), self.env.now));
    }
}

/// The effects that run these jobs.
fn effects(asks: Vec<Ask>) -> Vec<Effect> {
    asks.into_iter().map(|ask| Effect::Job(super::jobs::Job::Compare(Box::new(ask)))).collect()
}
