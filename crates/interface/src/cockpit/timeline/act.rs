//! The timeline's actions: rewinding, and switching between branches.

use super::{Row, rows};
use crate::cockpit::{Dialog, RequestKind, Stage, State};
use crate::frame::Effect;
use crate::keys::{Action, Context};
use spartui_facts::protocol::{Branch, Command, CommandId, KeptState};

/// Opens the list at the current branch.
pub fn open(state: &mut State) {
    let current = rows(state).iter().position(|row| matches!(row, Row::Branch(branch) if branch.current));
    state.timeline_row = current.unwrap_or(0);
    state.layers.push(Dialog::Timeline);
}

/// Selects another row.
pub fn walk(state: &mut State, by: isize) {
    let last = rows(state).len().saturating_sub(1);
    state.timeline_row = state.timeline_row.saturating_add_signed(by).min(last);
}

/// Goes to the selected branch or state.
pub fn go(state: &mut State) -> Vec<Effect> {
    let path = state.history.tree.path();
    let row = rows(state).get(state.timeline_row).copied();
    let effects = match row {
        Some(Row::Branch(branch)) if branch.current => {
            state.hint("the run is on this branch");
            return Vec::new();
        }
        Some(Row::Branch(&Branch { id: branch, .. })) => switch(state, branch),
        Some(Row::State(&KeptState { branch, step, .. })) if path.holds(branch, step) => {
            ask(state, RequestKind::Rewind(step), |id| Command::Rewind { id, step })
        }
        Some(Row::State(&KeptState { branch, step, .. })) => {
            state.hint(format!("step {step} is on branch {branch}: go to that branch first, then back to the step"));
            return Vec::new();
        }
        None => return Vec::new(),
    };
    if !effects.is_empty() {
        state.layers.clear();
    }
    effects
}

/// Goes to a branch.
pub fn switch(state: &mut State, branch: u32) -> Vec<Effect> {
    ask(state, RequestKind::Switch(branch), |id| Command::SwitchBranch { id, branch })
}

/// Pins or unpins the selected state or the tip of the selected branch.
pub fn pin(state: &mut State) -> Vec<Effect> {
    let row = rows(state).get(state.timeline_row).copied();
    let (branch, step, pinned) = match row {
        Some(Row::Branch(branch)) if branch.current && !branch.pinned && !state.paused => {
            let advice = state.env.look.keys.advice(Context::Timeline, Action::Snapshot, "keeps the current state");
            let then = if advice.is_empty() { "" } else { ", which can then be pinned" };
            state.hint(format!("this branch trains on{advice}{then}"));
            return Vec::new();
        }
        Some(Row::Branch(branch)) if branch.current => (branch.id, state.step(), !branch.pinned),
        Some(Row::Branch(branch)) => (branch.id, branch.tip, !branch.pinned),
        Some(Row::State(kept)) => (kept.branch, kept.step, !kept.pinned),
        None => return Vec::new(),
    };
    ask(state, RequestKind::Pin { branch, step, pinned }, |id| Command::Pin { id, branch, step, pinned })
}

/// Marks the selected row for comparison, or unmarks it.
pub fn mark(state: &mut State) {
    let place = rows(state).get(state.timeline_row).map(|row| row.place(state));
    let marked = place.filter(|place| state.compared != Some(*place));
    state.compared = marked;
}

/// Keeps the current state.
pub fn snapshot(state: &mut State) -> Vec<Effect> {
    ask(state, RequestKind::Snapshot, |id| Command::Snapshot { id })
}

/// Rewinds to the step under the cursor.
pub fn rewind(state: &mut State) -> Vec<Effect> {
    let Some(step) = state.cursor.map(|cursor| cursor.step) else { return Vec::new() };
    if step == state.step() {
        state.hint("the run is at this step; move the cursor to an earlier one");
        return Vec::new();
    }
    ask(state, RequestKind::Rewind(step), |id| Command::Rewind { id, step })
}

/// Rewinds to before the last change.
pub fn undo(state: &mut State) -> Vec<Effect> {
    ask(state, RequestKind::Undo, |id| Command::Undo { id })
}

fn ask(state: &mut State, kind: RequestKind, command: impl FnOnce(CommandId) -> Command) -> Vec<Effect> {
    if state.stage != Stage::Training || state.leaving.is_some() {
        state.hint("there is no run that trains");
        return Vec::new();
    }
    let id = state.request(kind);
    state.env.notice = None;
    vec![Effect::Send(command(id))]
}
