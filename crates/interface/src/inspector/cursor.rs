//! The cursor: always on a sample of a line, whatever the axis counts.

use super::{Cursor, Inspector};
use crate::keys::{Action, Context};
use crate::widgets::chart::{Along, Measure};
use spartui_facts::series::Series;

/// The samples under the cursor, and their mapping to the axis.
fn samples(inspector: &Inspector) -> Option<(&Series, Measure<'_>)> {
    let track = inspector.track(inspector.reference()?)?;
    let series = track.curve(inspector.chart)?.raw();
    (!series.is_empty()).then(|| (series, track.measure(inspector.view.along)))
}

/// The step of a line at a position on the axis.
fn step_at(series: &Series, measure: Measure, at: f64) -> Option<u64> {
    Some(series.nearest(measure.step(at))?.0)
}

/// The visible steps.
fn in_sight(inspector: &Inspector, measure: Measure) -> Option<(u64, u64)> {
    let (start, size) = inspector.view.window(inspector.axis_extent()?);
    let value = |place: f64| if inspector.view.log_x { 10f64.powf(place) } else { place };
    Some((measure.step(value(start)), measure.step(value(start + size))))
}

/// Puts the cursor on the newest visible sample, or removes it.
pub fn toggle(inspector: &mut Inspector) {
    if inspector.cursor.take().is_some() {
        return;
    }
    let found = samples(inspector).and_then(|(series, measure)| {
        let (_, to) = in_sight(inspector, measure)?;
        let (step, _) = series.nearest(to.saturating_sub(1))?;
        Some(measure.value(step))
    });
    match found {
        Some(at) => inspector.cursor = Some(Cursor { at, anchor: None }),
        None => inspector.refuse("there is no sample to put a cursor on"),
    }
}

/// Moves the cursor by this many columns of dots, at least by as many samples.
pub fn walk(inspector: &mut Inspector, by: isize) {
    let found = inspector.cursor.and_then(|cursor| {
        let (series, measure) = samples(inspector)?;
        let step = step_at(series, measure, cursor.at)?;
        let (from, to) = in_sight(inspector, measure)?;
        let dots = super::layout::dots(inspector).max(1);
        let stride = ((series.before(to) - series.before(from)) / dots).max(1).cast_signed();
        let (step, _) = series.neighbour(step, by.saturating_mul(stride))?;
        Some(measure.value(step))
    });
    put(inspector, found);
}

/// Moves the cursor to the lowest or highest visible sample.
pub fn extreme(inspector: &mut Inspector, lowest: bool) {
    let found = samples(inspector).and_then(|(series, measure)| {
        let (from, to) = in_sight(inspector, measure)?;
        let (step, _) = series.extreme(from, to, lowest)?;
        Some(measure.value(step))
    });
    if found.is_none() {
        inspector.refuse("there is no sample in sight");
    }
    put(inspector, found);
}

/// Moves the cursor to the sample nearest to a step.
pub fn go_to(inspector: &mut Inspector, step: u64) {
    let found = samples(inspector).and_then(|(series, measure)| Some(measure.value(series.nearest(step)?.0)));
    if found.is_none() {
        inspector.refuse("there is no sample to go to");
    }
    put(inspector, found);
}

/// Moves the cursor to the sample nearest to a position on the axis.
pub fn point_at(inspector: &mut Inspector, at: f64) {
    let found = samples(inspector).and_then(|(series, measure)| {
        let after = series.nearest(measure.step(at))?.0;
        // Where samples are far apart, the previous one may be nearer.
        let before = series.neighbour(after, -1)?.0;
        let near = [before, after].map(|step| measure.value(step));
        near.into_iter().min_by(|a, b| (a - at).abs().total_cmp(&(b - at).abs()))
    });
    put(inspector, found);
}

/// Sets the cursor's position as the one to compare with, or unsets it.
pub fn anchor(inspector: &mut Inspector) {
    if let Some(cursor) = &mut inspector.cursor {
        cursor.anchor = if cursor.anchor.is_some() { None } else { Some(cursor.at) };
    }
}

/// Zooms to the range between the two cursors.
pub fn between(inspector: &mut Inspector) {
    let Some(Cursor { at, anchor: Some(anchor) }) = inspector.cursor else {
        let keys = &inspector.env.look.keys;
        let advice = keys.advice(Context::CurvesCursor, Action::CursorAnchor, "fixes the first one");
        inspector.refuse(format!("this shows what lies between two cursors{advice}"));
        return;
    };
    if let Some(extent) = inspector.axis_extent() {
        let (from, to) = (place(inspector, at), place(inspector, anchor));
        inspector.view.show(from, to, extent);
    }
}

/// The cursor's position as a share of the width: zooming keeps it in place.
pub fn share(inspector: &Inspector) -> Option<f64> {
    let (start, size) = inspector.view.window(inspector.axis_extent()?);
    Some((place(inspector, inspector.cursor?.at) - start) / size)
}

/// Changes the unit of the axis; the cursor stays on its sample.
pub fn turn_axis(inspector: &mut Inspector, along: Along) {
    let moved = inspector.reference().and_then(|which| {
        let track = inspector.track(which)?;
        let (old, new) = (track.measure(inspector.view.along), track.measure(along));
        let Cursor { at, anchor } = inspector.cursor?;
        let moved = |at: f64| new.value(old.step(at));
        Some(Cursor { at: moved(at), anchor: anchor.map(moved) })
    });
    inspector.cursor = moved;
    inspector.view.along = along;
    inspector.view.range = crate::widgets::chart::Range::Fit;
}

fn place(inspector: &Inspector, at: f64) -> f64 {
    if inspector.view.log_x { at.max(f64::MIN_POSITIVE).log10() } else { at }
}

fn put(inspector: &mut Inspector, at: Option<f64>) {
    let (Some(at), Some(extent)) = (at, inspector.axis_extent()) else { return };
    let anchor = inspector.cursor.and_then(|cursor| cursor.anchor);
    inspector.cursor = Some(Cursor { at, anchor });
    let place = place(inspector, at);
    inspector.view.reveal(place, extent);
}
