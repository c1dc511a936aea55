//! What to look at, above the panels, until it is acknowledged.

use ratatui::layout::Rect;

use crate::interface::keys::{Action, Context};
use crate::interface::pen::Pen;
use crate::interface::state::{Alert, Cause, State};
use crate::interface::text;
use crate::interface::theme::Meaning;

/// Most lines of all alerts together, and of each.
const LINES: usize = 4;
const EACH: usize = 2;

/// The rows that the alerts take on a terminal of this width.
#[must_use]
pub fn height(state: &State, width: u16) -> u16 {
    lines(state, width).len() as u16
}

/// Draws them, the gravest first.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) {
    for (row, (line, meaning)) in Pen::rows(area).zip(lines(state, area.width)) {
        pen.put(row.x + 1, row.y, row.width.saturating_sub(2), &line, meaning);
    }
}

fn lines(state: &State, width: u16) -> Vec<(String, Meaning)> {
    let unseen = state.alerts.unseen();
    let room = width.saturating_sub(4);
    let key = state.look.keys.label(Context::Cockpit, Action::Acknowledge);
    let mut lines = Vec::new();
    for (at, alert) in unseen.iter().enumerate() {
        let was = if alert.over { " · over by now" } else { "" };
        let hint = match &key {
            Some(key) if at == 0 => format!(" · {key} acknowledges"),
            _ => String::new(),
        };
        let wrapped = text::wrap(&format!("{}{was}{hint}", alert.text), room);
        for (index, line) in wrapped.into_iter().take(EACH).enumerate() {
            let mark = if index == 0 { MARK } else { ' ' };
            lines.push((format!("{mark} {line}"), meaning(alert)));
        }
    }
    lines.truncate(LINES);
    lines
}

/// The sign of an alert, here and on the loss.
pub const MARK: char = '▲';

/// The style of an alert.
#[must_use]
pub fn meaning(alert: &Alert) -> Meaning {
    match alert.cause {
        _ if alert.over => Meaning::Muted,
        Cause::NotANumber | Cause::Memory | Cause::Disk => Meaning::Error,
        Cause::Spike | Cause::Worse | Cause::Lost | Cause::Slow => Meaning::Warn,
    }
}
