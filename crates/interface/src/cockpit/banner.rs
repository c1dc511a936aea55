//! How the run ended, above the curves.

use std::time::Duration;

use ratatui::layout::Rect;

use super::draw::header::ended_meaning;
use crate::cockpit::{Stage, State};
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_facts::protocol::{Ending, Summary};

/// Height of the banner on a terminal of this width.
#[must_use]
pub fn height(state: &State, width: u16) -> u16 {
    let lines = lines(state, width.saturating_sub(4)).len() as u16;
    if lines == 0 { 0 } else { lines + 2 }
}

/// Draws it, if the run has ended.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) {
    if area.height < 3 {
        return;
    }
    let (title, meaning) = match &state.stage {
        Stage::Loading | Stage::Training => return,
        Stage::Faulted { refused: true, .. } => (" refused ".to_owned(), Meaning::Error),
        Stage::Faulted { .. } => (" failed ".to_owned(), Meaning::Error),
        // The same word as in the launcher and in `spartui runs`.
        Stage::Finished(summary) => (format!(" {} ", summary.ending), ended_meaning(summary.ending)),
    };
    let inner = pen.frame(area, meaning);
    pen.put(area.x + 2, area.y, area.width.saturating_sub(4), &title, meaning);
    let leave = state.env.look.keys.hints(Context::Cockpit, &[(Action::Quit, "leaves")]);
    pen.put_right(Rect { width: area.width.saturating_sub(2), height: 1, ..area }, &leave, Meaning::Key);
    let room = inner.width.saturating_sub(2);
    for (row, (line, meaning)) in Pen::rows(inner).zip(lines(state, room)) {
        pen.put(row.x + 1, row.y, room, &line, meaning);
    }
}

fn lines(state: &State, width: u16) -> Vec<(String, Meaning)> {
    match &state.stage {
        Stage::Loading | Stage::Training => Vec::new(),
        Stage::Faulted { message, .. } => {
            let lines = message.lines().flat_map(|line| text::wrap(&text::safe_text(line), width));
            lines.map(|line| (line, Meaning::Error)).collect()
        }
        Stage::Finished(summary) => summary_lines(summary, width),
    }
}

/// The file that was written, and the state that it holds.
fn result(summary: &Summary, path: &std::path::Path) -> String {
    let what = if path.ends_with("model") { "model" } else { "adapter" };
    let Some(holds) = summary.holds else { return format!("{what} ") };
    let best = summary.best.filter(|best| (best.step, best.branch) == (holds.step, holds.branch));
    let best = if best.is_some() { ", the best" } else { "" };
    format!("{what} of step {}{best}: ", holds.step)
}

fn summary_lines(summary: &Summary, width: u16) -> Vec<(String, Meaning)> {
    let ending = match summary.ending {
        Ending::Completed => "all steps taken",
        Ending::Stopped => "stopped as asked",
        Ending::Aborted => "aborted",
        Ending::Terminated => "ended by a signal",
        Ending::StoppedEarly => "stopped early",
    };
    let time = Duration::try_from_secs_f64(summary.seconds).map(text::duration).unwrap_or_default();
    let mut facts = vec![format!("{ending}: {} steps in {time}", summary.steps)];
    if let Some(best) = &summary.best {
        facts.push(match best.mcc {
            Some(_) => format!("best accuracy {} at step {}", text::percent(best.accuracy), best.step),
            None => format!("best perplexity {} at step {}", text::number(best.perplexity()), best.step),
        });
    }
    if let Some(loss) = summary.loss {
        facts.push(format!("last loss {}", text::number(loss)));
    }
    facts.push(format!(
        "{} scalars trained, sparsity {}",
        text::count(summary.trainable),
        text::percent(summary.sparsity)
    ));
    if let Some(median) = summary.median_step_seconds {
        facts.push(format!("median step {}", text::milliseconds(median * 1000.0)));
    }
    facts.push(match summary.predicted_memory {
        Some(predicted) => format!("memory {}", text::peaks(summary.peak_memory, predicted)),
        None => format!("peak memory {}", text::bytes(summary.peak_memory)),
    });
    let mut lines: Vec<(String, Meaning)> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some((line, _)) if text::width(line) + 3 + text::width(&fact) <= width => {
                line.push_str(" · ");
                line.push_str(&fact);
            }
            _ => lines.push((fact, Meaning::Text)),
        }
    }
    let mut place = |name: &str, path: &std::path::Path| {
        let path = text::safe_text(&path.display().to_string());
        let room = width.saturating_sub(text::width(name));
        lines.push((format!("{name}{}", text::truncate_front(&path, room)), Meaning::Title));
    };
    match &summary.adapter {
        Some(adapter) => place(&result(summary, adapter), adapter),
        None => place("no adapter was written; run ", &summary.folder),
    }
    lines
}
