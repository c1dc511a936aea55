//! The two lines at the bottom: what was last said, and the keys.

use ratatui::layout::Rect;

use crate::interface::keys::{self, Action, Context, TABLE};
use crate::interface::pen::Pen;
use crate::interface::state::{Stage, State, Weight};
use crate::interface::text;
use crate::interface::theme::Meaning;
use crate::interface::widgets::{readout, weight_meaning};

/// The most lines that what was said takes.
const LINES: usize = 3;

/// What was last said, else what is under way. A long warning grows upwards over the panels.
pub fn strip(pen: &mut Pen, row: Rect, state: &State) {
    let whole = row;
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    if let Some((entry, _)) = &state.notice {
        let grave = matches!(entry.weight, Weight::Warning | Weight::Error);
        let lines = if grave { text::wrap(&entry.text, row.width) } else { vec![entry.text.clone()] };
        let shown = &lines[..lines.len().min(LINES)];
        for (above, line) in shown.iter().rev().enumerate() {
            let y = row.y.saturating_sub(above as u16);
            if above > 0 {
                pen.clear(Rect { y, ..whole });
            }
            pen.put(row.x, y, row.width, line, weight_meaning(entry.weight));
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
        pen.put(row.x, row.y, row.width, "paused; space goes on", Meaning::Warn);
    }
}

/// The keys that mean something now, the nearest context first, as many as there is room for.
pub fn footer(pen: &mut Pen, row: Rect, state: &State) {
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    let active = keys::active(state);
    // What answers a pending value comes first; else the help and the way out do, and the panel's own keys after.
    let near = active.iter().filter(|context| !matches!(context, Context::Chart | Context::Rows));
    let order = near.chain(active.iter().filter(|context| matches!(context, Context::Chart | Context::Rows)));
    let mut x = row.x;
    for binding in order.flat_map(|context| TABLE.iter().filter(move |binding| binding.context == *context)) {
        let Some(word) = binding.footer else { continue };
        let action = binding.keys.first().map(|(_, action)| *action);
        let useful = |action: Action| match (&state.stage, &state.ready) {
            _ if action == Action::TakeOver && state.connection.steers() => false,
            _ if action.steers() && state.connection.hindrance().is_some() => false,
            (_, None) if state.layers.is_empty() => {
                matches!(action, Action::Help | Action::Quit | Action::NextTheme | Action::Reconnect)
            }
            (Stage::Training, _) => true,
            _ => !action.steers(),
        };
        if !action.is_some_and(useful) {
            continue;
        }
        let word = if action == Some(Action::Pause) && state.paused { "resume" } else { word };
        let label = binding.short_label();
        if x + text::width(&label) + 1 + text::width(word) > row.right() {
            continue;
        }
        let rest = Rect { x, width: row.right() - x, ..row };
        x = pen.pieces(rest, [(label.as_str(), Meaning::Key), (" ", Meaning::Text), (word, Meaning::Muted)]) + 2;
    }
}
