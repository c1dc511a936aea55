//! Drawing helpers shared by several parts of the launcher.

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;

/// A box with a title at the top, and a remark at its right end.
pub fn titled(pen: &mut Pen, area: Rect, border: Meaning, title: &str, remark: (&str, Meaning)) -> Rect {
    let inner = pen.frame(area, border);
    let row = Rect { x: area.x + 1, width: area.width.saturating_sub(2), height: 1, ..area };
    let meaning = if border == Meaning::Focus { Meaning::Focus } else { Meaning::Title };
    let x = pen.put(row.x, row.y, row.width, &format!(" {title} "), meaning);
    if !remark.0.is_empty() {
        let rest = Rect { x, width: row.right().saturating_sub(x), ..row };
        let remark_text = format!(" {} ", remark.0);
        if text::width(&remark_text) <= rest.width {
            pen.put_right(rest, &remark_text, remark.1);
        }
    }
    inner
}

/// A line with a label and a value.
pub fn fact(pen: &mut Pen, row: Rect, label: &str, value: &str, meaning: Meaning) {
    const LABEL: u16 = 10;
    pen.put(row.x, row.y, LABEL.min(row.width), label, Meaning::Muted);
    pen.put(row.x + LABEL, row.y, row.width.saturating_sub(LABEL), value, meaning);
}
