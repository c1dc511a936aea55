//! A classifier's probabilities as bars.

use ratatui::layout::Rect;

use crate::cockpit::{Reply, State};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::gauge;
use spartui_facts::protocol::Side;

/// The least width of a bar with its share and marks.
const LEAST: u16 = 19;

/// Draws the adapted model's most probable labels, in the same order on both sides.
pub fn draw(pen: &mut Pen, area: Rect, side: Side, reply: &Reply, state: &State) {
    let Some(mine) = &reply.classes[side as usize] else { return };
    let leading = reply.classes[Side::Adapted as usize].as_ref().unwrap_or(mine);
    let names: &[String] = state.ready.as_ref().map_or(&[], |ready| &ready.labels);
    let mut order: Vec<usize> = (0..mine.len()).collect();
    order.sort_by(|&a, &b| at(leading, b).total_cmp(&at(leading, a)));
    let best = (0..mine.len()).max_by(|&a, &b| at(mine, a).total_cmp(&at(mine, b)).then(b.cmp(&a)));
    let longest = names.iter().map(|name| text::width(&text::safe_text(name))).max().unwrap_or(0);
    let name_width = longest.clamp(4, area.width.saturating_sub(LEAST).max(4));
    for (row, label) in
        Pen::rows(area).zip(order.into_iter().skip(state.playground.scroll.min(mine.len().saturating_sub(1))))
    {
        let name = names.get(label).map_or_else(|| format!("label {label}"), |name| text::safe_text(name));
        let share = f64::from(at(mine, label));
        let expected = reply.expected.as_ref().is_some_and(|expected| names.get(label) == Some(expected));
        let meaning = match (best == Some(label), expected) {
            (true, true) => Meaning::Ok,
            (true, false) if reply.expected.is_some() => Meaning::Warn,
            (true, false) => Meaning::Title,
            (false, true) => Meaning::Text,
            (false, false) => Meaning::Muted,
        };
        let mark = if expected { "◆" } else { " " };
        pen.put(row.x, row.y, 1, mark, Meaning::Ok);
        pen.put(row.x + 2, row.y, name_width, &name, meaning);
        let percent = format!(" {:>5.1} %", share * 100.0);
        let end = pen.put_right(row, &percent, meaning);
        let bar = Rect { x: row.x + name_width + 3, ..row };
        let bar = Rect { width: end.saturating_sub(bar.x), ..bar };
        gauge(pen, bar, share, if best == Some(label) { Meaning::Series1 } else { Meaning::Envelope });
    }
}

fn at(shares: &[f32], label: usize) -> f32 {
    shares.get(label).copied().unwrap_or(0.0)
}
