//! The inspector: any series of any runs and branches, live or past. It reads what the runs' folders hold, so that both
//! look the same, and reading is done beside the screen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::frame::{Effect, Env, Look, Notice, Weight};
use super::jobs::curves::Ask;
use super::metric::Metric;
use super::text;
use super::typed::Typed;
use super::widgets::chart::{Extent, View};
use crate::run::{State as RunState, Tail, full_name};

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

/// Runs that are shown at first, where none was asked for.
const AT_FIRST: usize = 3;

/// How often the metrics of a run that trains are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Curves of runs, side by side.
#[derive(Debug, Clone)]
pub struct Inspector {
    /// What it has in common with every screen.
    pub env: Env,
    runs_dir: PathBuf,
    /// Runs in the order in which they were heard of.
    runs: Vec<Run>,
    /// Whether the runs that nobody asked for are still to be chosen.
    choosing: bool,
    /// Why the runs cannot be listed.
    problem: Option<String>,
    view: View,
    /// The metrics that have a chart.
    charts: BTreeSet<Metric>,
    /// The chart that the keys go to.
    chart: Metric,
    focus: Focus,
    run_row: usize,
    metric_row: usize,
    /// Whether one chart has the screen for itself.
    maximised: bool,
    cursor: Option<Cursor>,
    filter: String,
    typing: Option<(Purpose, Typed)>,
    layer: Option<Layer>,
    /// First line of the differences that is shown.
    scroll: usize,
    /// Colours of the lines in sight, by run and branch.
    colours: BTreeMap<(usize, u32), usize>,
    looked: Duration,
}

/// A run.
#[derive(Debug, Clone)]
struct Run {
    /// The name of its folder, fit for the screen.
    name: String,
    folder: PathBuf,
    state: Option<RunState>,
    /// Place among the runs of its folder, the latest first.
    order: usize,
    shown: bool,
    pinned: bool,
    /// Branches that are not shown though the run is.
    hidden: BTreeSet<u32>,
    course: Course,
    tail: Tail,
    /// Whether a piece of its metrics is on its way.
    reading: bool,
    /// Share of its metrics that is read.
    share: f64,
    about: Option<Box<About>>,
    problem: Option<String>,
}

/// A line of the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Which {
    run: usize,
    branch: u32,
}

/// What the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Chart,
    Runs,
    Metrics,
}

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Filter,
    Step,
}

/// What lies over the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Differences,
    Export,
}

/// A place on the axis, and one that it is compared with; both as the axis counts without logarithms.
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

    /// What is asked of the disk once it is shown.
    fn ask(&mut self) -> Vec<Ask> {
        if self.about.is_some() || self.reading {
            return Vec::new();
        }
        self.reading = true;
        vec![Ask::Run(self.folder.clone()), Ask::Tail { folder: self.folder.clone(), tail: self.tail.clone() }]
    }
}

impl Inspector {
    /// The inspector of a folder of runs, which at first shows these runs' folders; where there are none, the latest
    /// runs.
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

    /// The track of a line.
    fn track(&self, which: Which) -> Option<&Track> {
        Some(self.runs.get(which.run)?.course.branches.get(&which.branch)?)
    }

    /// The lines in sight, those that matter most last, so that they lie over the others.
    fn lines(&self) -> Vec<Which> {
        let mut lines: Vec<Which> = Vec::new();
        for (index, run) in self.runs.iter().enumerate().filter(|(_, run)| run.shown) {
            let branches = run.course.branches.keys().filter(|branch| !run.hidden.contains(branch));
            lines.extend(branches.map(|branch| Which { run: index, branch: *branch }));
        }
        let selected = self.selected();
        lines.sort_by_key(|which| (Some(*which) == selected, self.runs[which.run].pinned));
        lines
    }

    /// The line of the selected row.
    fn selected(&self) -> Option<Which> {
        rows::rows(self).get(self.run_row).map(|row| row.which())
    }

    /// The line that the cursor stands on: the selected one, else the uppermost.
    fn reference(&self) -> Option<Which> {
        let lines = self.lines();
        let with_points = |which: &&Which| {
            let track = self.track(**which);
            track.and_then(|track| track.curve(self.chart)).is_some_and(|shape| !shape.raw().is_empty())
        };
        lines.iter().rev().find(with_points).or(lines.last()).copied()
    }

    /// All that the lines in sight take of the axis.
    fn extent(&self) -> Option<Extent> {
        let extents = self.lines().into_iter().filter_map(|which| self.track(which)?.extent(self.view.along));
        extents.reduce(|a, b| Extent {
            start: a.start.min(b.start),
            end: a.end.max(b.end),
            unit: if a.unit < b.unit { a.unit } else { b.unit },
        })
    }

    /// The extent as the axis counts.
    fn axis_extent(&self) -> Option<Extent> {
        let extent = self.extent()?;
        Some(if self.view.log_x { extent.logarithmic() } else { extent })
    }

    /// Says something.
    fn say(&mut self, text: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(Weight::Done, text.as_ref(), self.env.now));
    }

    /// Says why something was not done.
    fn refuse(&mut self, text: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(Weight::Error, text.as_ref(), self.env.now));
    }

    /// Gives each line in sight a colour that it keeps while it is.
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

/// The effects that ask the disk.
fn effects(asks: Vec<Ask>) -> Vec<Effect> {
    asks.into_iter().map(|ask| Effect::Job(super::jobs::Job::Curves(Box::new(ask)))).collect()
}
