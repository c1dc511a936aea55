//! The race screen: the lanes in the order of their ranking, their curves in one chart, and the cockpit of each lane.

use super::cockpit::{Connection, Stage, State};
use super::frame::{Env, Look, Notice, Outcome, Severity};
use super::metric::Metric;
use super::typed::Typed;
use super::widgets::chart::{Extent, View};
use spartui_facts::protocol::{ClientId, Command, CommandId, Evaluation, Lane, Race, first_command_id};

mod act;
mod draw;
mod receive;
mod screen;

/// The screen of a race.
#[derive(Debug, Clone)]
pub struct RaceScreen {
    /// The fields that every screen has.
    pub env: Env,
    /// The other interfaces at the race.
    pub connection: Connection,
    /// The race, once it is loaded.
    pub race: Option<Box<Race>>,
    /// Its lanes.
    pub lanes: Vec<LaneView>,
    /// Loading steps, with the share of each that is done.
    loading: Vec<(String, Option<f32>)>,
    /// The lane whose cockpit is open.
    open: Option<usize>,
    /// The selected lane.
    selected: usize,
    view: View,
    metric: Metric,
    layer: Option<Dialog>,
    /// A clone that was requested and does not exist yet.
    cloning: Option<CommandId>,
    next_id: CommandId,
    /// How it ended, if it has.
    ended: Option<Outcome>,
    /// The command that asked it to end, if any; the interface quits when it has.
    ending: Option<Command>,
}

/// One lane.
#[derive(Debug, Clone)]
pub struct LaneView {
    /// The description of the lane.
    pub about: Lane,
    /// Its own cockpit.
    pub state: State,
    /// Whether its curve is hidden.
    pub hidden: bool,
}

/// A dialog over the lanes.
#[derive(Debug, Clone, PartialEq)]
enum Dialog {
    /// The question how to quit.
    Quit,
    /// The question whether to stop this lane, or all others.
    Stop { lane: usize, others: bool },
    /// The settings of a clone of this lane, as typed so far.
    Clone { lane: usize, typed: Typed },
}

impl LaneView {
    /// The best evaluation.
    #[must_use]
    pub fn best(&self) -> Option<&Evaluation> {
        self.state.history.best()
    }

    /// Whether it is in training.
    #[must_use]
    pub fn trains(&self) -> bool {
        self.state.running()
    }

    /// Its status in a word.
    #[must_use]
    pub fn standing(&self) -> String {
        match &self.state.stage {
            Stage::Loading => "waits".into(),
            Stage::Training if self.state.evaluating.is_some() => "evaluates".into(),
            Stage::Training if self.state.paused => "paused".into(),
            Stage::Training => "trains".into(),
            Stage::Finished(summary) => summary.ending.to_string(),
            Stage::Faulted { .. } => "failed".into(),
        }
    }
}

impl RaceScreen {
    /// The screen before the first event of the engine.
    #[must_use]
    pub fn new(look: Look) -> Self {
        let mut screen = Self {
            env: Env::new(look),
            connection: Connection::default(),
            race: None,
            lanes: Vec::new(),
            loading: Vec::new(),
            open: None,
            selected: 0,
            view: View::default(),
            metric: Metric::Loss,
            layer: None,
            cloning: None,
            next_id: 1,
            ended: None,
            ending: None,
        };
        let warnings = std::mem::take(&mut screen.env.look.warnings);
        if !warnings.is_empty() {
            screen.say(Severity::Warning, warnings.join("; "));
        }
        screen
    }

    /// The screen after a connection under this identifier.
    #[must_use]
    pub fn connected(&self, client: ClientId, owner: bool) -> Self {
        let mut screen = Self::new(self.env.look.clone());
        screen.connection = Connection { client, owner, ..Connection::default() };
        screen.next_id = first_command_id(client);
        (screen.env.size, screen.view, screen.metric, screen.selected) =
            (self.env.size, self.view, self.metric, self.selected);
        screen
    }

    /// The lanes in the order of their ranking: by their best evaluation, and before the first one by their loss.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        let loss = |lane: &LaneView| lane.state.history.loss.smoothed_last().map_or(f64::INFINITY, |(_, loss)| loss);
        order.sort_by(|&one, &other| {
            let (one, other) = (&self.lanes[one], &self.lanes[other]);
            let (ahead, behind) = match (one.best(), other.best()) {
                (Some(one), Some(other)) => (one.is_better_than(other), other.is_better_than(one)),
                (one, other) => (one.is_some() && other.is_none(), other.is_some() && one.is_none()),
            };
            behind.cmp(&ahead).then_with(|| loss(one).total_cmp(&loss(other)))
        });
        order
    }

    /// The range of the visible curves on the axis.
    fn extent(&self) -> Option<Extent> {
        let spans = self.lanes.iter().filter(|lane| !lane.hidden).filter_map(|lane| lane.state.span());
        spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))).map(Extent::from)
    }

    /// The command that asked the whole race to end, if any.
    #[must_use]
    pub fn asked_to_end(&self) -> Option<&Command> {
        self.ending.as_ref()
    }

    /// Whether a lane is still in training.
    #[must_use]
    pub fn running(&self) -> bool {
        self.ended.is_none()
    }

    fn say(&mut self, severity: Severity, what: impl AsRef<str>) {
        self.env.notice = Some(Notice::new(severity, what.as_ref(), self.env.now));
    }

    fn fresh_id(&mut self) -> CommandId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
