//! Where everything of the comparison stands. Drawing and the mouse both ask here.

use ratatui::layout::Rect;

use super::ComparisonScreen;
use crate::interface::layout::{SMALLEST, split_bottom, split_left, split_top};
use crate::interface::widgets::list::inside;

/// Rows of what is below the settings, at least.
const BELOW: u16 = 9;

/// Where everything stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    /// What is shown.
    pub header: Rect,
    /// The settings.
    pub settings: Rect,
    /// Runs to choose from.
    pub runs: Rect,
    /// What there is to know of the selected setting.
    pub facts: Rect,
    /// What was last said.
    pub strip: Rect,
    /// Keys.
    pub footer: Rect,
}

/// Where everything stands on a terminal of this size; nowhere, if it is too small.
#[must_use]
pub fn arrange(screen: &ComparisonScreen) -> Option<Layout> {
    let (width, height) = screen.env.size;
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let (header, rest) = split_top(Rect::new(0, 0, width, height), 1);
    let (rest, footer) = split_bottom(rest, 1);
    let (body, strip) = split_bottom(rest, 1);
    let rows = u16::try_from(screen.settings().len()).unwrap_or(u16::MAX);
    let wanted = rows.saturating_add(3).clamp(6, body.height.saturating_sub(BELOW).max(6));
    let (settings, below) = split_top(body, wanted);
    let (runs, facts) = split_left(below, (width * 30 / 100).clamp(22, 48));
    Some(Layout { header, settings, runs, facts, strip, footer })
}

/// The rows of the settings: below the heads of their columns.
#[must_use]
pub fn setting_rows(area: Rect) -> Rect {
    split_top(inside(area), 1).1
}
