//! The cockpit: a training run and its panels. Only [`update`](crate::Screen::update) changes the state; drawing
//! only reads it. A part of the cockpit has its state in `PART.rs`, its actions in `PART/act.rs` and its drawing code in
//! `PART/draw.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use spartui_facts::protocol::{
    ClientId, Command, CommandId, Example, Intervention, Memory, Ready, Sparsity, Summary, first_command_id,
};
use spartui_facts::recipe::{FIELDS, Field, Value};

mod act;
mod alerts;
mod banner;
mod by_name;
mod charts;
mod connection;
mod contexts;
mod draw;
mod history;
mod inspect;
mod layout;
mod leaving;
mod log;
mod map;
mod mouse;
mod panels;
mod pending;
mod playground;
mod pulse;
mod receive;
mod screen;
mod timeline;

pub use alerts::{Alert, AlertEvent, Alerts, Cause};
pub use charts::{CELLS, Charts};
pub use connection::Connection;
pub use history::{BranchPath, History, OWNERS, Owners, Pace, Tree};
pub use log::{Log, LogEntry};
pub use map::{Map, Measure};
pub use pending::value::value_of;
pub use pending::{Edit, Preview};
pub use playground::{Playground, Reply};
pub use pulse::Pulse;

use super::frame::{Env, Look, Notice, Severity};
use super::inspector::Inspector;
use super::keys::Panel;
use super::typed::Typed;
use super::widgets::chart::{Range, View};

/// The state of the cockpit.
#[derive(Debug, Clone)]
pub struct State {
    /// The phase of the run.
    pub stage: Stage,
    /// The other interfaces at the run.
    pub connection: Connection,
    /// Loading steps in order, each with the share of it that is done.
    pub loading: Vec<(String, Option<f32>)>,
    /// The run, once it is loaded.
    pub ready: Option<Box<Ready>>,
    /// Curves and evaluations.
    pub history: History,
    /// Recent steps.
    pub pace: Pace,
    /// Optimizer steps on the current branch up to the current state.
    pub at: u64,
    /// Steps done and steps in all while steps are recomputed to reach an earlier state.
    pub recomputing: Option<(u64, u64)>,
    /// The cursor on the loss chart, if it is shown.
    pub cursor: Option<Cursor>,
    /// The selected row of the timeline.
    pub timeline_row: usize,
    /// The first training example, once it is known.
    pub example: Option<Example>,
    /// Memory in use.
    pub memory: Option<Memory>,
    /// Trainable scalars by group and layer.
    pub sparsity: Option<Sparsity>,
    /// Current values of the live fields.
    pub settings: BTreeMap<String, Value>,
    /// Whether training is paused.
    pub paused: bool,
    /// When the pause began, by [`Env::now`].
    pub paused_at: Option<Duration>,
    /// Total duration of the earlier pauses.
    pub paused_for: Duration,
    /// Rows done and rows in all of the evaluation in progress.
    pub evaluating: Option<(usize, usize)>,
    /// Commands without a final answer from the engine.
    pub requests: Vec<Request>,
    /// A pending value that was not sent.
    pub edit: Option<Edit>,
    /// Changes that `u` can undo, newest last.
    pub undo: Vec<Intervention>,
    /// Undo commands in flight.
    pub undoing: Vec<CommandId>,
    /// Undone changes that can be redone, newest last.
    pub redo: Vec<Redo>,
    /// Redo commands in flight.
    pub redoing: Vec<CommandId>,
    /// The log.
    pub log: Log,
    /// The focused panel.
    pub focus: Panel,
    /// The panels, most recently focused first: of those that share a place on a small screen, the first one is shown.
    pub recent: Vec<Panel>,
    /// Whether the focused panel fills the screen.
    pub maximised: bool,
    /// The selected row of the sparsity panel; 0 is all groups together.
    pub group_row: usize,
    /// The selected row of the settings.
    pub setting_row: usize,
    /// Range and scale of the charts.
    pub view: View,
    /// The metrics of the charts: the large one first, then those of the grid.
    pub charts: Charts,
    /// Dialogs over the screen, topmost last.
    pub layers: Vec<Dialog>,
    /// The inspector, if it is open over the cockpit.
    pub inspector: Option<Box<Inspector>>,
    /// The position of the pointer at the last drag of the chart.
    pub drag: Option<Drag>,
    /// The playground: one text through the base and the adapted model.
    pub playground: Playground,
    /// Recent load of machine and device.
    pub pulse: Pulse,
    /// The map of groups by layers.
    pub map: Map,
    /// Alerts.
    pub alerts: Alerts,
    /// The digits of the step to jump to, while they are typed.
    pub jump: Option<Typed>,
    /// The state with which others are compared in the timeline.
    pub compared: Option<timeline::Place>,
    /// The fields that every screen has.
    pub env: Env,
    /// When the first step could begin, by [`Env::now`].
    pub started: Option<Duration>,
    /// Whether to leave as soon as the engine has ended.
    pub leaving: Option<Command>,
    /// The command with which this interface asked the run to end, if it did; the run may not have ended yet.
    pub ending: Option<Command>,
    next_id: CommandId,
}

