//! The layout of the launcher, used by drawing and mouse alike.

use ratatui::layout::Rect;

use super::pick::PickKind;
use super::{Dialog, Launcher, View};
use crate::layout::{SMALLEST, centred, split_bottom, split_left, split_right, split_top};
use crate::widgets::list::{first_row_centred, inside};

/// The areas of the screen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places {
    /// The header line.
    pub header: Rect,
    /// The list: runs, or lines of the form; with its border.
    pub list: Rect,
    /// Facts of the selected run, or the plan of the run in the form; empty if there is no room.
    pub side: Rect,
    /// The help for the selected line of the form.
    pub help: Rect,
    /// The equivalent command line.
    pub command: Rect,
    /// The latest notice.
    pub strip: Rect,
    /// Key hints.
    pub footer: Rect,
}

/// The layout; none if the terminal is too small.
#[must_use]
pub fn arrange(launcher: &Launcher) -> Option<Places> {
    let (width, height) = launcher.env.size;
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let (header, rest) = split_top(Rect::new(0, 0, width, height), 1);
    let (rest, footer) = split_bottom(rest, 1);
    let (rest, strip) = split_bottom(rest, 1);
    let mut places = Places { header, strip, footer, ..Places::default() };
    match launcher.view {
        View::Home => {
            (places.list, places.side) = match (width, height) {
                (150.., _) => split_right(rest, 56),
                (_, 30..) => split_bottom(rest, (rest.height / 3).clamp(11, 16)),
                _ => (rest, Rect::default()),
            };
        }
        View::Form => {
            let (rest, command) = split_bottom(rest, 1);
            let (rest, help) = split_bottom(rest, if height >= 30 { 4 } else { 3 });
            (places.command, places.help) = (command, help);
            (places.list, places.side) = match width {
                76.. => split_right(rest, (width * 43 / 100).clamp(34, 90)),
                _ => split_bottom(rest, (rest.height / 3).max(5)),
            };
        }
    }
    Some(places)
}

/// The rows of the list of runs, below its heading.
#[must_use]
pub fn home_rows(list: Rect) -> Rect {
    split_top(inside(list), 1).1
}

/// The box of a list dialog, its list, and beside it the content of the selected row.
#[must_use]
pub fn pick_places(screen: Rect, what: &PickKind) -> (Rect, Rect, Rect) {
    let outer = centred(screen, screen.width.saturating_sub(4).min(150), screen.height.saturating_sub(2).min(44));
    // The first line is the text input, the second one is empty.
    let inner = split_top(inside(outer), 2).1;
    let preview = matches!(what, PickKind::File(_)) && inner.width >= 70;
    if !preview {
        return (outer, inner, Rect::default());
    }
    let (list, rest) = split_left(inner, (inner.width * 2 / 5).min(52));
    let beside = Rect { x: rest.x + 2, width: rest.width.saturating_sub(2), ..rest };
    (outer, list, beside)
}

/// The row of the topmost list at a cell of the screen, as an index into the whole list.
#[must_use]
pub fn row_at(launcher: &Launcher, (x, y): (u16, u16)) -> Option<usize> {
    let places = arrange(launcher)?;
    let (area, selected, count) = match (launcher.layers.last(), launcher.view) {
        (Some(Dialog::Pick(pick)), _) => {
            let screen = Rect::new(0, 0, launcher.env.size.0, launcher.env.size.1);
            (pick_places(screen, &pick.what).1, pick.row, pick.rows().len())
        }
        (Some(_), _) => return None,
        (None, View::Home) => (home_rows(places.list), launcher.home.row(), launcher.home.shown().len()),
        (None, View::Form) => {
            let lines = launcher.form.lines();
            (inside(places.list), launcher.form.line(), lines.len())
        }
    };
    let first = first_row_centred(selected, count, area.height);
    let row = first + usize::from(y.checked_sub(area.y)?);
    (area.contains((x, y).into()) && row < count).then_some(row)
}
