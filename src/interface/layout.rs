//! Sizes of the terminal, and places cut out of others.

use ratatui::layout::Rect;

/// The smallest terminal on which all of a screen has room.
pub const SMALLEST: (u16, u16) = (60, 20);

/// The smallest terminal that the cockpit is drawn on, in short.
pub const LEAST: (u16, u16) = (40, 10);

/// The upper `height` rows of a place, and the others.
#[must_use]
pub fn split_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = Rect { y: area.y + height, height: area.height - height, ..area };
    (Rect { height, ..area }, rest)
}

/// All rows of a place but the lower `height`, and those.
#[must_use]
pub fn split_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    split_top(area, area.height.saturating_sub(height))
}

/// The left `width` columns of a place, and the others.
#[must_use]
pub fn split_left(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let rest = Rect { x: area.x + width, width: area.width - width, ..area };
    (Rect { width, ..area }, rest)
}

/// All columns of a place but the right `width`, and those.
#[must_use]
pub fn split_right(area: Rect, width: u16) -> (Rect, Rect) {
    split_left(area, area.width.saturating_sub(width))
}

/// A place of this size in the middle of another, never larger than it.
#[must_use]
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
