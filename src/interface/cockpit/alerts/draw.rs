//! What to look at, until it is acknowledged. It shares its row with what was last said, so that nothing moves when alerts
//! come and go.

use ratatui::layout::Rect;

use crate::interface::cockpit::{Alert, Cause, State};
use crate::interface::keys::{Action, Context};
use crate::interface::pen::Pen;
use crate::interface::text;
use crate::interface::theme::Meaning;

/// The sign of an alert, here and on the loss.
pub const MARK: char = '▲';

/// Those that are to be shown, the gravest first.
fn unseen(state: &State) -> Vec<&Alert> {
    if state.running() { state.alerts.unseen() } else { Vec::new() }
}

/// Draws the gravest one over the whole row, and how many more there are; whether there was any.
pub fn draw(pen: &mut Pen, row: Rect, state: &State) -> bool {
    let unseen = unseen(state);
    let Some(alert) = unseen.first() else { return false };
    let key = state.env.look.keys.label(Context::Cockpit, Action::Acknowledge);
    let more = if unseen.len() > 1 { format!(" · {} more", unseen.len() - 1) } else { String::new() };
    let hint = key.map_or_else(String::new, |key| format!(" · {key} acknowledges"));
    let was = if alert.over { " · over by now" } else { "" };
    let end = format!("{was}{more}{hint}");
    // What is to be done about it is in the log, where the row is too short for all of it.
    let room = row.width.saturating_sub(text::width(&end) + 2);
    let line = format!("{MARK} {}{end}", text::truncate(&alert.text, room));
    pen.put(row.x, row.y, row.width, &line, meaning(alert));
    true
}

/// Says at the right end of the row, where something else is said in it, how many there are; what is left of the row.
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
