//! How the state answers: a pure function from an input to effects.

use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::Frame;

use super::frame::{Effect, Input, Outcome, Overlay, Screen, Weight};
use super::keys::{Action, Panel, Press};
use super::state::{Layer, RequestKind, Stage, State};
use super::widgets::footer::Hint;
use super::{alerts, charts, connection, cursor, inspect, mouse, palette, playground, receive, steer, timeline};
use crate::protocol::Command;

/// Brings the state up to date with an input.
pub fn update(state: &mut State, input: Input) -> Vec<Effect> {
    let (mut effects, input) = inspect::offer(state, input);
    if let Some(input) = input {
        effects.extend(take(state, input));
    }
    effects
}

fn take(state: &mut State, input: Input) -> Vec<Effect> {
    match input {
        Input::Key(event) => key(state, event),
        Input::Mouse(event) => mouse::answer(state, event),
        Input::Paste(text) if state.overlay.is_none() && playground::is_typing(state) => {
            text.chars().for_each(|c| state.playground.insert(c));
            Vec::new()
        }
        Input::Paste(text) => text.chars().filter(|c| !c.is_control()).flat_map(|c| paste(state, c)).collect(),
        Input::Background { light } => {
            state.look.fit(light);
            Vec::new()
        }
        Input::Resize(columns, rows) => {
            state.size = (columns, rows);
            Vec::new()
        }
        Input::Engine(event) => receive::receive(state, *event),
        Input::News(news) => connection::hear(state, *news),
        Input::EngineGone => receive::engine_gone(state),
        Input::Signal(signal_hook::consts::SIGINT) => act(state, Action::Interrupt),
        Input::Signal(signal_hook::consts::SIGTERM) => connection::terminate(state),
        Input::Signal(_) | Input::Hangup => vec![Effect::Quit(outcome(state).unwrap_or(Outcome::Detached))],
        Input::Tick(now) => {
            state.now = now;
            if state.notice.as_ref().is_some_and(|notice| notice.is_over(now)) {
                state.notice = None;
            }
            Vec::new()
        }
        // The cockpit asks for no job.
        Input::Done(_) => Vec::new(),
    }
}

fn key(state: &mut State, event: KeyEvent) -> Vec<Effect> {
    if state.overlay.is_some() {
        return palette::key(state, event);
    }
    if let Some(action) = state.look.keys.action(&state.contexts(), event) {
        return act(state, action);
    }
    match Press::typed(event) {
        Some(c) if playground::is_typing(state) => state.playground.insert(c),
        Some(c) if state.jump.is_some() => cursor::type_digit(state, c),
        Some(c) if state.layers.is_empty() => return steer::type_character(state, c),
        _ => {}
    }
    Vec::new()
}

fn paste(state: &mut State, c: char) -> Vec<Effect> {
    match &mut state.overlay {
        Some(overlay) => overlay.insert(c),
        None if state.jump.is_some() => cursor::type_digit(state, c),
        None if state.layers.is_empty() => return steer::type_character(state, c),
        None => {}
    }
    Vec::new()
}

