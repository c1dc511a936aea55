//! The widgets of the screens.

pub mod axis;
pub mod bar;
pub mod braille;
pub mod chart;
pub mod classes;
pub mod curve;
pub mod footer;
pub mod list;
pub mod question;
pub mod window;

use ratatui::layout::Rect;

use super::pen::Pen;
use super::text;
use super::theme::Meaning;

pub use super::metric::Unit;
pub use bar::{gauge, stacked};
pub use chart::{Shape, change};
pub use list::first_row;

/// Facts in a panel's title: pieces of text, the most important first.
pub type Facts = Vec<(String, Meaning)>;

/// Writes the facts at the right end of the title, as many as fit.
pub fn facts_in_title(pen: &mut Pen, row: Rect, facts: &Facts) {
    let mut kept: &[(String, Meaning)] = facts;
    let length = |facts: &[(String, Meaning)]| facts.iter().map(|(fact, _)| text::width(fact) + 2).sum::<u16>() + 1;
    while !kept.is_empty() && length(kept) > row.width {
        kept = &kept[..kept.len() - 1];
    }
    if kept.is_empty() {
        return;
    }
    let mut x = row.right() - length(kept);
    x = pen.put(x, row.y, 1, " ", Meaning::Text);
    for (index, (fact, meaning)) in kept.iter().enumerate() {
        x = pen.put(x, row.y, row.right() - x, fact, *meaning);
        let gap = if index + 1 < kept.len() { "  " } else { " " };
        x = pen.put(x, row.y, row.right().saturating_sub(x), gap, Meaning::Text);
    }
}

/// Says in the middle of a panel why it is empty.
pub fn nothing(pen: &mut Pen, area: Rect, why: &str) {
    let row = super::layout::centred(area, text::width(why), 1);
    pen.put(row.x, row.y, row.width, why, Meaning::Muted);
}
