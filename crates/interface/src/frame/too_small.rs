//! The message for a terminal that is too small.

use ratatui::layout::Rect;

use crate::layout::centred;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;

/// Draws the message.
pub fn too_small(pen: &mut Pen, screen: Rect, (columns, rows): (u16, u16)) {
    let lines = [
        "the terminal is too small".to_owned(),
        format!("{} x {} now", screen.width, screen.height),
        format!("{columns} x {rows} needed"),
    ];
    let place = centred(screen, screen.width, 3);
    for (row, line) in Pen::rows(place).zip(lines) {
        let row = centred(row, text::width(&line), 1);
        pen.put(row.x, row.y, row.width, &line, Meaning::Warn);
    }
}
