//! The cursor on the loss chart: always on a sample.

use crate::cockpit::layout;
use crate::cockpit::{Cursor, State};
use crate::keys::{Action, Panel};
use crate::typed::Typed;
use crate::widgets::chart::Range;
use spartui_facts::series::Series;

/// Cells of the panel outside the plot: borders and axis labels.
pub const MARGIN: u16 = 9;

/// The samples that the cursor moves over: those of the large chart.
fn shown(state: &State) -> &Series {
    state.history.curve(state.charts.main).raw()
}

/// Puts the cursor on the newest visible step, or removes it.
pub fn toggle(state: &mut State) {
    state.cursor = match state.cursor {
        Some(_) => None,
        None => newest(state).map(|step| Cursor { step, anchor: None }),
    };
    if state.cursor.is_none() && shown(state).is_empty() {
        state.hint("there is no step yet to put a cursor on");
    }
}

fn newest(state: &State) -> Option<u64> {
    let loss = shown(state);
    let (start, steps) = state.view.window(state.span()?);
    Some(loss.nearest((start + steps - 1.0).max(0.0) as u64)?.0)
}

/// Moves the cursor by this many columns of dots, at least by as many samples.
pub fn walk(state: &mut State, by: isize) {
    let Some(Cursor { step, anchor }) = state.cursor else { return };
    let loss = shown(state);
    let Some(span) = state.span() else { return };
    let stride = stride(state, span).saturating_mul(by.unsigned_abs() as u64);
    let wanted = if by < 0 { step.saturating_sub(stride) } else { step.saturating_add(stride) };
    let Some((step, _)) = loss.nearest(wanted.clamp(span.0, span.1)) else { return };
    put(state, Cursor { step, anchor }, span);
}

/// Steps per column of dots.
fn stride(state: &State, span: (u64, u64)) -> u64 {
    let place = layout::arrange(state)
        .and_then(|layout| layout.places.into_iter().find(|(_, panels)| panels.first() == Some(&Panel::Loss)));
    let dots = place.map_or(100, |(area, _)| area.width.saturating_sub(MARGIN).max(4) * 2);
    ((state.view.window(span).1 / f64::from(dots)) as u64).max(1)
}

/// Moves the cursor to the lowest or highest visible loss.
pub fn extreme(state: &mut State, lowest: bool) {
    let Some(Cursor { anchor, .. }) = state.cursor else { return };
    let loss = shown(state);
    let Some(span) = state.span() else { return };
    let (start, steps) = state.view.window(span);
    let (from, to) = (start.ceil().max(0.0) as u64, (start + steps).ceil().max(0.0) as u64);
    if let Some((step, _)) = loss.extreme(from, to, lowest) {
        put(state, Cursor { step, anchor }, span);
    }
}

/// Begins to type a step to jump to.
pub fn jump(state: &mut State) {
    state.jump = Some(Typed::default());
}

/// Types a digit of the step.
pub fn type_digit(state: &mut State, c: char) {
    if let Some(typed) = state.jump.as_mut().filter(|typed| c.is_ascii_digit() && typed.text.len() < 15) {
        typed.insert(c);
    }
}

/// Edits the digits.
pub fn edit_digits(state: &mut State, action: Action) {
    if let Some(typed) = &mut state.jump {
        typed.act(action);
    }
}

/// Moves to the sample nearest to the step that was typed.
pub fn land(state: &mut State) {
    let Some(wanted) = state.jump.take().and_then(|typed| typed.text.parse::<u64>().ok()) else { return };
    let (Some(cursor), Some(span)) = (state.cursor, state.span()) else { return };
    let nearest = state.history.loss.raw().nearest(wanted.clamp(span.0, span.1));
    if let Some((step, _)) = nearest {
        put(state, Cursor { step, ..cursor }, span);
        if step != wanted {
            state.hint(format!("there is no step {wanted} on the way to here; the nearest one is {step}"));
        }
    }
}

/// Sets the step under the cursor as the one to compare with, or unsets it.
pub fn anchor(state: &mut State) {
    if let Some(cursor) = &mut state.cursor {
        cursor.anchor = if cursor.anchor.is_some() { None } else { Some(cursor.step) };
    }
}

/// The cursor's position as a share of the width: zooming keeps it in place.
pub fn share(state: &State) -> Option<f64> {
    let (start, steps) = state.view.window(state.span()?);
    Some((state.cursor?.step as f64 - start) / steps)
}

/// Places the cursor, and scrolls the chart if it would be out of sight.
fn put(state: &mut State, cursor: Cursor, span: (u64, u64)) {
    let (start, steps) = state.view.window(span);
    let at = cursor.step as f64;
    if at < start || at >= start + steps {
        let start = if at < start { at } else { at + 1.0 - steps };
        state.view.range = Range::Fixed { start, steps };
    }
    state.cursor = Some(cursor);
}
