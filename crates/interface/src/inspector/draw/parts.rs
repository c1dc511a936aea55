//! Drawing helpers shared by several parts of the inspector.

use crate::inspector::layout::{self};
use crate::inspector::rows::Row;
use crate::inspector::{Focus, Inspector, LineId, Purpose};
use crate::keys::{Action, Context};
use crate::metric::Metric;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::chart::{Change, Chart, Line, Look};
use crate::widgets::list::inside;
use crate::widgets::nothing;
use ratatui::layout::Rect;

/// The style of a line.
pub fn meaning(inspector: &Inspector, which: LineId) -> Meaning {
    let colour = inspector.colours.get(&(which.run, which.branch));
    colour.map_or(Meaning::Muted, |colour| Meaning::SERIES[colour % Meaning::SERIES.len()])
}

/// The label of a line.
pub fn line_name(inspector: &Inspector, which: LineId) -> String {
    let run = &inspector.runs[which.run];
    if run.course.branches.len() > 1 { format!("{}, branch {}", run.name, which.branch) } else { run.name.clone() }
}

/// The changes by hand of the run under the cursor, on its visible branches.
pub fn changes(inspector: &Inspector) -> Vec<Change> {
    let Some(which) = inspector.reference() else { return Vec::new() };
    let run = &inspector.runs[which.run];
    let seen = run.course.changes.iter().filter(|(branch, _)| !run.hidden.contains(branch));
    let placed = seen.filter_map(|(branch, change)| {
        let measure = run.course.branches.get(branch)?.measure(inspector.view.along);
        let (before, after) = (measure.value(change.step), measure.value(change.step.saturating_add(1)));
        Some(Change { before, after, ..crate::widgets::chart::change(change) })
    });
    let mut changes: Vec<Change> = placed.collect();
    changes.sort_by(|a, b| a.before.total_cmp(&b.before));
    changes
}

/// The chart of a metric, with the identity of each of its lines; none without data.
pub fn chart(inspector: &Inspector, metric: Metric) -> Option<(Chart<'_>, Vec<LineId>)> {
    let extent = inspector.extent()?;
    let mut known = Vec::new();
    let mut lines = Vec::new();
    for which in inspector.lines() {
        let track = inspector.track(which)?;
        let Some(shape) = track.curve(metric).filter(|shape| !shape.raw().is_empty()) else { continue };
        let measure = track.measure(inspector.view.along);
        lines.push(Line { shape, measure, meaning: meaning(inspector, which), look: Look::Whole });
        known.push(which);
    }
    if lines.is_empty() {
        return None;
    }
    let cursor = inspector.cursor.map(|cursor| (cursor.at, cursor.anchor));
    let (view, unit) = (&inspector.view, metric.unit());
    Some((Chart { view, extent, unit, lines, changes: &[], cursor }, known))
}

/// The mark of a row: whether it is shown.
pub fn mark(shown: bool, pinned: bool) -> &'static str {
    match (shown, pinned) {
        (true, true) => "◆ ",
        (true, false) => "● ",
        (false, true) => "◇ ",
        (false, false) => "○ ",
    }
}

/// Says that there is nothing to show, and what to do about it.
pub fn empty(pen: &mut Pen, area: Rect, inspector: &Inspector) {
    let reading = inspector.runs.iter().any(|run| run.shown && run.reading);
    let shown = inspector.runs.iter().any(|run| run.shown);
    let why = match &inspector.problem {
        Some(why) => why.clone(),
        None if reading => "reading …".into(),
        None if shown => "not measured in these runs".into(),
        None if inspector.runs.is_empty() => "no runs here yet".into(),
        None => {
            let key = |context, action| inspector.env.look.keys.label(context, action).unwrap_or_default();
            let (panel, show) =
                (key(Context::Curves, Action::Focus(1)), key(Context::CurvesList, Action::CurvesToggle));
            format!("no run is shown: {panel} to the list, {show} shows one")
        }
    };
    for (row, line) in Pen::rows(area).skip(usize::from(area.height / 2)).zip(text::wrap(&why, area.width)) {
        nothing(pen, row, &line);
    }
}

/// Highlights the selected row, more strongly if its list is focused.
pub fn highlight(pen: &mut Pen, row: Rect, inspector: &Inspector, focus: Focus) {
    if inspector.focus == focus {
        pen.restyle(row, Meaning::Selection);
    }
}

/// The text being typed, if it is for this purpose.
pub fn typed(inspector: &Inspector, purpose: Purpose) -> Option<(&str, &str)> {
    inspector.typing.as_ref().filter(|(of, _)| *of == purpose).map(|(_, typed)| typed.halves())
}

/// The label of a row in the list of runs.
pub fn row_name(inspector: &Inspector, row: Row) -> String {
    match row {
        Row::Run(index, _) => inspector.runs[index].name.clone(),
        Row::Branch(index, branch) => {
            let parent = inspector.runs[index].course.branches.get(&branch).and_then(|track| track.parent);
            match parent {
                Some((_, from)) => format!("branch {branch} from {from}"),
                None => format!("branch {branch}"),
            }
        }
    }
}

/// The rows of the list of metrics.
pub fn metric_rows() -> Vec<Metric> {
    layout::metrics().collect()
}

/// The inside of a titled box, highlighted if focused.
pub fn boxed(pen: &mut Pen, area: Rect, title: &str, focused: bool) -> Rect {
    pen.frame(area, if focused { Meaning::Focus } else { Meaning::Border });
    let meaning = if focused { Meaning::Focus } else { Meaning::Title };
    pen.put(area.x + 1, area.y, area.width.saturating_sub(2), &format!(" {title} "), meaning);
    inside(area)
}
