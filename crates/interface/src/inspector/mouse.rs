//! The mouse in the inspector: the wheel zooms at the pointer and scrolls lists, a click focuses and places the
//! cursor, and dragging selects the range between the two cursors.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::act::{act, zoom};
use super::{Dialog, Focus, Inspector, cursor, draw, layout};
use crate::frame::Effect;
use crate::keys::Action;
use crate::metric::Metric;
use crate::widgets::list::inside;

/// Handles a mouse event.
pub fn mouse(inspector: &mut Inspector, event: MouseEvent, by: isize) -> Vec<Effect> {
    match inspector.layer {
        Some(Dialog::Differences) if by != 0 => return act(inspector, Action::Row(by * 3)),
        Some(_) => return Vec::new(),
        None => {}
    }
    let Some(layout) = layout::arrange(inspector) else { return Vec::new() };
    let at = (event.column, event.row);
    if let Some((place, metric)) = layout.charts.iter().find(|(place, _)| place.contains(at.into())) {
        chart(inspector, event, *place, *metric, by);
        return Vec::new();
    }
    let lists = [(layout.runs, Focus::Runs), (layout.metrics, Focus::Metrics)];
    let Some((place, focus)) = lists.into_iter().find(|(place, _)| place.contains(at.into())) else {
        return Vec::new();
    };
    if by != 0 {
        inspector.focus = focus;
        return act(inspector, Action::Row(by));
    }
    if event.kind != MouseEventKind::Down(MouseButton::Left) {
        return Vec::new();
    }
    inspector.focus = focus;
    let inner = inside(place);
    if !inner.contains(at.into()) {
        return Vec::new();
    }
    let clicked = usize::from(event.row - inner.y) + draw::first_row(inspector, focus, inner.height);
    match focus {
        Focus::Runs if clicked < super::rows::rows(inspector).len() => inspector.run_row = clicked,
        Focus::Metrics if clicked < layout::metrics().count() => inspector.metric_row = clicked,
        _ => return Vec::new(),
    }
    // A click on the mark before the name shows or hides the row.
    if event.column < inner.x + 2 { act(inspector, Action::CurvesToggle) } else { Vec::new() }
}

fn chart(inspector: &mut Inspector, event: MouseEvent, place: Rect, metric: Metric, by: isize) {
    let Some(plan) = draw::parts::chart(inspector, metric).and_then(|chart| chart.0.plan(inside(place))) else {
        return;
    };
    if by != 0 {
        let share = f64::from(event.column.saturating_sub(plan.plot.x)) / f64::from(plan.plot.width.max(1));
        zoom(inspector, by < 0, Some(share));
        return;
    }
    let value = plan.value_at(event.column);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            (inspector.focus, inspector.chart) = (Focus::Chart, metric);
            inspector.cursor = None;
            cursor::point_at(inspector, value);
        }
        MouseEventKind::Drag(MouseButton::Left) if inspector.cursor.is_some() => {
            if inspector.cursor.is_some_and(|cursor| cursor.anchor.is_none()) {
                cursor::anchor(inspector);
            }
            cursor::point_at(inspector, value);
        }
        _ => {}
    }
}
