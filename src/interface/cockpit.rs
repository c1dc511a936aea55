//! The cockpit: a run that trains, and everything that is shown of it. Only [`update`] changes the state, and drawing
//! only reads it. What belongs to one part lies together: its state in `PART.rs`, what it does in `PART/act.rs`, and how
//! it looks in `PART/draw.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::{
    ClientId, Command, CommandId, Example, Intervention, Memory, Ready, Sparsity, Summary, first_command_id,
};
use crate::recipe::{FIELDS, Field, Value};

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

pub use alerts::{Alert, Alerts, Cause, Said};
pub use charts::{CELLS, Charts};
pub use connection::Connection;
pub use history::{History, Line, OWNERS, Owners, Pace, Tree};
pub use log::{Entry, Log};
pub use map::{Map, Measure};
pub use pending::value::value_of;
pub use pending::{Edit, Preview};
pub use playground::{Playground, Reply};
pub use pulse::Pulse;

use super::frame::{Env, Look, Notice, Weight};
use super::inspector::Inspector;
use super::keys::Panel;
use super::typed::Typed;
use super::widgets::chart::{Range, View};

/// Everything that the interface shows.
#[derive(Debug, Clone)]
pub struct State {
    /// How far the run is.
    pub stage: Stage,
    /// Who else is at the run.
    pub connection: Connection,
    /// What is done before the first step, in order, with the share of it that is done.
    pub loading: Vec<(String, Option<f32>)>,
    /// The run, once it is loaded.
    pub ready: Option<Box<Ready>>,
    /// Curves and evaluations.
    pub history: History,
    /// Recent steps.
    pub pace: Pace,
    /// Optimizer steps that lead to where the run stands.
    pub at: u64,
    /// Steps done and steps in all of what is computed again on the way to an earlier state.
    pub recomputing: Option<(u64, u64)>,
    /// The cursor on the loss, where it is up.
    pub cursor: Option<Cursor>,
    /// The selected row of the timeline.
    pub timeline_row: usize,
    /// The first training example, once it is known.
    pub example: Option<Example>,
    /// Where the memory is.
    pub memory: Option<Memory>,
    /// What trains.
    pub sparsity: Option<Sparsity>,
    /// Values in force of the live-editable fields.
    pub settings: BTreeMap<String, Value>,
    /// Whether training stands still.
    pub paused: bool,
    /// Since when, by [`State::now`].
    pub paused_at: Option<Duration>,
    /// How long training has stood still before, all pauses together.
    pub stood: Duration,
    /// Rows done and rows in all of an evaluation that goes on.
    pub evaluating: Option<(usize, usize)>,
    /// Commands that the engine has not answered for good.
    pub requests: Vec<Request>,
    /// A value that is being thought about and was not sent.
    pub edit: Option<Edit>,
    /// Changes that `u` takes back, newest last.
    pub undo: Vec<Intervention>,
    /// The commands that take a change back and have not done so yet.
    pub undoing: Vec<CommandId>,
    /// What was taken back and can be brought back, newest last.
    pub redo: Vec<Redo>,
    /// The commands that bring something back and have not done so yet.
    pub redoing: Vec<CommandId>,
    /// All that was said.
    pub log: Log,
    /// The panel that has the keys.
    pub focus: Panel,
    /// The panels, the one that had the keys last first: of those that share a place on a small screen, the first
    /// one is shown.
    pub recent: Vec<Panel>,
    /// Whether the focused panel has the screen for itself.
    pub maximised: bool,
    /// The selected row of the sparsity panel; 0 is all groups together.
    pub group_row: usize,
    /// The selected row of the settings.
    pub setting_row: usize,
    /// How the charts are shown.
    pub view: View,
    /// Which metrics they show: the large one first, then those of the grid.
    pub charts: Charts,
    /// Dialogs over the screen, topmost last.
    pub layers: Vec<Layer>,
    /// The inspector, where it is open over everything.
    pub inspector: Option<Box<Inspector>>,
    /// Where the pointer was when the chart was last dragged.
    pub drag: Option<Drag>,
    /// A text through both models.
    pub playground: Playground,
    /// How machine and device are doing.
    pub pulse: Pulse,
    /// The map of groups by layers.
    pub map: Map,
    /// What to look at.
    pub alerts: Alerts,
    /// The digits of the step that the cursor is to jump to, while they are typed.
    pub jump: Option<Typed>,
    /// The state that others are compared with in the timeline.
    pub compared: Option<timeline::Place>,
    /// What it has in common with every screen.
    pub env: Env,
    /// When the first step could be taken, by [`State::now`].
    pub started: Option<Duration>,
    /// Whether to leave as soon as the engine has ended.
    pub leaving: Option<Command>,
    /// How the run was asked to end from here, if it was; it may not have yet.
    pub ending: Option<Command>,
    next_id: CommandId,
}

/// How far the run is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Before the first step.
    Loading,
    /// Steps are taken.
    Training,
    /// It ended as asked.
    Finished(Box<Summary>),
    /// It failed.
    Faulted {
        /// One sentence.
        message: String,
        /// Whether the input was refused.
        refused: bool,
    },
}

/// A command on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its name.
    pub id: CommandId,
    /// What was asked for.
    pub kind: RequestKind,
    /// Whether the engine has said that it will see to it later.
    pub queued: bool,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestKind {
    /// Another value for a field.
    Set {
        /// Dotted name.
        field: String,
        /// The value.
        value: Value,
    },
    /// An evaluation.
    Evaluate,
    /// An adapter on the disk.
    Export,
    /// The state of this step kept.
    Snapshot,
    /// The run back at a step.
    Rewind(u64),
    /// The run on another branch.
    Switch(u32),
    /// A state kept for good, or no longer.
    Pin {
        /// Its branch.
        branch: u32,
        /// Its step.
        step: u64,
        /// Whether it is kept.
        pinned: bool,
    },
    /// The last change as if it had never been.
    Undo,
}

