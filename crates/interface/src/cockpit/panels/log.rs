//! The log, the newest line at the bottom.

use ratatui::layout::Rect;

use crate::cockpit::State;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::{Facts, nothing};

/// Draws the lines; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    if state.log.is_empty() {
        nothing(pen, area, "nothing happened yet");
        return Facts::new();
    }
    let mut rows = Pen::rows(area).rev();
    let indent = if area.width >= 40 { 13 } else { 6 };
    'entries: for entry in state.log.newest_first() {
        let lines = text::wrap(&entry.text, area.width.saturating_sub(indent));
        let last = lines.len() - 1;
        for (index, line) in lines.iter().rev().enumerate() {
            let Some(row) = rows.next() else { break 'entries };
            pen.put(row.x + indent, row.y, row.width.saturating_sub(indent), line, entry.severity.meaning());
            if index == last {
                pen.put(row.x, row.y, indent, &text::clock(entry.time), Meaning::Muted);
                if indent > 6 {
                    let step = Rect { x: row.x + 6, width: indent - 7, ..row };
                    pen.put_right(step, &entry.step.to_string(), Meaning::Muted);
                }
            }
        }
    }
    match state.log.scrolled() {
        0 => Facts::new(),
        scrolled => vec![(format!("↓ {scrolled} more"), Meaning::Warn)],
    }
}