/// The phase of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Before the first step.
    Loading,
    /// Training.
    Training,
    /// The run ended normally.
    Finished(Box<Summary>),
    /// The run failed.
    Faulted {
        /// The error in one sentence.
        message: String,
        /// Whether the input was refused.
        refused: bool,
    },
}

/// A command in flight.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its identifier.
    pub id: CommandId,
    /// The kind of request.
    pub kind: RequestKind,
    /// Whether the engine has queued it.
    pub queued: bool,
}

/// The kind of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestKind {
    /// Sets a field.
    Set {
        /// Dotted name.
        field: String,
        /// The value.
        value: Value,
    },
    /// Runs an evaluation.
    Evaluate,
    /// Exports an adapter.
    Export,
    /// Keeps the state of the current step.
    Snapshot,
    /// Rewinds to a step.
    Rewind(u64),
    /// Switches to another branch.
    Switch(u32),
    /// Pins or unpins a state.
    Pin {
        /// Its branch.
        branch: u32,
        /// Its step.
        step: u64,
        /// Whether it is to be pinned.
        pinned: bool,
    },
    /// Undoes the last change.
    Undo,
}

/// A cursor on the loss chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The step under it.
    pub step: u64,
    /// Another step with which this one is compared.
    pub anchor: Option<u64>,
}

/// A drag of the chart in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drag {
    /// Column of the pointer.
    pub column: u16,
    /// Width of the chart in columns.
    pub width: u16,
}

/// A dialog over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// The question how to quit.
    Quit,
    /// The question whether to stop.
    Stop,
    /// The first training example.
    Example,
    /// Branches and kept states.
    Timeline,
    /// The playground.
    Playground,
}

/// An undone change.
#[derive(Debug, Clone, PartialEq)]
pub enum Redo {
    /// A setting and the value it had.
    Value(String, Value),
    /// The branch that has the undone steps.
    Branch(u32),
}

impl State {
    /// The state before the first event of the engine.
    #[must_use]
    pub fn new(look: Look, size: (u16, u16)) -> Self {
        let mut state = Self {
            stage: Stage::Loading,
            connection: Connection::default(),
            loading: Vec::new(),
            ready: None,
            view: View::default(),
            charts: Charts::default(),
            history: History::new(View::default().smoothing()),
            pace: Pace::default(),
            at: 0,
            recomputing: None,
            cursor: None,
            timeline_row: 0,
            example: None,
            memory: None,
            sparsity: None,
            settings: BTreeMap::new(),
            paused: false,
            paused_at: None,
            paused_for: Duration::ZERO,
            evaluating: None,
            requests: Vec::new(),
            edit: None,
            undo: Vec::new(),
            undoing: Vec::new(),
            redo: Vec::new(),
            redoing: Vec::new(),
            log: Log::default(),
            focus: Panel::Loss,
            recent: Panel::ALL.to_vec(),
            maximised: false,
            group_row: 0,
            setting_row: 0,
            layers: Vec::new(),
            inspector: None,
            playground: Playground::default(),
            pulse: Pulse::default(),
            map: Map::default(),
            alerts: Alerts::default(),
            jump: None,
            compared: None,
            drag: None,
            env: Env { size, ..Env::new(look) },
            started: None,
            leaving: None,
            ending: None,
            next_id: 1,
        };
        for warning in std::mem::take(&mut state.env.look.warnings) {
            state.say(Severity::Warning, warning);
        }
        state
    }

    /// The state after a reconnection under a new identifier: nothing is known of the run, and the view is kept.
    #[must_use]
    pub fn connected(&self, client: ClientId, owner: bool) -> Self {
        let mut state = Self::new(self.env.look.clone(), self.env.size);
        (state.log, state.env.notice) = (self.log.clone(), self.env.notice.clone());
        state.connection = Connection { client, owner, ..Connection::default() };
        state.next_id = first_command_id(client);
        (state.view, state.charts) = (self.view, self.charts);
        state.history = History::new(self.view.smoothing());
        state.playground.past.clone_from(&self.playground.past);
        (state.focus, state.recent, state.maximised) = (self.focus, self.recent.clone(), self.maximised);
        state
    }

