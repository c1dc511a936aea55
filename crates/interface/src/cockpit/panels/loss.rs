//! The large chart: the loss over the steps, or another metric in its place, with validation and changes by hand.

use ratatui::layout::Rect;

use crate::cockpit::alerts;
use crate::cockpit::{Cursor, State};
use crate::metric::Metric;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::chart::{Change, Chart, Drawn, Line, Look, MARK, Measure, Shape, change};
use crate::widgets::{Facts, nothing};
use spartui_facts::series::Series;

/// The most abandoned branches that are drawn.
const ABANDONED: usize = 8;

/// Draws the chart; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, title_room: u16, state: &State) -> Facts {
    let Some(span) = state.span() else {
        nothing(pen, area, "the first step is under way");
        return Facts::new();
    };
    let metric = state.charts.main;
    if state.history.curve(metric).raw().is_empty() {
        nothing(pen, area, "not measured yet");
        return Facts::new();
    }
    let changes: Vec<Change> = state.history.interventions.iter().map(change).collect();
    let cursor = state.cursor.map(|cursor| (cursor.step as f64, cursor.anchor.map(|step| step as f64)));
    let (view, unit) = (&state.view, metric.unit());
    let chart = Chart { view, extent: span.into(), unit, lines: lines(state, metric), changes: &changes, cursor };
    let Some(drawn) = chart.draw(pen, area) else { return Facts::new() };
    mark_alerts(pen, area, &chart, state);
    match state.cursor {
        Some(cursor) => cursor_facts(state, cursor),
        None => facts(state, drawn, title_room),
    }
}

/// Marks the steps at which alerts began, at the bottom.
fn mark_alerts(pen: &mut Pen, area: Rect, chart: &Chart, state: &State) {
    let alerts = state.alerts.all();
    let Some(plan) = (!alerts.is_empty()).then(|| chart.plan(area)).flatten() else { return };
    for alert in alerts {
        if let Some(dot) = plan.window.dot(alert.step as f64) {
            let (x, y) = (plan.plot.x + (dot / 2) as u16, plan.plot.bottom().saturating_sub(1));
            pen.put(x, y, 1, alerts::draw::MARK.encode_utf8(&mut [0; 4]), alerts::draw::meaning(alert));
        }
    }
}

/// The lines of the large chart, abandoned branches below all others.
fn lines(state: &State, metric: Metric) -> Vec<Line<'_>> {
    let line = |shape, meaning, look| Line { shape, measure: Measure::Steps, meaning, look };
    let history = &state.history;
    let mut lines = Vec::new();
    if metric == Metric::Loss {
        let newest = history.abandoned.len().saturating_sub(ABANDONED);
        let behind = |series| line(Shape::Series(series), Meaning::Branch, Look::Behind);
        lines.extend(history.abandoned[newest..].iter().map(behind));
    }
    lines.push(line(history.curve(metric), meaning(metric), Look::Whole));
    if metric == Metric::Loss {
        lines.push(line(Shape::Series(&history.eval_loss), meaning(Metric::EvalLoss), Look::Marks));
    }
    lines
}

/// The style of a metric in a chart of its own.
pub fn meaning(metric: Metric) -> Meaning {
    match metric {
        Metric::Loss => Meaning::Series1,
        Metric::EvalLoss | Metric::Accuracy | Metric::Mcc => Meaning::Series2,
        Metric::Gradient => Meaning::Series5,
        Metric::Rate => Meaning::Series4,
        Metric::Sparsity | Metric::Trainable => Meaning::Series3,
        Metric::StepTime | Metric::Speed => Meaning::Series6,
        Metric::Memory => Meaning::Series7,
    }
}

/// The values at the cursor, in short.
fn cursor_facts(state: &State, Cursor { step, anchor }: Cursor) -> Facts {
    let metric = state.charts.main;
    let value = metric.unit().value(at(state.history.curve(metric).raw(), step));
    let mut facts =
        vec![(format!("step {step}"), Meaning::Pending), (format!("{} {value}", metric.title()), meaning(metric))];
    if let Some(anchor) = anchor.filter(|anchor| *anchor != step) {
        facts.push((format!("Δ {}", difference(state, metric, anchor, step)), Meaning::Pending));
    }
    facts
}