/// Does what a key stands for.
#[expect(clippy::too_many_lines, reason = "a line for each action")]
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    if action.steers()
        && let Some(why) = state.hindrance()
    {
        state.hint(why);
        return Vec::new();
    }
    if let Some(overlay) = Overlay::opened_by(action, &state.look) {
        state.overlay = Some(overlay);
        return Vec::new();
    }
    match action {
        Action::Example => state.layers.push(Layer::Example),
        Action::Quit => return ask_to_quit(state),
        Action::Interrupt => return interrupt(state),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => match state.look.suspend() {
            Ok(effect) => return vec![effect],
            Err(why) => state.hint(why),
        },
        Action::Leave => leave_layer(state),
        Action::Stop if state.running() => state.layers.push(Layer::Stop),
        Action::Stop => state.hint("the run has ended already"),
        Action::StopNow => return stop(state),
        Action::AbortNow => return end(state, Command::Abort),
        Action::Detach => return connection::detach(state),
        Action::TakeOver => return connection::take_over(state),
        Action::Reconnect => return vec![Effect::Quit(Outcome::Reconnect)],
        Action::Timeline => timeline::open(state),
        Action::TimelineRow(by) => timeline::walk(state, by),
        Action::TimelineGo => return timeline::go(state),
        Action::TimelinePin => return timeline::pin(state),
        Action::Snapshot => return timeline::snapshot(state),
        Action::UndoSteps => return timeline::undo(state),
        Action::Redo => return steer::redo(state),
        Action::CursorUp => cursor::toggle(state),
        Action::CursorBy(by) => cursor::walk(state, by),
        Action::CursorLowest(lowest) => cursor::extreme(state, lowest),
        Action::CursorAnchor => cursor::anchor(state),
        Action::RewindHere => return timeline::rewind(state),
        Action::Acknowledge => alerts::acknowledge(state),
        Action::MapMeasure => state.map.measure = state.map.measure.next(),
        Action::MapLayer(by) => walk_map(state, (0, by)),
        Action::TimelineCompare => timeline::mark(state),
        Action::Jump => cursor::jump(state),
        Action::JumpThere => cursor::land(state),
        Action::JumpNowhere => state.jump = None,
        Action::JumpErase => cursor::edit_digits(state, action),
        Action::Line(_) if state.jump.is_some() => cursor::edit_digits(state, action),
        Action::Line(_) if playground::is_typing(state) => return playground::act(state, action),
        Action::Playground
        | Action::PlaygroundAsk
        | Action::PlaygroundRow(_)
        | Action::PlaygroundLeave
        | Action::PlaygroundTyping(_)
        | Action::PlaygroundPast(_)
        | Action::PlaygroundCursor(_)
        | Action::PlaygroundErase(_)
        | Action::PlaygroundMoment(_)
        | Action::PlaygroundLive
        | Action::PlaygroundChat
        | Action::PlaygroundTokens(_)
        | Action::PlaygroundScroll(_) => return playground::act(state, action),
        Action::NextTheme => next_theme(state),
        Action::Focus(by) => state.focus_on(state.focus.moved(by)),
        Action::FocusOn(panel) => state.focus_on(panel),
        Action::Maximise => state.maximised = !state.maximised,
        Action::Row(by) => move_row(state, by),
        Action::Curves => return inspect::open(state),
        Action::Metric(by) => charts::turn(state, by),
        Action::LogAxis => state.view.log = !state.view.log,
        Action::Smooth(by) => {
            if state.view.smooth(by) {
                state.history.smooth(state.view.smoothing());
            }
        }
        Action::Zoom(closer) => {
            let anchor = cursor::share(state);
            zoom(state, if closer { 0.5 } else { 2.0 }, anchor);
        }
        Action::Pan(by) => {
            if let Some(span) = state.span() {
                state.view.pan(by as f64 * 0.25, span);
            }
        }
        Action::Follow => {
            if let Some(span) = state.span() {
                state.view.toggle_follow(span);
            }
        }
        Action::Pause
        | Action::Sparser(_)
        | Action::Faster(_)
        | Action::Evaluate
        | Action::Export
        | Action::Undo
        | Action::Edit
        | Action::Apply
        | Action::ApplyWithRate
        | Action::Discard
        | Action::Turn(_)
        | Action::Cursor(_)
        | Action::Backspace
        | Action::Delete
        | Action::Line(_) => return steer::steer(state, action),
        // The inspector's.
        Action::CurvesToggle
        | Action::CurvesOnly
        | Action::CurvesPin
        | Action::CurvesAll
        | Action::CurvesFilter
        | Action::CurvesStep
        | Action::CurvesAlong
        | Action::CurvesLogX
        | Action::CurvesEnvelope
        | Action::CurvesOutliers
        | Action::CurvesBetween
        | Action::CurvesDifferences
        | Action::CurvesExport
        | Action::CurvesExportAs(_)
        // The race's.
        | Action::RaceOpen
        | Action::RaceHide
        | Action::RaceOthers
        | Action::RaceClone
        // The comparison's.
        | Action::CompareRuns
        | Action::CompareToggle
        | Action::CompareAll
        | Action::CompareAgainst
        | Action::CompareSort(_)
        | Action::CompareReverse
        | Action::CompareAgain
        | Action::CompareWrite
        | Action::CompareWriteAs(_)
        // The launcher's.
        | Action::HomeRow(_)
        | Action::OpenRun
        | Action::ViewRun
        | Action::RunFacts
        | Action::NewRun
        | Action::CopyRun
        | Action::ResumeRun
        | Action::DeleteRun
        | Action::DeleteNow
        | Action::RenameRun
        | Action::RenameBack
        | Action::FilterRuns
        | Action::SortRuns(_)
        | Action::MarkRun
        | Action::MarkAllRuns
        | Action::TagRun
        | Action::NoteRun
        | Action::OpenRecipe
        | Action::FormRow(_)
        | Action::FormSection(_)
        | Action::FormTurn(_)
        | Action::FormEdit
        | Action::FormType
        | Action::FormUndo
        | Action::FormReset
        | Action::FormFind
        | Action::FormSave
        | Action::FormStart
        | Action::StartNow
        | Action::FormRace
        | Action::PickComplete
        | Action::PickRow(_)
        | Action::PickTake
        | Action::PickAbove
        // What lies over the screen has taken these.
        | Action::Help | Action::Palette | Action::Themes | Action::OverlayRow(_) | Action::Choose | Action::Complete => {
        }
    }
    Vec::new()
}

