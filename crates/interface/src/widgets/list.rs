//! Lists that are longer than their box.

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;

/// The first visible row of a list, such that the selected one is visible.
#[must_use]
pub fn first_row(selected: usize, rows: usize, room: usize) -> usize {
    if room == 0 { selected } else { selected.saturating_sub(room - 1).min(rows.saturating_sub(room)) }
}

/// As [`first_row`], with the selected row in the middle where the list allows it.
#[must_use]
pub fn first_row_centred(selected: usize, rows: usize, height: u16) -> usize {
    let height = usize::from(height);
    selected.saturating_sub(height / 2).min(rows.saturating_sub(height))
}

/// The inside of a box.
#[must_use]
pub fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// Says on the lower edge of a box how many rows of the list in its `inner` are above and below the visible ones:
/// `room` from `first` on, out of `rows`.
pub fn more(pen: &mut Pen, inner: Rect, first: usize, room: usize, rows: usize) {
    let below = rows.saturating_sub(first + room);
    let arrows = [("↑", first.min(rows)), ("↓", below)];
    let said: Vec<String> =
        arrows.iter().filter(|(_, count)| *count > 0).map(|(arrow, count)| format!("{arrow} {count}")).collect();
    if said.is_empty() || room == 0 {
        return;
    }
    let said = format!(" {} more ", said.join("  "));
    let row = Rect { y: inner.bottom(), height: 1, ..inner };
    if text::width(&said) <= row.width {
        pen.put_right(row, &said, Meaning::Muted);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::theme::{Depth, Themes};

    fn edge(first: usize, room: usize, rows: usize) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 22, 3));
        let themes = Themes::load(None, Depth::True);
        more(&mut Pen::new(&mut buffer, &themes.list[0]), Rect::new(1, 1, 20, 1), first, room, rows);
        (0..22).map(|x| buffer[(x, 2)].symbol()).collect::<String>().trim().to_owned()
    }

    #[test]
    fn what_is_out_of_sight_is_counted() {
        assert_eq!(edge(0, 5, 5), "");
        assert_eq!(edge(0, 5, 12), "↓ 7 more");
        assert_eq!(edge(7, 5, 12), "↑ 7 more");
        assert_eq!(edge(3, 5, 12), "↑ 3  ↓ 4 more");
        assert_eq!(edge(0, 0, 12), "");
    }
}