/// The values at the cursor, and their differences from those at the anchor.
#[must_use]
pub fn readout(state: &State, Cursor { step, anchor }: Cursor) -> String {
    let (history, metric) = (&state.history, state.charts.main);
    let (curve, unit) = (history.curve(metric), metric.unit());
    let mut facts = vec![format!("step {step}: {} {}", metric.title(), unit.value(at(curve.raw(), step)))];
    if state.view.smoothing() > 0.0 && matches!(curve, Shape::Curve(_)) {
        facts.push(format!("smoothed {}", unit.value(curve.smoothed_near(step))));
    }
    if let Some(anchor) = anchor.filter(|anchor| *anchor != step) {
        let side = if anchor < step { "after" } else { "before" };
        let steps = anchor.abs_diff(step);
        facts.push(format!("{} {steps} steps {side} {anchor}", difference(state, metric, anchor, step)));
    }
    if let Some(evaluation) = history.evaluations.iter().rev().find(|evaluation| evaluation.step <= step) {
        facts.push(format!("valid {} at {}", text::number(evaluation.eval_loss), evaluation.step));
    }
    facts.join(" · ")
}

fn at(series: &Series, step: u64) -> f64 {
    series.nearest(step).map_or(f64::NAN, |(_, value)| value)
}

/// The increase of the smoothed value from one step to another.
fn difference(state: &State, metric: Metric, from: u64, to: u64) -> String {
    let curve = state.history.curve(metric);
    metric.unit().difference(curve.smoothed_near(to) - curve.smoothed_near(from))
}

/// The newest smoothed training loss, if there is one.
fn smoothed_loss(state: &State) -> Option<f64> {
    let smoothed = state.history.loss.smoothed_last().map(|(_, loss)| loss);
    smoothed.filter(|_| state.view.smoothing() > 0.0)
}

/// The newest training loss, raw and smoothed.
#[must_use]
pub fn train_loss(state: &State) -> Option<String> {
    let (_, loss) = state.history.loss.raw().last()?;
    let smoothed = smoothed_loss(state).map_or_else(String::new, |loss| format!(", smoothed {}", text::number(loss)));
    Some(format!("{}{smoothed}", text::number(loss)))
}

fn facts(state: &State, drawn: Drawn, room: u16) -> Facts {
    let metric = state.charts.main;
    let curve = state.history.curve(metric);
    let mut facts = Facts::new();
    let gaps = curve.raw().gap_count();
    if gaps > 0 {
        facts.push((format!("{gaps} NaN"), Meaning::Error));
    }
    if drawn.above > 0 {
        facts.push((format!("{} ▲", drawn.above), Meaning::Warn));
    }
    if metric != Metric::Loss {
        if let Some((step, _)) = curve.raw().last() {
            facts.push((metric.unit().value(curve.smoothed_near(step)), meaning(metric)));
        }
    } else if let Some((_, loss)) = curve.raw().last() {
        facts.push((format!("train {}", text::number(loss)), Meaning::Series1));
    }
    if let (Metric::Loss, Some(evaluation)) = (metric, state.history.evaluations.last()) {
        facts.push((format!("{MARK} valid {}", text::number(evaluation.eval_loss)), Meaning::Series2));
    }
    if let (Metric::Loss, Some(smoothed)) = (metric, smoothed_loss(state)) {
        facts.push((format!("smoothed {}", text::number(smoothed)), Meaning::Series1));
    }
    facts.push((state.view.name().into(), Meaning::Muted));
    if room > 50 && matches!(curve, Shape::Curve(_)) {
        facts.push((format!("smooth {}", state.view.smoothing()), Meaning::Muted));
    }
    if drawn.log {
        facts.push(("log".into(), Meaning::Muted));
    }
    facts
}
