//! Progress before the first step.

use ratatui::layout::Rect;

use crate::cockpit::{Stage, State};
use crate::layout::centred;
use crate::pen::Pen;
use crate::theme::Meaning;
use crate::{text, widgets};

/// Lists the loading steps, with a gauge for the current one.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) {
    let width = area.width.saturating_sub(6).min(90);
    let room = usize::from(area.height.saturating_sub(4));
    let shown = &state.loading[state.loading.len().saturating_sub(room)..];
    let place = centred(area, width, (shown.len() as u16 + 4).max(6));
    let mut rows = Pen::rows(place);
    if let Some(row) = rows.next() {
        let x = pen.put(row.x, row.y, row.width, "loading the run", Meaning::Title);
        let since = format!("  {}", text::clock(state.env.now));
        pen.put(x, row.y, row.right().saturating_sub(x), &since, Meaning::Muted);
    }
    if shown.is_empty() {
        if let Some(row) = rows.nth(1) {
            pen.put(row.x, row.y, row.width, "waiting for the engine", Meaning::Muted);
        }
        return;
    }
    let failed = matches!(state.stage, Stage::Faulted { .. });
    for (index, (row, (what, fraction))) in rows.skip(1).zip(shown).enumerate() {
        let underway = index + 1 == shown.len();
        let (mark, meaning) = match (underway, failed) {
            (true, true) => ("× ", Meaning::Error),
            (true, false) => ("› ", Meaning::Pending),
            (false, _) => ("✓ ", Meaning::Ok),
        };
        let x = pen.put(row.x, row.y, 2, mark, meaning);
        let gauge = row.width / 3;
        let text_width = row.width.saturating_sub(gauge + 4);
        pen.put(x, row.y, text_width, what, if underway { Meaning::Text } else { Meaning::Muted });
        if let (true, Some(fraction)) = (underway, fraction) {
            let share = f64::from(*fraction);
            let bar = Rect { x: row.right() - gauge, width: gauge.saturating_sub(6), ..row };
            widgets::gauge(pen, bar, share, Meaning::Pending);
            pen.put_right(row, &format!("{:.0} %", share.clamp(0.0, 1.0) * 100.0), Meaning::Text);
        }
    }
}
