//! The two lines at the bottom: the latest notice, and the key hints.

use ratatui::layout::Rect;

use crate::cockpit::panels::readout;
use crate::cockpit::{Stage, State, alerts};
use crate::frame::{Screen, Severity};
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::footer::{self, Hint};

/// The most lines of a notice.
const LINES: usize = 3;

/// The latest notice, else the work in progress, else an alert. A long warning grows upwards over the panels.
pub fn strip(pen: &mut Pen, row: Rect, state: &State) {
    let whole = row;
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    if !is_taken(state) && alerts::draw::draw(pen, row, state) {
        return;
    }
    let row = alerts::draw::count(pen, row, state);
    if let Some(typed) = &state.jump {
        let (before, after) = typed.halves();
        pen.put(row.x, row.y, row.width, &format!("to step {before}▏{after}"), Meaning::Pending);
    } else if let Some(entry) = &state.env.notice {
        let grave = matches!(entry.severity, Severity::Warning | Severity::Error);
        let lines = if grave { text::wrap(&entry.text, row.width) } else { vec![entry.text.clone()] };
        let shown = &lines[..lines.len().min(LINES)];
        for (above, line) in shown.iter().rev().enumerate() {
            let y = row.y.saturating_sub(above as u16);
            if above > 0 {
                pen.clear(Rect { y, ..whole });
            }
            pen.put(row.x, y, row.width, line, entry.severity.meaning());
        }
    } else if let Some(why) = &state.connection.lost {
        pen.put(row.x, row.y, row.width, &text::safe_text(why), Meaning::Error);
    } else if let Some((done, of)) = state.evaluating {
        pen.put(row.x, row.y, row.width, &format!("evaluating, {done} of {of} rows done"), Meaning::Pending);
    } else if let Some(request) = state.requests.last() {
        let fate = if request.queued { "queued" } else { "asked for" };
        let line = format!("{fate}: {}", text::safe_text(&request.kind.describe()));
        pen.put(row.x, row.y, row.width, &line, Meaning::Pending);
    } else if let Some(cursor) = state.cursor {
        pen.put(row.x, row.y, row.width, &readout(state, cursor), Meaning::Text);
    } else if state.paused {
        let remark = format!("paused{}", state.env.look.keys.advice(Context::Cockpit, Action::Pause, "goes on"));
        pen.put(row.x, row.y, row.width, &remark, Meaning::Warn);
    }
}

/// Whether the row is taken, so that an alert has to wait.
fn is_taken(state: &State) -> bool {
    state.jump.is_some()
        || state.env.notice.is_some()
        || state.connection.lost.is_some()
        || state.evaluating.is_some()
        || !state.requests.is_empty()
        || state.cursor.is_some()
}

/// Key hints of the active contexts, the nearest first, as many as fit.
pub fn hints(row: Rect, state: &State) -> Vec<Hint> {
    // Keys for a pending value come first; else help and quit do, followed by the panel's own keys.
    let (panel, mut order): (Vec<Context>, Vec<Context>) =
        state.contexts().into_iter().partition(|context| matches!(context, Context::Chart | Context::Rows));
    order.extend(panel);
    let useful = |action: Action| match (&state.stage, &state.ready) {
        _ if action == Action::TakeOver && state.connection.steers() => false,
        _ if action.steers() && state.connection.hindrance().is_some() => false,
        (_, None) if state.layers.is_empty() && state.env.overlay.is_none() => {
            matches!(action, Action::Help | Action::Palette | Action::Quit | Action::Reconnect)
        }
        (Stage::Training, _) => true,
        _ => !action.steers(),
    };
    footer::hints(row, &state.env.look.keys, &order, |action, word| match action {
        Action::Pause if state.paused => useful(action).then_some("resume"),
        _ => useful(action).then_some(word),
    })
}