pub(super) fn move_row(state: &mut State, by: isize) {
    match state.focus {
        Panel::Sparsity => {
            let rows = state.sparsity.as_ref().map_or(1, |sparsity| sparsity.groups.len() + 1);
            state.group_row = state.group_row.saturating_add_signed(by).min(rows - 1);
        }
        Panel::Settings => {
            let rows = State::live_fields().count();
            state.setting_row = state.setting_row.saturating_add_signed(by).min(rows.saturating_sub(1));
        }
        Panel::Log => state.log.scroll(-by),
        Panel::Charts => charts::walk(state, by),
        Panel::Map => walk_map(state, (by, 0)),
        Panel::Loss | Panel::Memory | Panel::Validation | Panel::Device => {}
    }
}

fn walk_map(state: &mut State, by: (isize, isize)) {
    let groups = state.sparsity.as_ref().map_or(&[][..], |sparsity| &sparsity.groups);
    state.map.walk(by, groups);
}

pub(super) fn zoom(state: &mut State, factor: f64, anchor: Option<f64>) {
    if let Some(span) = state.span() {
        state.view.zoom(factor, anchor, span);
    }
}

fn next_theme(state: &mut State) {
    let said = state.look.choose_next();
    state.flash(Weight::Info, said);
}

fn leave_layer(state: &mut State) {
    if state.layers.pop().is_none() {
        state.maximised = false;
        state.notice = None;
    }
}

fn ask_to_quit(state: &mut State) -> Vec<Effect> {
    if let Some(outcome) = outcome(state) {
        return vec![Effect::Quit(outcome)];
    }
    if state.connection.hindrance().is_some() {
        return vec![Effect::Quit(Outcome::Left)];
    }
    state.layers.push(Layer::Quit);
    Vec::new()
}

/// The first one asks, the second one stops cleanly, the third one aborts, and the fourth leaves an engine that does
/// not answer.
fn interrupt(state: &mut State) -> Vec<Effect> {
    if let Some(outcome) = outcome(state) {
        return vec![Effect::Quit(outcome)];
    }
    if state.connection.hindrance().is_some() {
        return vec![Effect::Quit(Outcome::Left)];
    }
    match state.leaving {
        Some(Command::Abort) => {
            let message = "the engine did not answer and was left behind; the run folder holds its last checkpoint";
            vec![Effect::Quit(Outcome::Faulted { message: message.into(), refused: false })]
        }
        Some(_) => end(state, Command::Abort),
        None if state.layers.last() == Some(&Layer::Quit) => end(state, Command::Stop),
        None => {
            state.layers.push(Layer::Quit);
            Vec::new()
        }
    }
}

/// Asks the engine to stop: from the question how to leave also to leave then.
fn stop(state: &mut State) -> Vec<Effect> {
    if state.layers.last() == Some(&Layer::Quit) {
        return end(state, Command::Stop);
    }
    state.layers.clear();
    state.say(Weight::Info, "stopping after this step; checkpoint and adapter are written");
    state.ending = Some(Command::Stop);
    vec![Effect::Send(Command::Stop)]
}

/// Asks the engine to end in this way, and leaves when it has.
pub(super) fn end(state: &mut State, command: Command) -> Vec<Effect> {
    if let Some(outcome) = outcome(state) {
        return vec![Effect::Quit(outcome)];
    }
    state.layers.clear();
    state.edit = None;
    let saying = match command {
        Command::Abort => "aborting; nothing more is written",
        Command::Terminate => "ending; a checkpoint is written",
        _ => "stopping after this step; checkpoint and adapter are written",
    };
    state.say(Weight::Info, saying);
    state.leaving = Some(command.clone());
    state.ending = Some(command.clone());
    vec![Effect::Send(command)]
}

/// How the run ended, if it has.
pub(super) fn outcome(state: &State) -> Option<Outcome> {
    match &state.stage {
        Stage::Loading | Stage::Training => None,
        Stage::Finished(summary) => Some(Outcome::Finished(summary.clone())),
        Stage::Faulted { message, refused } => Some(Outcome::Faulted { message: message.clone(), refused: *refused }),
    }
}

impl RequestKind {
    /// What was asked for, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Set { field, value, .. } => format!("{field} → {}", super::text::value(value)),
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

impl Screen for State {
    fn update(&mut self, input: Input) -> Vec<Effect> {
        update(self, input)
    }

    fn draw(&self, frame: &mut Frame) {
        super::screens::draw(frame, self);
    }

    fn hints(&self) -> Vec<Hint> {
        super::screens::hints(self)
    }

    fn animated(&self) -> bool {
        State::animated(self)
    }

    fn past(&self) -> Option<Duration> {
        self.connection.past
    }
}
