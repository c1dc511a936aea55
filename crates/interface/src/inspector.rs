//! The inspector: any metric of any runs and branches, live or past. It reads the runs' folders, so that both look the
//! same; reading runs as jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::frame::{Effect, Env, Look, Notice, Severity};
use super::jobs::curves::Ask;
use super::metric::Metric;
use super::text;
use super::typed::Typed;
use super::widgets::chart::{Extent, View};
use spartui_run::{State as RunState, Tail, full_name};

mod act;
mod answers;
mod cursor;
mod draw;
mod layout;
mod mouse;
mod rows;
mod screen;

pub use super::keys::Format;

use super::curves::{Course, Track};
use super::jobs::curves::About;

/// Number of runs shown at first if none was selected.
const AT_FIRST: usize = 3;

/// How often the metrics of a run in training are read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The inspector screen.
#[derive(Debug, Clone)]
pub struct Inspector {
    /// The fields that every screen has.
    pub env: Env,
    runs_dir: PathBuf,
    /// The runs, in the order in which they were found.
    runs: Vec<Run>,
    /// Whether the runs to show at first are still to be selected.
    choosing: bool,
    /// Why the runs cannot be listed.
    problem: Option<String>,
    view: View,
    /// The metrics with a chart.
    charts: BTreeSet<Metric>,
    /// The focused chart.
    chart: Metric,
    focus: Focus,
    run_row: usize,
    metric_row: usize,
    /// Whether one chart fills the screen.
    maximised: bool,
    cursor: Option<Cursor>,
    filter: String,
    typing: Option<(Purpose, Typed)>,
    layer: Option<Dialog>,
    /// First visible line of the table of differences.
    scroll: usize,
    /// Colours of the visible lines, by run and branch.
    colours: BTreeMap<(usize, u32), usize>,
    looked: Duration,
}

/// A run.
#[derive(Debug, Clone)]
struct Run {
    /// The name of its folder, with control characters escaped.
    name: String,
    folder: PathBuf,
    state: Option<RunState>,
    /// Its index among the runs of its folder, newest first.
    order: usize,
    shown: bool,
    pinned: bool,
    /// Branches that are hidden although the run is shown.
    hidden: BTreeSet<u32>,
    course: Course,
    tail: Tail,
    /// Whether a piece of its metrics is being read.
    reading: bool,
    /// Share of its metrics that has been read.
    share: f64,
    about: Option<Box<About>>,
    problem: Option<String>,
}

/// A line of the charts: a branch of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LineId {
    run: usize,
    branch: u32,
}

/// The list or chart with the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Chart,
    Runs,
    Metrics,
}

/// What the typed text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Filter,
    Step,
}

/// A dialog over the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialog {
    Differences,
    Export,
}

/// A position on the axis, and one to compare with; both in the axis's linear unit.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cursor {
    at: f64,
    anchor: Option<f64>,
}

impl Run {
    fn new(folder: PathBuf, weight: f64) -> Self {
        Self {
            name: text::safe_text(&full_name(&folder)),
            tail: Tail::of_run(&folder),
            folder,
            state: None,
            order: 0,
            shown: false,
            pinned: false,
            hidden: BTreeSet::new(),
            course: Course::new(weight),
            reading: false,
            share: 0.0,
            about: None,
            problem: None,
        }
    }

    fn is_live(&self) -> bool {
        self.state == Some(RunState::Running)
    }

    /// The jobs to run when it is first shown.
    fn ask(&mut self) -> Vec<Ask> {
        if self.about.is_some() || self.reading {
            return Vec::new();
        }
        self.reading = true;
        vec![Ask::Run(self.folder.clone()), Ask::Tail { folder: self.folder.clone(), tail: self.tail.clone() }]
    }
}

