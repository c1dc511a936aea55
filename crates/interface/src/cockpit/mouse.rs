//! The mouse: a click focuses, the wheel zooms or scrolls, and dragging moves the chart.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Margin, Rect};

use super::act::{act, move_row, zoom};
use super::charts::cursor;
use super::layout;
use super::panels::group_row_at;
use super::{Dialog, Drag, State, timeline};
use crate::frame::Effect;
use crate::keys::{Action, Panel};
use crate::widgets::first_row;

/// Log lines per notch of the wheel.
const LINES: isize = 3;

/// Handles a mouse event.
pub fn answer(state: &mut State, event: MouseEvent, by: isize) -> Vec<Effect> {
    let dragged = std::mem::take(&mut state.drag);
    match state.layers.last() {
        Some(Dialog::Playground) if by != 0 => return act(state, Action::PlaygroundScroll(by * LINES)),
        Some(Dialog::Timeline) if by != 0 => return act(state, Action::TimelineRow(by)),
        Some(Dialog::Timeline) if event.kind == MouseEventKind::Down(MouseButton::Left) => {
            if let Some(row) = timeline::draw::row_at(state, (event.column, event.row)) {
                state.timeline_row = row;
            }
            return Vec::new();
        }
        Some(_) => return Vec::new(),
        None => {}
    }
    if let (MouseEventKind::Drag(MouseButton::Left), Some(drag)) = (event.kind, dragged) {
        pull(state, drag, event.column);
        return Vec::new();
    }
    let Some((panel, area)) = layout::panel_at(state, (event.column, event.row)) else {
        return Vec::new();
    };
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            state.focus_on(panel);
            if state.edit.is_none() {
                choose_row(state, panel, area, event.row);
            }
            state.drag = (panel == Panel::Loss).then_some(Drag { column: event.column, width: area.width });
        }
        _ if by != 0 && panel == Panel::Loss => {
            let share = f64::from(event.column.saturating_sub(area.x)) / f64::from(area.width.max(1));
            zoom(state, if by < 0 { 0.5 } else { 2.0 }, Some(share));
        }
        _ if by != 0 && state.edit.is_none() => {
            state.focus_on(panel);
            move_row(state, if panel == Panel::Log { by * LINES } else { by });
        }
        _ => {}
    }
    Vec::new()
}

/// Pans the chart by the pointer's movement, so that the step under the pointer stays there.
fn pull(state: &mut State, drag: Drag, column: u16) {
    if let Some(span) = state.span().filter(|_| column != drag.column) {
        let cells = f64::from(drag.column) - f64::from(column);
        state.view.pan(cells / f64::from(drag.width.saturating_sub(cursor::MARGIN).max(1)), span);
    }
    state.drag = Some(Drag { column, ..drag });
}

/// Selects the clicked row of a list.
fn choose_row(state: &mut State, panel: Panel, area: Rect, y: u16) {
    let inner = area.inner(Margin::new(1, 1));
    let room = usize::from(inner.height);
    let Some(line) = y.checked_sub(inner.y).map(usize::from).filter(|line| *line < room) else { return };
    match panel {
        Panel::Sparsity => {
            let Some(sparsity) = &state.sparsity else { return };
            if let Some(row) = group_row_at(sparsity, state.group_row, line, room) {
                state.group_row = row;
            }
        }
        Panel::Settings => {
            let rows = state.shown_fields().count();
            let row = first_row(state.setting_row, rows, room) + line;
            if row < rows {
                state.setting_row = row;
            }
        }
        _ => {}
    }
}
