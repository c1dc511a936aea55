//! The cockpit's actions: a pure function from an action to effects.

use super::charts::cursor;
use super::{Dialog, State, alerts, charts, connection, inspect, leaving, pending, playground, timeline};
use crate::frame::{Effect, Outcome};
use crate::keys::{Action, Panel};
use spartui_facts::protocol::Command;

/// Runs an action.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    if action.steers()
        && let Some(why) = state.hindrance()
    {
        state.hint(why);
        return Vec::new();
    }
    match action {
        Action::Example => state.layers.push(Dialog::Example),
        Action::Quit => return leaving::ask_to_quit(state),
        Action::Interrupt => return leaving::interrupt(state),
        Action::Leave => close_dialog(state),
        Action::Stop if state.running() => state.layers.push(Dialog::Stop),
        Action::Stop => state.hint("the run has ended already"),
        Action::StopNow => return leaving::stop(state),
        Action::AbortNow => return leaving::end(state, Command::Abort),
        Action::Detach => return connection::act::detach(state),
        Action::TakeOver => return connection::act::take_over(state),
        Action::Reconnect => return vec![Effect::Quit(Outcome::Reconnect)],
        Action::Timeline => timeline::act::open(state),
        Action::TimelineRow(by) => timeline::act::walk(state, by),
        Action::TimelineGo => return timeline::act::go(state),
        Action::TimelinePin => return timeline::act::pin(state),
        Action::Snapshot => return timeline::act::snapshot(state),
        Action::UndoSteps => return timeline::act::undo(state),
        Action::Redo => return pending::act::redo(state),
        Action::CursorUp => cursor::toggle(state),
        Action::CursorBy(by) => cursor::walk(state, by),
        Action::CursorLowest(lowest) => cursor::extreme(state, lowest),
        Action::CursorAnchor => cursor::anchor(state),
        Action::RewindHere => return timeline::act::rewind(state),
        Action::Acknowledge => alerts::act::acknowledge(state),
        Action::MapMeasure => state.map.measure = state.map.measure.next(),
        Action::MapLayer(by) => walk_map(state, (0, by)),
        Action::TimelineCompare => timeline::act::mark(state),
        Action::Jump => cursor::jump(state),
        Action::JumpThere => cursor::land(state),
        Action::JumpNowhere => state.jump = None,
        Action::JumpErase => cursor::edit_digits(state, action),
        Action::Line(_) if state.jump.is_some() => cursor::edit_digits(state, action),
        Action::Line(_) if playground::act::is_typing(state) => return playground::act::act(state, action),
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
        | Action::PlaygroundScroll(_) => return playground::act::act(state, action),
        Action::Focus(by) => state.focus_on(state.focus.moved(by)),
        Action::FocusOn(panel) => state.focus_on(panel),
        Action::Maximise => state.maximised = !state.maximised,
        Action::Row(by) => move_row(state, by),
        Action::Curves => return inspect::open(state),
        Action::Metric(by) => charts::act::turn(state, by),
        Action::LogAxis => state.view.log = !state.view.log,
        Action::Smooth(by) => smooth(state, by),
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
        | Action::Line(_) => return pending::act::steer(state, action),
        // Actions of the frame and of other screens.
        _ => {}
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
            let rows = state.shown_fields().count();
            state.setting_row = state.setting_row.saturating_add_signed(by).min(rows.saturating_sub(1));
        }
        Panel::Log => state.log.scroll(-by),
        Panel::Charts => charts::act::walk(state, by),
        Panel::Map => walk_map(state, (by, 0)),
        Panel::Loss | Panel::Memory | Panel::Validation | Panel::Device => {}
    }
}

fn smooth(state: &mut State, by: isize) {
    if state.view.smooth(by) {
        state.history.smooth(state.view.smoothing());
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

fn close_dialog(state: &mut State) {
    if state.layers.pop().is_none() {
        state.maximised = false;
        state.env.notice = None;
    }
}
