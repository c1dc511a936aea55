//! The two or three lines at the top: the run and its progress.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::cockpit::{Stage, State};
use crate::pen::Pen;
use crate::theme::Meaning;
use crate::{text, widgets};
use spartui_facts::protocol::{Ending, Ready};

/// Draws the names of run and model, and the status.
pub fn draw(pen: &mut Pen, row: Rect, state: &State) {
    let (status, meaning) = status(state);
    let right = Rect { width: row.width.saturating_sub(1), ..row };
    let mut end = pen.put_right(right, &format!("● {status}"), meaning);
    if let Some((audience, meaning)) = audience(state) {
        end = pen.put_right(Rect { width: end.saturating_sub(row.x + 2), ..row }, &audience, meaning);
    }
    let left = Rect { x: row.x + 1, width: end.saturating_sub(row.x + 2), ..row };
    let Some(ready) = &state.ready else {
        pen.pieces(left, [("spartui", Meaning::Focus)]);
        return;
    };
    let model = &ready.model;
    let run = text::safe_text(&ready.run);
    let facts = [
        text::safe_text(&model.name),
        text::safe_text(&model.family),
        text::count(model.parameters),
        format!("{} layers", model.layers),
        text::safe_text(&model.dtype),
        text::safe_text(&model.device),
        text::safe_text(&ready.method),
    ];
    let x = pen.pieces(
        left,
        [("spartui", Meaning::Focus), ("  ", Meaning::Text), (&run, Meaning::Title), ("  ", Meaning::Text)],
    );
    let mut rest = Rect { x, width: left.right().saturating_sub(x), ..left };
    for (index, fact) in facts.iter().enumerate() {
        let piece = if index == 0 { fact.clone() } else { format!(" · {fact}") };
        if text::width(&piece) > rest.width {
            break;
        }
        let x = pen.put(rest.x, rest.y, rest.width, &piece, Meaning::Muted);
        rest = Rect { x, width: left.right().saturating_sub(x), ..rest };
    }
}

/// Who else is connected, and who steers.
fn audience(state: &State) -> Option<(String, Meaning)> {
    let connection = &state.connection;
    match (connection.audience.steered_from(), connection.others()) {
        _ if connection.lost.is_some() || !state.running() => None,
        (Some(from), _) if !connection.steers() => {
            Some((format!("watching · {} steers", text::safe_text(from)), Meaning::Warn))
        }
        (None, _) if !connection.steers() => Some(("watching · nobody steers".into(), Meaning::Warn)),
        (_, 0) => None,
        (_, others) => Some((format!("steering · {others} watching"), Meaning::Muted)),
    }
}

fn status(state: &State) -> (String, Meaning) {
    match (&state.stage, state.evaluating) {
        _ if state.connection.lost.is_some() => ("connection lost".into(), Meaning::Error),
        (Stage::Faulted { .. }, _) => ("failed".into(), Meaning::Error),
        (Stage::Finished(summary), _) => (summary.ending.to_string(), ended_meaning(summary.ending)),
        _ if state.leaving.is_some() => ("ending".into(), Meaning::Warn),
        (Stage::Loading, _) => ("loading".into(), Meaning::Pending),
        (Stage::Training, _) if state.recomputing.is_some() => {
            let (done, of) = state.recomputing.unwrap_or_default();
            (format!("computing again {done}/{of}"), Meaning::Pending)
        }
        (Stage::Training, Some((done, of))) => (format!("evaluating {done}/{of}"), Meaning::Pending),
        (Stage::Training, None) if state.paused => ("paused".into(), Meaning::Warn),
        (Stage::Training, None) => ("training".into(), Meaning::Ok),
    }
}

/// The style of an ending: as planned, or early.
pub fn ended_meaning(ending: Ending) -> Meaning {
    match ending {
        Ending::Completed | Ending::Stopped | Ending::StoppedEarly => Meaning::Ok,
        Ending::Aborted | Ending::Terminated => Meaning::Warn,
    }
}

/// Progress and speed.
pub fn progress(pen: &mut Pen, area: Rect, state: &State) {
    let Some(ready) = &state.ready else { return };
    let mut rows = Pen::rows(area).map(|row| Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row });
    let share = state.step() as f64 / ready.total_steps.max(1) as f64;
    if let Some(row) = rows.next() {
        let label = label(state, ready, share);
        let width = row.width.saturating_sub(text::width(&label));
        widgets::gauge(pen, Rect { width, ..row }, share, gauge_meaning(state));
        pen.put(row.x + width, row.y, row.width - width, &label, Meaning::Text);
    }
    if let Some(row) = rows.next() {
        numbers(pen, row, state);
    }
}

/// The style of the progress gauge.
pub fn gauge_meaning(state: &State) -> Meaning {
    match state.stage {
        Stage::Faulted { .. } => Meaning::Error,
        _ if state.paused => Meaning::Warn,
        _ => Meaning::Series1,
    }
}

/// Estimated time for the remaining steps.
pub fn time_left(state: &State) -> Option<Duration> {
    let total = state.ready.as_ref()?.total_steps;
    state.pace.time_for(total.saturating_sub(state.step())).filter(|_| state.running())
}

/// The text behind the gauge.
fn label(state: &State, ready: &Ready, share: f64) -> String {
    let (step, total) = (state.step(), ready.total_steps);
    let mut facts = vec![format!(" {:>3.0} %", (share * 100.0).min(100.0).floor()), format!("step {step}/{total}")];
    if let Some(latest) = state.pace.latest() {
        let epochs = total as f64 / ready.steps_per_epoch.max(1) as f64;
        facts.push(format!("epoch {:.2}/{}", latest.epoch, text::number_short(epochs)));
    }
    if let Some(left) = time_left(state) {
        facts.push(format!("{} left", text::duration(left)));
    }
    facts.join("  ")
}

fn numbers(pen: &mut Pen, row: Rect, state: &State) {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some((examples, tokens)) = state.pace.rates() {
        facts.push(("", format!("{} examples/s", text::rate(examples))));
        facts.push(("", format!("{} tokens/s", text::rate(tokens))));
    }
    if let Some(median) = state.pace.median_seconds() {
        // A longer name would push out the rate here.
        facts.push((if row.width < 64 { "median " } else { "median step " }, text::milliseconds(median * 1000.0)));
    }
    if let Some(elapsed) = state.elapsed() {
        facts.push(("elapsed ", text::clock(elapsed)));
    }
    if let Some(latest) = state.pace.latest() {
        facts.push(("rate ", text::number(latest.learning_rate)));
        facts.push(("gradient ", text::three_digits(latest.grad_norm)));
    }
    if let Some(memory) = &state.memory {
        facts.push(("memory ", text::bytes(memory.total)));
    }
    let mut x = row.x;
    for (index, (name, value)) in facts.iter().enumerate() {
        let gap = if index == 0 { "" } else { "  " };
        if x + text::width(gap) + text::width(name) + text::width(value) > row.right() {
            continue;
        }
        let rest = Rect { x, width: row.right() - x, ..row };
        x = pen.pieces(rest, [(gap, Meaning::Muted), (*name, Meaning::Muted), (value, Meaning::Text)]);
    }
}