    /// Optimizer steps done.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.at
    }

    /// First and last step of the loss curve; when the whole range is shown, abandoned branches count too.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        let (first, last) = self.history.loss.raw().span()?;
        let abandoned = self.history.abandoned.iter().filter_map(|series| Some(series.span()?.1));
        let last = if self.view.range == Range::Fit { abandoned.fold(last, u64::max) } else { last };
        Some((first, last))
    }

    /// Whether the engine still accepts commands.
    #[must_use]
    pub fn running(&self) -> bool {
        matches!(self.stage, Stage::Loading | Stage::Training)
    }

    /// The live fields that the settings panel shows: those of the method only where the run has a value for them, and a
    /// density where it has a sparsity. The optimizer, which is seldom changed, comes last.
    pub fn shown_fields(&self) -> impl Iterator<Item = &'static Field> {
        let has =
            |name: &str| self.settings.contains_key(if name == "method.density" { "method.sparsity" } else { name });
        let shown = move |field: &&Field| !field.name.starts_with("method.") || has(field.name);
        let is_last = |field: &&Field| field.name == "optimizer.kind";
        Self::live_fields()
            .filter(shown)
            .filter(move |field| !is_last(field))
            .chain(Self::live_fields().filter(is_last))
    }

    /// The live fields.
    pub fn live_fields() -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().filter(|field| field.live)
    }

    /// The value requested last for a field that is not yet in force.
    #[must_use]
    pub fn requested(&self, name: &str) -> Option<&Value> {
        self.requests.iter().rev().find_map(|request| match &request.kind {
            RequestKind::Set { field, value, .. } if field == name => Some(value),
            _ => None,
        })
    }

    /// The group selected in the sparsity panel; none if the row of all groups is selected.
    #[must_use]
    pub fn selected_group(&self) -> Option<&spartui_facts::protocol::Group> {
        self.sparsity.as_ref()?.groups.get(self.group_row.checked_sub(1)?)
    }

    /// Whether the run is paused with no request in flight: then nothing on the screen changes, not even the clock.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.paused_at.is_some() && self.requests.is_empty() && self.evaluating.is_none() && self.recomputing.is_none()
    }

    /// Training time without pauses; none before training began. The log uses the same clock.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        if let Stage::Finished(summary) = &self.stage {
            return Duration::try_from_secs_f64(summary.seconds).ok();
        }
        let before = self.ready.as_ref().map_or(0.0, |ready| ready.seconds);
        let before = Duration::try_from_secs_f64(before).unwrap_or_default();
        let here = self.paused_at.unwrap_or(self.env.now).saturating_sub(self.started?);
        Some(before + here.saturating_sub(self.paused_for))
    }

    fn entry(&self, severity: Severity, text: &str) -> LogEntry {
        LogEntry::new(self.elapsed().unwrap_or_default(), self.step(), severity, text)
    }

    fn shown(&self, entry: &LogEntry) -> Notice {
        Notice { severity: entry.severity, text: entry.text.clone(), since: self.env.now }
    }

    /// Shows a notice and adds it to the log.
    pub(super) fn say(&mut self, severity: Severity, text: impl AsRef<str>) {
        let entry = self.entry(severity, text.as_ref());
        self.env.notice = Some(self.shown(&entry));
        self.log.push(entry);
    }

    /// Shows why a key has no effect here.
    pub(super) fn hint(&mut self, text: impl AsRef<str>) {
        self.flash(Severity::Warning, text);
    }

    /// Shows a short-lived notice.
    pub(super) fn flash(&mut self, severity: Severity, text: impl AsRef<str>) {
        self.env.notice = Some(self.shown(&self.entry(severity, text.as_ref())));
    }

    /// Adds an entry to the log only.
    pub(super) fn note(&mut self, severity: Severity, text: impl AsRef<str>) {
        let entry = self.entry(severity, text.as_ref());
        self.log.push(entry);
    }

    /// Focuses a panel.
    pub(super) fn focus_on(&mut self, panel: Panel) {
        self.focus = panel;
        self.recent.retain(|known| *known != panel);
        self.recent.insert(0, panel);
    }

    /// Sets the first identifier of its commands: states that share one connection must not share identifiers.
    pub(super) fn number_from(&mut self, first: CommandId) {
        self.next_id = first;
    }

    pub(super) fn fresh_id(&mut self) -> CommandId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(super) fn request(&mut self, kind: RequestKind) -> CommandId {
        let id = self.fresh_id();
        self.requests.push(Request { id, kind, queued: false });
        id
    }
}

impl RequestKind {
    /// The request as text.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Set { field, value, .. } => format!("{field} → {}", crate::text::value(value)),
            Self::Evaluate => "evaluation".into(),
            Self::Export => "export".into(),
            Self::Snapshot => "keeping this state".into(),
            Self::Rewind(step) => format!("back to step {step}"),
            Self::Switch(branch) => format!("over to branch {branch}"),
            Self::Pin { branch, step, pinned: true } => format!("keeping step {step} of branch {branch} for good"),
            Self::Pin { branch, step, .. } => format!("letting go of step {step} of branch {branch}"),
            Self::Undo => "undoing the steps since the last change".into(),
        }
    }
}
