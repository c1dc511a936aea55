//! The list of themes; a selected theme is shown at once.

use ratatui::layout::Rect;

use crate::frame::Look;
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::text;
use crate::theme::{Meaning, Theme};

/// Sample marks of a theme.
const SWATCH: [(&str, Meaning); 6] = [
    ("━", Meaning::Series1),
    ("━", Meaning::Series2),
    ("━", Meaning::Series3),
    ("●", Meaning::Ok),
    ("●", Meaning::Warn),
    ("●", Meaning::Error),
];

/// Selects another theme, cyclic; the screen is drawn in it at once.
pub fn walk(look: &mut Look, by: isize) {
    let count = look.themes.list.len();
    look.theme = look.theme.saturating_add_signed(by.clamp(-1, 1) + count.cast_signed()) % count;
}

/// Draws the list in a corner, so that the screen behind it shows the theme.
pub fn draw(pen: &mut Pen, screen: Rect, look: &Look) {
    let names = look.themes.list.iter().map(|theme| text::width(&text::safe_text(&theme.name))).max().unwrap_or(0);
    let hints = look.keys.hints(Context::Themes, &[(Action::Choose, "keeps"), (Action::Leave, "goes back")]);
    let width = (names + SWATCH.len() as u16 + 7).max(text::width(&hints) + 2).min(screen.width);
    let height = u16::try_from(look.themes.list.len()).unwrap_or(u16::MAX).saturating_add(2);
    let height = height.min(screen.height.saturating_sub(4));
    let place = Rect {
        x: screen.right().saturating_sub(width + 2).max(screen.x),
        y: screen.bottom().saturating_sub(height + 2).max(screen.y),
        width,
        height,
    };
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " theme ", Meaning::Focus);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(1), height: 1, ..place };
    pen.put_right(bottom, &hints, Meaning::Muted);
    let first = (look.theme + 1).saturating_sub(usize::from(inner.height));
    for (index, row) in Pen::rows(inner).enumerate() {
        let Some(theme) = look.themes.list.get(first + index) else { break };
        let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
        pen.put(row.x, row.y, row.width, &text::safe_text(&theme.name), Meaning::Text);
        if first + index == look.theme {
            pen.restyle(Rect { x: row.x - 1, width: row.width + 2, ..row }, Meaning::Selection);
        }
        swatch(pen, row, theme);
    }
}

/// Draws sample marks in a theme's own colours, at the end of a row.
fn swatch(pen: &mut Pen, row: Rect, theme: &Theme) {
    let mut x = row.right().saturating_sub(SWATCH.len() as u16).max(row.x);
    for (mark, meaning) in SWATCH {
        x = pen.write(x, row.y, row.right().saturating_sub(x), mark, theme.ground().patch(theme.style(meaning)));
    }
}
