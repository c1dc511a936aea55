//! What the charts of the cockpit show: the metrics, and which chart of the grid has the keys.

use ratatui::layout::{Margin, Rect};

use crate::interface::cockpit::layout;
use crate::interface::cockpit::panels::chart_cells;
use crate::interface::cockpit::{CELLS, State};
use crate::interface::keys::Panel;

/// Selects another chart of the grid, of those that there is room for.
pub fn walk(state: &mut State, by: isize) {
    let place = layout::arrange(state)
        .and_then(|layout| layout.places.into_iter().find(|(_, panels)| panels.first() == Some(&Panel::Charts)));
    let inner = place.map_or(Rect::ZERO, |(area, _)| area.inner(Margin::new(1, 1)));
    // Where there is room for one, it shows each in turn.
    let shown = match chart_cells(inner).len() {
        1 => CELLS,
        shown => shown,
    };
    state.charts.walk(by, shown);
}

/// Shows another metric: on the selected chart of the grid where that has the keys, else on the large one.
pub fn turn(state: &mut State, by: isize) {
    let history = &state.history;
    let is_measured = |metric| !history.curve(metric).raw().is_empty();
    state.charts.turn(state.focus != Panel::Charts, by, is_measured);
}
