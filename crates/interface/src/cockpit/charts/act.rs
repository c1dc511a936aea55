//! The charts' actions: selecting a metric, and a chart of the grid.

use ratatui::layout::{Margin, Rect};

use crate::cockpit::layout;
use crate::cockpit::panels::chart_cells;
use crate::cockpit::{CELLS, State};
use crate::keys::Panel;

/// Selects another visible chart of the grid.
pub fn walk(state: &mut State, by: isize) {
    let place = layout::arrange(state)
        .and_then(|layout| layout.places.into_iter().find(|(_, panels)| panels.first() == Some(&Panel::Charts)));
    let inner = place.map_or(Rect::ZERO, |(area, _)| area.inner(Margin::new(1, 1)));
    // If only one fits, it shows each in turn.
    let shown = match chart_cells(inner).len() {
        1 => CELLS,
        shown => shown,
    };
    state.charts.walk(by, shown);
}

/// Shows another metric: on the selected chart of the grid if the grid is focused, else on the large chart.
pub fn turn(state: &mut State, by: isize) {
    let history = &state.history;
    let is_measured = |metric| !history.curve(metric).raw().is_empty();
    state.charts.turn(state.focus != Panel::Charts, by, is_measured);
}