/// A cursor on the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The step under it.
    pub step: u64,
    /// Another step, to which this one is compared.
    pub anchor: Option<u64>,
}

/// The chart, held by the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drag {
    /// The column of the pointer.
    pub column: u16,
    /// The columns of the chart.
    pub width: u16,
}

/// A dialog over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// How to leave.
    Quit,
    /// Whether to stop.
    Stop,
    /// The first training example.
    Example,
    /// Branches and kept states.
    Timeline,
    /// A text through both models.
    Playground,
}

/// What was taken back.
#[derive(Debug, Clone, PartialEq)]
pub enum Redo {
    /// A setting that had this value.
    Value(String, Value),
    /// Steps, which are on this branch.
    Branch(u32),
}

impl State {
    /// The state before the engine has said anything.
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
            stood: Duration::ZERO,
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
            state.say(Weight::Warning, warning);
        }
        state
    }

    /// For a run to which this interface has just been connected, under this name: nothing is known of the run, and
    /// the screen looks as it did.
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

    /// Optimizer steps taken.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.at
    }

    /// First and last step of the loss that there is to see; where all is shown, of what was left behind too.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        let (first, last) = self.history.loss.raw().span()?;
        let left_behind = self.history.left_behind.iter().filter_map(|series| Some(series.span()?.1));
        let last = if self.view.range == Range::Fit { left_behind.fold(last, u64::max) } else { last };
        Some((first, last))
    }

    /// Whether the engine still listens.
    #[must_use]
    pub fn running(&self) -> bool {
        matches!(self.stage, Stage::Loading | Stage::Training)
    }

    /// The fields that can be changed while the run trains.
    pub fn live_fields() -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().filter(|field| field.live)
    }

    /// The value of a field that was asked for last and is not yet in force.
    #[must_use]
    pub fn awaited(&self, name: &str) -> Option<&Value> {
        self.requests.iter().rev().find_map(|request| match &request.kind {
            RequestKind::Set { field, value, .. } if field == name => Some(value),
            _ => None,
        })
    }

    /// Name of the group that is selected in the sparsity panel; none where all are.
    #[must_use]
    pub fn selected_group(&self) -> Option<&crate::protocol::Group> {
        self.sparsity.as_ref()?.groups.get(self.group_row.checked_sub(1)?)
    }

    /// Whether the run stands still and nothing is on its way: then nothing moves, the clock neither.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.paused_at.is_some() && self.requests.is_empty() && self.evaluating.is_none() && self.recomputing.is_none()
    }

    /// How long it has trained, pauses left out; none before it began. The log goes by the same clock.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        if let Stage::Finished(summary) = &self.stage {
            return Duration::try_from_secs_f64(summary.seconds).ok();
        }
        let before = self.ready.as_ref().map_or(0.0, |ready| ready.seconds);
        let before = Duration::try_from_secs_f64(before).unwrap_or_default();
        let here = self.paused_at.unwrap_or(self.env.now).saturating_sub(self.started?);
        Some(before + here.saturating_sub(self.stood))
    }

    fn entry(&self, weight: Weight, text: &str) -> Entry {
        Entry::new(self.elapsed().unwrap_or_default(), self.step(), weight, text)
    }

    fn shown(&self, entry: &Entry) -> Notice {
        Notice { weight: entry.weight, text: entry.text.clone(), since: self.env.now }
    }

    /// Tells the user something, on the screen and in the log.
    pub(super) fn say(&mut self, weight: Weight, text: impl AsRef<str>) {
        let entry = self.entry(weight, text.as_ref());
        self.env.notice = Some(self.shown(&entry));
        self.log.push(entry);
    }

    /// Tells the user why a key does nothing.
    pub(super) fn hint(&mut self, text: impl AsRef<str>) {
        self.flash(Weight::Warning, text);
    }

    /// Tells the user something that is over as soon as it is read.
    pub(super) fn flash(&mut self, weight: Weight, text: impl AsRef<str>) {
        self.env.notice = Some(self.shown(&self.entry(weight, text.as_ref())));
    }

    /// Puts something into the log alone.
    pub(super) fn note(&mut self, weight: Weight, text: impl AsRef<str>) {
        let entry = self.entry(weight, text.as_ref());
        self.log.push(entry);
    }

    /// Gives a panel the keys.
    pub(super) fn focus_on(&mut self, panel: Panel) {
        self.focus = panel;
        self.recent.retain(|known| *known != panel);
        self.recent.insert(0, panel);
    }

    /// Names its commands from here on: those of several states at one connection must not meet.
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
    /// What was asked for, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Set { field, value, .. } => format!("{field} → {}", crate::interface::text::value(value)),
            Self::Evaluate => "evaluation".into(),
            Self::Export => "export".into(),
            Self::Snapshot => "keeping this state".into(),
            Self::Rewind(step) => format!("back to step {step}"),
            Self::Switch(branch) => format!("over to branch {branch}"),
            Self::Pin { branch, step, pinned: true } => format!("keeping step {step} of branch {branch} for good"),
            Self::Pin { branch, step, .. } => format!("letting go of step {step} of branch {branch}"),
            Self::Undo => "the last change as if it had never been".into(),
        }
    }
}
