//! The panels of the cockpit.

mod charts;
mod device;
mod log;
mod loss;
mod map;
mod memory;
mod settings;
mod sparsity;
mod validation;

pub use charts::{cells as chart_cells, place as charts_place};
pub use loss::{readout, train_loss};
pub use sparsity::group_row_at;

use ratatui::layout::Rect;

use super::State;
use crate::keys::{Action, Context, Panel};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::facts_in_title;

/// Draws the first of these panels, with the titles of all that share its place.
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

/// Writes the titles of the panel and of those behind it, in the order of all panels, each with its key.
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
        let key = state.env.look.keys.label(Context::Cockpit, Action::FocusOn(panel));
        let title = key.map_or_else(|| format!(" {name} "), |key| format!(" {key} {name} "));
        // Next to the large chart, the chart's facts take precedence over the grid's title.
        let fits = text::width(&title) <= row.right().saturating_sub(x) && (panel != Panel::Charts || row.width >= 70);
        if shown || fits {
            x = pen.put(x, row.y, row.right().saturating_sub(x), &title, meaning);
        }
    }
    x
}
