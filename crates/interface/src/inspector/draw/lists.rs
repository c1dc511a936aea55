//! The lists: runs with their branches, and metrics.

use ratatui::layout::Rect;

use super::parts::{boxed, highlight, mark, meaning, metric_rows, row_name, typed};
use crate::inspector::rows::{Row, rows};
use crate::inspector::{Focus, Inspector, LineId, Purpose};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::list;

/// The first visible row, such that the selected one is visible.
#[must_use]
pub fn first_row(inspector: &Inspector, focus: Focus, height: u16) -> usize {
    let selected = if focus == Focus::Metrics { inspector.metric_row } else { inspector.run_row };
    selected.saturating_sub(usize::from(height.saturating_sub(1)))
}

/// Draws the runs, each with its value at the cursor, or its last one.
pub fn runs(pen: &mut Pen, area: Rect, inspector: &Inspector) {
    if area.height < 3 || area.width < 4 {
        return;
    }
    let title = match (typed(inspector, Purpose::Filter), inspector.filter.as_str()) {
        (Some((before, after)), _) => format!("runs: {before}▏{after}"),
        (None, "") => "runs".into(),
        (None, filter) => format!("runs: {filter}"),
    };
    let inner = boxed(pen, area, &text::safe_text(&title), inspector.focus == Focus::Runs);
    let first = first_row(inspector, Focus::Runs, inner.height);
    list::more(pen, inner, first, usize::from(inner.height), rows(inspector).len());
    for (index, (line, row)) in Pen::rows(inner).zip(rows(inspector).into_iter().skip(first)).enumerate() {
        let which = row.which();
        let run = &inspector.runs[which.run];
        let shown = run.shown && !run.hidden.contains(&which.branch);
        let indent = if matches!(row, Row::Branch(..)) { 2 } else { 0 };
        let colour = if shown { meaning(inspector, which) } else { Meaning::Muted };
        let x = pen.put(line.x + indent, line.y, 2, mark(shown, run.pinned), colour);
        let (fact, fact_meaning) = fact(inspector, row, which, shown);
        let end = pen.put_right(line, &fact, fact_meaning);
        let name = row_name(inspector, row);
        let name_meaning = if shown { Meaning::Text } else { Meaning::Muted };
        pen.put(x, line.y, end.saturating_sub(x + 1), &name, name_meaning);
        if index + first == inspector.run_row {
            highlight(pen, line, inspector, Focus::Runs);
        }
    }
}

/// The right end of a row: reading progress, a problem, or a value.
fn fact(inspector: &Inspector, row: Row, which: LineId, shown: bool) -> (String, Meaning) {
    let run = &inspector.runs[which.run];
    let is_run = matches!(row, Row::Run(..));
    if is_run && run.shown && run.share < 1.0 && run.problem.is_none() {
        return (format!("{:.0} %", run.share * 100.0), Meaning::Pending);
    }
    if is_run && run.problem.is_some() && run.course.points() == 0 {
        return ("damaged".into(), Meaning::Error);
    }
    let value = shown.then(|| value(inspector, which)).flatten();
    match value {
        Some(value) => (value, meaning(inspector, which)),
        None if is_run && run.is_live() => ("live".into(), Meaning::Ok),
        None => (String::new(), Meaning::Muted),
    }
}

/// The value of a line at the cursor, or its difference from that at the other cursor; without a cursor, the last
/// value.
fn value(inspector: &Inspector, which: LineId) -> Option<String> {
    let track = inspector.track(which)?;
    let shape = track.curve(inspector.chart)?;
    let unit = inspector.chart.unit();
    let measure = track.measure(inspector.view.along);
    let Some(cursor) = inspector.cursor else {
        let (step, _) = shape.raw().last()?;
        return Some(unit.value(shape.smoothed_near(step)));
    };
    let (first, last) = shape.raw().span()?;
    let at = |place: f64| {
        let step = measure.step(place);
        (first..=last).contains(&step).then(|| shape.smoothed_near(step))
    };
    let value = at(cursor.at)?;
    match cursor.anchor.and_then(at) {
        Some(anchor) => Some(format!("Δ {}", unit.difference(value - anchor))),
        None => Some(unit.value(value)),
    }
}

/// Draws the metrics.
pub fn metrics(pen: &mut Pen, area: Rect, inspector: &Inspector) {
    if area.height < 3 || area.width < 4 {
        return;
    }
    let inner = boxed(pen, area, "charts", inspector.focus == Focus::Metrics);
    let first = first_row(inspector, Focus::Metrics, inner.height);
    list::more(pen, inner, first, usize::from(inner.height), metric_rows().len());
    for (index, (line, metric)) in Pen::rows(inner).zip(metric_rows().into_iter().skip(first)).enumerate() {
        let shown = inspector.charts.contains(&metric);
        let name_meaning = if shown { Meaning::Text } else { Meaning::Muted };
        let x = pen.put(line.x, line.y, 2, mark(shown, false), name_meaning);
        pen.put(x, line.y, line.right().saturating_sub(x), metric.title(), name_meaning);
        if index + first == inspector.metric_row {
            highlight(pen, line, inspector, Focus::Metrics);
        }
    }
}
