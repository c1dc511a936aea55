//! The layout of the comparison, used by drawing and mouse alike.

use ratatui::layout::Rect;

use super::ComparisonScreen;
use crate::layout::{SMALLEST, split_bottom, split_left, split_top};
use crate::widgets::list::inside;

/// The least rows below the settings.
const BELOW: u16 = 9;

/// The areas of the screen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    /// The header line.
    pub header: Rect,
    /// The settings.
    pub settings: Rect,
    /// The runs.
    pub runs: Rect,
    /// Details of the selected setting.
    pub facts: Rect,
    /// The latest notice.
    pub strip: Rect,
    /// Key hints.
    pub footer: Rect,
}

/// The layout for this terminal size; none if it is too small.
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

/// The rows of the settings, below the column headings.
#[must_use]
pub fn setting_rows(area: Rect) -> Rect {
    split_top(inside(area), 1).1
}
