//! The line above the key hints: the text being typed, the latest notice, or the values at the cursor.

use std::time::Duration;

use ratatui::layout::Rect;

use super::parts::{chart, line_name, typed};
use crate::inspector::{Cursor, Inspector, Purpose};
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::chart::Along;

/// Draws the line.
pub fn draw(pen: &mut Pen, row: Rect, inspector: &Inspector) {
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    if let Some((before, after)) = typed(inspector, Purpose::Step) {
        let x = pen.pieces(row, [("go to step ", Meaning::Text), (before, Meaning::Pending)]);
        let x = pen.put(x, row.y, row.right().saturating_sub(x), "▏", Meaning::Pending);
        pen.put(x, row.y, row.right().saturating_sub(x), after, Meaning::Pending);
    } else if let Some(notice) = &inspector.env.notice {
        pen.put(row.x, row.y, row.width, &notice.text, notice.severity.meaning());
    } else if let Some(cursor) = inspector.cursor {
        pen.put(row.x, row.y, row.width, &readout(inspector, cursor), Meaning::Text);
    } else if let Some((problem, meaning)) = problem(inspector) {
        pen.put(row.x, row.y, row.width, &problem, meaning);
    } else if let Some(hint) = others(inspector) {
        pen.put(row.x, row.y, row.width, &hint, Meaning::Muted);
    }
}

/// How to see the runs that are not shown.
fn others(inspector: &Inspector) -> Option<String> {
    let hidden = inspector.runs.iter().filter(|run| !run.shown).count();
    let keys = &inspector.env.look.keys;
    let (panel, all) =
        (keys.label(Context::Curves, Action::Focus(1))?, keys.label(Context::CurvesList, Action::CurvesAll)?);
    let more = if hidden == 1 { "one more run".to_owned() } else { format!("{hidden} more runs") };
    (hidden > 0).then(|| format!("{more} to compare with: {panel} to the list, {all} shows all"))
}

/// A position on the axis as text.
fn place(along: Along, at: f64) -> String {
    match along {
        Along::Steps => format!("step {at:.0}"),
        Along::Epochs => format!("epoch {at:.3}"),
        Along::Tokens => format!("{} tokens", text::count(at.max(0.0) as u64)),
        Along::Time => {
            format!("after {}", text::duration(Duration::try_from_secs_f64(at.max(0.0)).unwrap_or_default()))
        }
    }
}

/// The values of all lines at the cursor, the topmost line first.
fn readout(inspector: &Inspector, Cursor { at, anchor }: Cursor) -> String {
    let along = inspector.view.along;
    let mut facts = vec![match anchor {
        Some(anchor) => format!("{} against {}", place(along, at), place(along, anchor)),
        None => place(along, at),
    }];
    let unit = inspector.chart.unit();
    if let Some((chart, known)) = chart(inspector, inspector.chart) {
        for (line, which) in chart.lines.iter().zip(known).rev() {
            let Some((first, last)) = line.shape.raw().span() else { continue };
            let value = |place: f64| {
                let step = line.measure.step(place);
                let inside = (first..=last).contains(&step);
                inside.then(|| (line.shape.raw().nearest(step), line.shape.smoothed_near(step)))
            };
            let Some((Some((step, raw)), smoothed)) = value(at) else { continue };
            let mut fact = format!("{} {}", line_name(inspector, which), unit.value(raw));
            if along != Along::Steps {
                fact.push_str(&format!(" at step {step}"));
            }
            if line.smooths() && inspector.view.smoothing() > 0.0 {
                fact.push_str(&format!(", smoothed {}", unit.value(smoothed)));
            }
            if let Some((_, before)) = anchor.and_then(value) {
                fact.push_str(&format!(" ({})", unit.difference(smoothed - before)));
            }
            facts.push(fact);
        }
    }
    facts.join(" · ")
}

/// A problem with the files of the selected run, or of any that is shown.
fn problem(inspector: &Inspector) -> Option<(String, Meaning)> {
    let shown = || inspector.runs.iter().filter(|run| run.shown);
    let selected = inspector.selected().map(|which| &inspector.runs[which.run]);
    let broken = selected.into_iter().chain(shown()).find_map(|run| Some((&run.name, run.problem.as_ref()?)));
    if let Some((name, why)) = broken {
        return Some((format!("{name}: {why}"), Meaning::Warn));
    }
    let (damaged, backwards) =
        shown().fold((0, 0), |sum, run| (sum.0 + run.course.damaged, sum.1 + run.course.backwards));
    let mut facts = Vec::new();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    if damaged > 0 {
        facts.push(format!("{damaged} damaged line{} left out", plural(damaged)));
    }
    if backwards > 0 {
        facts.push(format!("{backwards} step{} backwards left out", plural(backwards)));
    }
    (!facts.is_empty()).then(|| (facts.join(", "), Meaning::Warn))
}