impl Inspector {
    /// The inspector of a folder of runs, showing these runs at first; without any, the newest ones.
    #[must_use]
    pub fn new(runs_dir: PathBuf, selected: Vec<PathBuf>, look: Look) -> Self {
        let view = View::default();
        let shown = |folder| Run { shown: true, ..Run::new(folder, view.smoothing()) };
        Self {
            env: Env::new(look),
            runs_dir,
            choosing: selected.is_empty(),
            runs: selected.into_iter().map(shown).collect(),
            problem: None,
            view,
            charts: BTreeSet::from([Metric::Loss, Metric::EvalLoss, Metric::Accuracy, Metric::Gradient]),
            chart: Metric::Loss,
            focus: Focus::Chart,
            run_row: 0,
            metric_row: 0,
            maximised: false,
            cursor: None,
            filter: String::new(),
            typing: None,
            layer: None,
            scroll: 0,
            colours: BTreeMap::new(),
            looked: Duration::ZERO,
        }
    }

    /// The curves of a line.
    fn track(&self, which: LineId) -> Option<&Track> {
        Some(self.runs.get(which.run)?.course.branches.get(&which.branch)?)
    }

    /// The visible lines, the most important last, so that they are drawn on top.
    fn lines(&self) -> Vec<LineId> {
        let mut lines: Vec<LineId> = Vec::new();
        for (index, run) in self.runs.iter().enumerate().filter(|(_, run)| run.shown) {
            let branches = run.course.branches.keys().filter(|branch| !run.hidden.contains(branch));
            lines.extend(branches.map(|branch| LineId { run: index, branch: *branch }));
        }
        let selected = self.selected();
        lines.sort_by_key(|which| (Some(*which) == selected, self.runs[which.run].pinned));
        lines
    }

    /// The line of the selected row.
    fn selected(&self) -> Option<LineId> {
        rows::rows(self).get(self.run_row).map(|row| row.which())
    }

    /// The line that the cursor follows: the selected one, else the topmost.
    fn reference(&self) -> Option<LineId> {
        let lines = self.lines();
        let with_points = |which: &&LineId| {
            let track = self.track(**which);
            track.and_then(|track| track.curve(self.chart)).is_some_and(|shape| !shape.raw().is_empty())
        };
        lines.iter().rev().find(with_points).or(lines.last()).copied()
    }

    /// The range of the visible lines on the axis.
    fn extent(&self) -> Option<Extent> {
        let extents = self.lines().into_iter().filter_map(|which| self.track(which)?.extent(self.view.along));
        extents.reduce(|a, b| Extent {
            start: a.start.min(b.start),
            end: a.end.max(b.end),
            unit: if a.unit < b.unit { a.unit } else { b.unit },
        })
    }

    /// The range in the unit of the axis.
    fn axis_extent(&self) -> Option<Extent> {
        let extent = self.extent()?;
        Some(if self.view.log_x { extent.logarithmic() } else { extent })
    }

    /// Shows a notice.
    fn say(&mut self, text: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(Severity::Done, text.as_ref(), self.env.now));
    }

    /// Shows why something was not done.
    fn refuse(&mut self, text: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(Severity::Error, text.as_ref(), self.env.now));
    }

    /// Gives each visible line a colour that it keeps while visible.
    fn settle_colours(&mut self) {
        let lines: BTreeSet<(usize, u32)> = self.lines().into_iter().map(|which| (which.run, which.branch)).collect();
        self.colours.retain(|line, _| lines.contains(line));
        for line in lines {
            if !self.colours.contains_key(&line) {
                let uses = |colour: &usize| self.colours.values().filter(|used| *used == colour).count();
                let colour = (0..8).min_by_key(uses).unwrap_or(0);
                self.colours.insert(line, colour);
            }
        }
    }
}

/// The effects that run these jobs.
fn effects(asks: Vec<Ask>) -> Vec<Effect> {
    asks.into_iter().map(|ask| Effect::Job(super::jobs::Job::Curves(Box::new(ask)))).collect()
}
