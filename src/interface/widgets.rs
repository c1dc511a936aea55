//! The panels, and what they are drawn with.

pub mod axis;
mod bar;
pub mod braille;
pub mod chart;
mod charts;
mod classes;
pub mod curve;
mod device;
pub mod footer;
pub mod list;
mod log;
mod loss;
mod map;
mod memory;
pub mod question;
mod settings;
mod sparsity;
mod validation;
pub mod window;

use ratatui::layout::Rect;

use super::keys::{Action, Context, Panel};
use super::pen::Pen;
use super::state::State;
use super::text;
use super::theme::Meaning;

pub use super::metric::Unit;
pub use bar::{gauge, stacked};
pub use chart::Shape;
pub use chart::change;
pub use charts::{cells as chart_cells, place as charts_place};
pub use list::first_row;
pub use loss::{readout, train_loss};
pub use sparsity::group_row_at;

/// Draws the first of these panels, with the titles of those that share its place.
pub fn draw(pen: &mut Pen, area: Rect, panels: &[Panel], state: &State) {
    let Some(&panel) = panels.first() else { return };
    if area.width < 4 || area.height < 3 {
        return;
    }
    let focused = panel == state.focus;
    let inner = pen.frame(area, if focused { Meaning::Focus } else { Meaning::Border });
    let title = Rect { x: area.x + 1, width: area.width - 2, height: 1, ..area };
    let used = titles(pen, title, panels, focused, state);
    let room = Rect { x: used, width: title.right().saturating_sub(used), ..title };
    let facts = match panel {
        Panel::Loss => loss::draw(pen, inner, room.width, state),
        Panel::Sparsity => sparsity::draw(pen, inner, state),
        Panel::Settings => settings::draw(pen, inner, state),
        Panel::Memory => memory::draw(pen, inner, state),
        Panel::Validation => validation::draw(pen, inner, state),
        Panel::Log => log::draw(pen, inner, state),
        Panel::Charts => charts::draw(pen, inner, state),
        Panel::Device => device::draw(pen, inner, state),
        Panel::Map => map::draw(pen, inner, state),
    };
    facts_in_title(pen, room, &facts);
}

/// Writes the panel's title, and in the order of all panels those of the panels behind it, each with the key that leads to it.
fn titles(pen: &mut Pen, row: Rect, panels: &[Panel], focused: bool, state: &State) -> u16 {
    let mut ordered = panels.to_vec();
    ordered.sort_by_key(|panel| *panel as usize);
    let mut x = row.x;
    for panel in ordered {
        let shown = panels.first() == Some(&panel);
        let meaning = match (shown, focused) {
            (true, true) => Meaning::Focus,
            (true, false) => Meaning::Title,
            _ => Meaning::Muted,
        };
        let name = if panel == Panel::Loss { state.charts.main.title() } else { panel.title() };
        let key = state.look.keys.label(Context::Cockpit, Action::FocusOn(panel));
        let title = key.map_or_else(|| format!(" {name} "), |key| format!(" {key} {name} "));
        // Next to the large chart, the grid's title gives way to what the chart says.
        let fits = text::width(&title) <= row.right().saturating_sub(x) && (panel != Panel::Charts || row.width >= 70);
        if shown || fits {
            x = pen.put(x, row.y, row.right().saturating_sub(x), &title, meaning);
        }
    }
    x
}

/// What a panel says in its title: pieces of text, of which the first ones matter most.
pub type Facts = Vec<(String, Meaning)>;

/// Writes the facts at the right end of the title, as many as there is room for.
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

/// Says in the middle of a panel that there is nothing to show yet.
pub fn nothing(pen: &mut Pen, area: Rect, why: &str) {
    let row = super::layout::centred(area, text::width(why), 1);
    pen.put(row.x, row.y, row.width, why, Meaning::Muted);
}
