//! The compact view, for terminals on which no panel fits: step, loss, rate, time left.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::cockpit::{State, panels};
use crate::pen::Pen;
use crate::theme::Meaning;
use crate::{text, widgets};

use super::header;

/// Width of the names.
const NAMES: u16 = 9;
/// Height of the whole view.
#[must_use]
pub fn height(state: &State) -> u16 {
    facts(state).len() as u16 + 1
}

/// Draws as much as fits.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) {
    let mut rows = Pen::rows(area).map(|row| Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row });
    if let Some(row) = rows.next() {
        widgets::gauge(pen, row, share(state), header::gauge_meaning(state));
    }
    for (row, (name, value, meaning)) in rows.zip(facts(state)) {
        pen.put(row.x, row.y, NAMES, name, Meaning::Muted);
        pen.put(row.x + NAMES, row.y, row.width.saturating_sub(NAMES), &value, meaning);
    }
}

fn total(state: &State) -> u64 {
    state.ready.as_ref().map_or(0, |ready| ready.total_steps)
}

fn share(state: &State) -> f64 {
    state.step() as f64 / total(state).max(1) as f64
}

/// Names and values, the most important first.
fn facts(state: &State) -> Vec<(&'static str, String, Meaning)> {
    let (total, share) = (total(state), share(state));
    let dash = || "–".to_owned();
    let latest = state.pace.latest();
    let mut facts = vec![(
        "step",
        format!("{} of {total}, {:.0} %", state.step(), (share * 100.0).min(100.0).floor()),
        Meaning::Text,
    )];
    facts.push(("loss", panels::train_loss(state).unwrap_or_else(dash), Meaning::Series1));
    facts.push(("rate", latest.map_or_else(dash, |step| text::number(step.learning_rate)), Meaning::Text));
    let left = header::time_left(state).map_or_else(dash, text::duration);
    let elapsed =
        state.elapsed().map_or_else(String::new, |elapsed: Duration| format!(", {} so far", text::clock(elapsed)));
    facts.push(("left", format!("{left}{elapsed}"), Meaning::Text));
    if let Some(evaluation) = state.history.evaluations.last() {
        let score = match evaluation.mcc {
            Some(_) => format!("accuracy {}", text::percent(evaluation.accuracy)),
            None => format!("perplexity {}", text::number(evaluation.perplexity())),
        };
        let value = format!("{}, {score} at {}", text::number(evaluation.eval_loss), evaluation.step);
        facts.push(("valid", value, Meaning::Series2));
    }
    if let Some(sparsity) = &state.sparsity {
        let value = format!("{} of {} train", text::count(sparsity.trainable), text::count(sparsity.parameters));
        facts.push(("sparsity", format!("{}, {value}", text::percent(sparsity.sparsity)), Meaning::Text));
    }
    if let Some(memory) = &state.memory {
        facts.push(("memory", text::bytes(memory.total), Meaning::Text));
    }
    facts
}
