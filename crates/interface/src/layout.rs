//! Terminal sizes, and functions that split areas.

use ratatui::layout::Rect;

/// The smallest terminal for a whole screen.
pub const SMALLEST: (u16, u16) = (60, 20);

/// The smallest terminal for the compact view of the cockpit.
pub const LEAST: (u16, u16) = (40, 10);

/// Splits an area into its upper `height` rows and the rest.
#[must_use]
pub fn split_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = Rect { y: area.y + height, height: area.height - height, ..area };
    (Rect { height, ..area }, rest)
}

/// Splits an area into all but its lower `height` rows, and those.
#[must_use]
pub fn split_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    split_top(area, area.height.saturating_sub(height))
}

/// Splits an area into its left `width` columns and the rest.
#[must_use]
pub fn split_left(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let rest = Rect { x: area.x + width, width: area.width - width, ..area };
    (Rect { width, ..area }, rest)
}

/// Splits an area into all but its right `width` columns, and those.
#[must_use]
pub fn split_right(area: Rect, width: u16) -> (Rect, Rect) {
    split_left(area, area.width.saturating_sub(width))
}

/// An area of this size in the middle of another one, at most as large as it.
#[must_use]
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
