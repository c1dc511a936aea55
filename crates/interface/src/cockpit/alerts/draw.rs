//! Unacknowledged alerts. They share a row with the latest notice, so that the layout does not change when alerts come
//! and go.

use ratatui::layout::Rect;

use crate::cockpit::{Alert, Cause, State};
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;

/// The mark of an alert, here and on the loss chart.
pub const MARK: char = '▲';

/// The alerts to show, the most severe first.
fn unseen(state: &State) -> Vec<&Alert> {
    if state.running() { state.alerts.unseen() } else { Vec::new() }
}

/// Draws the most severe alert over the whole row, with the number of the others; returns whether there was any.
pub fn draw(pen: &mut Pen, row: Rect, state: &State) -> bool {
    let unseen = unseen(state);
    let Some(alert) = unseen.first() else { return false };
    let key = state.env.look.keys.label(Context::Cockpit, Action::Acknowledge);
    let more = if unseen.len() > 1 { format!(" · {} more", unseen.len() - 1) } else { String::new() };
    let hint = key.map_or_else(String::new, |key| format!(" · {key} acknowledges"));
    let was = if alert.over { " · over by now" } else { "" };
    let end = format!("{was}{more}{hint}");
    // Where the row is too short for the whole text, the log has the remedy.
    let room = row.width.saturating_sub(text::width(&end) + 2);
    let line = format!("{MARK} {}{end}", text::truncate(&alert.text, room));
    pen.put(row.x, row.y, row.width, &line, meaning(alert));
    true
}

/// Draws the number of alerts at the right end of a row that shows something else; returns the rest of the row.
pub fn count(pen: &mut Pen, row: Rect, state: &State) -> Rect {
    let unseen = unseen(state);
    let Some(alert) = unseen.first() else { return row };
    let x = pen.put_right(row, &format!("{MARK} {}", unseen.len()), meaning(alert));
    Rect { width: x.saturating_sub(row.x + 1), ..row }
}

/// The style of an alert.
#[must_use]
pub fn meaning(alert: &Alert) -> Meaning {
    match alert.cause {
        _ if alert.over => Meaning::Muted,
        Cause::NotANumber | Cause::Memory | Cause::Disk => Meaning::Error,
        Cause::Spike | Cause::Worse | Cause::Lost | Cause::Slow => Meaning::Warn,
    }
}
