//! The actions of the inspector.

use super::rows::{Row, rows};
use super::{Dialog, Focus, Inspector, Purpose, cursor, draw, effects, layout};
use crate::curves::{Export, ExportLine};
use crate::frame::{Effect, Outcome};
use crate::jobs::curves::Ask;
use crate::keys::{Action, Context, Format};
use crate::metric::Metric;
use crate::typed::Typed;
use crate::widgets::chart::Range;

/// Runs an action that was chosen by name: focuses its context, and runs it there.
pub fn elsewhere(inspector: &mut Inspector, context: Context, action: Action) -> Vec<Effect> {
    match context {
        Context::CurvesChart | Context::CurvesCursor => {
            inspector.focus = Focus::Chart;
            if context == Context::CurvesCursor && inspector.cursor.is_none() {
                cursor::toggle(inspector);
            }
        }
        Context::CurvesList if inspector.focus == Focus::Chart => inspector.focus = Focus::Runs,
        _ => {}
    }
    act(inspector, action)
}

pub fn type_character(inspector: &mut Inspector, c: char) {
    let Some((purpose, typed)) = &mut inspector.typing else { return };
    if *purpose == Purpose::Step && !c.is_ascii_digit() {
        return;
    }
    typed.insert(c);
    if *purpose == Purpose::Filter {
        inspector.filter.clone_from(&typed.text);
        inspector.run_row = 0;
    }
}

/// Runs an action.
pub fn act(inspector: &mut Inspector, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit | Action::Interrupt => return vec![Effect::Quit(Outcome::Left)],
        Action::Leave => return leave(inspector),
        Action::Focus(by) => {
            let all = [Focus::Chart, Focus::Runs, Focus::Metrics];
            let at = all.iter().position(|focus| *focus == inspector.focus).unwrap_or(0);
            inspector.focus = all[(at + if by < 0 { 2 } else { 1 }) % 3];
            inspector.maximised = false;
            // New runs may have started.
            if inspector.focus == Focus::Runs {
                return effects(vec![Ask::List(inspector.runs_dir.clone())]);
            }
        }
        Action::Row(by) => walk(inspector, by),
        Action::Maximise => {
            inspector.maximised = !inspector.maximised;
            inspector.focus = Focus::Chart;
        }
        Action::LogAxis => inspector.view.log = !inspector.view.log,
        Action::Smooth(by) => smooth(inspector, by),
        Action::Zoom(closer) => {
            let share = cursor::share(inspector);
            zoom(inspector, closer, share);
        }
        Action::Pan(by) => {
            if let Some(extent) = inspector.axis_extent() {
                inspector.view.pan(by as f64 * 0.25, extent);
            }
        }
        Action::Follow => {
            if let Some(extent) = inspector.axis_extent() {
                inspector.view.toggle_follow(extent);
            }
        }
        Action::Metric(by) => turn_chart(inspector, by),
        Action::CursorUp => cursor::toggle(inspector),
        Action::CursorBy(by) => cursor::walk(inspector, by),
        Action::CursorLowest(lowest) => cursor::extreme(inspector, lowest),
        Action::CursorAnchor => cursor::anchor(inspector),
        Action::Backspace | Action::Delete | Action::Cursor(_) | Action::Line(_) => edit(inspector, action),
        Action::Apply => return apply(inspector),
        Action::Discard => discard(inspector),
        Action::CurvesToggle => return toggle(inspector),
        Action::CurvesOnly => return only(inspector),
        Action::CurvesPin => return pin(inspector),
        Action::CurvesAll => return all(inspector),
        Action::CurvesFilter => {
            inspector.focus = Focus::Runs;
            begin_typing(inspector, Purpose::Filter);
        }
        Action::CurvesStep => begin_typing(inspector, Purpose::Step),
        Action::CurvesAlong => {
            cursor::turn_axis(inspector, inspector.view.along.next());
        }
        Action::CurvesLogX => {
            inspector.view.log_x = !inspector.view.log_x;
            inspector.view.range = Range::Fit;
        }
        Action::CurvesEnvelope => inspector.view.envelope = !inspector.view.envelope,
        Action::CurvesOutliers => inspector.view.outlier_proof = !inspector.view.outlier_proof,
        Action::CurvesBetween => cursor::between(inspector),
        Action::CurvesDifferences => {
            inspector.scroll = 0;
            inspector.layer = Some(Dialog::Differences);
        }
        Action::CurvesExport => inspector.layer = Some(Dialog::Export),
        Action::CurvesExportAs(format) => return export(inspector, format),
        _ => {}
    }
    Vec::new()
}

/// Closes a dialog, else restores a maximised chart, else removes the cursor; at last leaves the inspector.
fn leave(inspector: &mut Inspector) -> Vec<Effect> {
    inspector.scroll = 0;
    if inspector.layer.take().is_some() {
        return Vec::new();
    }
    if std::mem::take(&mut inspector.maximised) || inspector.cursor.take().is_some() {
        return Vec::new();
    }
    if !inspector.filter.is_empty() {
        inspector.filter.clear();
        return Vec::new();
    }
    vec![Effect::Quit(Outcome::Left)]
}

fn walk(inspector: &mut Inspector, by: isize) {
    match (inspector.layer, inspector.focus) {
        (Some(Dialog::Differences), _) => {
            let last = draw::table_lines(inspector).saturating_sub(1);
            inspector.scroll = inspector.scroll.saturating_add_signed(by).min(last);
        }
        (None, Focus::Runs) => {
            let last = rows(inspector).len().saturating_sub(1);
            inspector.run_row = inspector.run_row.saturating_add_signed(by).min(last);
        }
        (None, Focus::Metrics) => {
            let last = layout::metrics().count() - 1;
            inspector.metric_row = inspector.metric_row.saturating_add_signed(by).min(last);
        }
        _ => {}
    }
}

fn smooth(inspector: &mut Inspector, by: isize) {
    if inspector.view.smooth(by) {
        let weight = inspector.view.smoothing();
        inspector.runs.iter_mut().for_each(|run| run.course.smooth(weight));
    }
}

/// Zooms around a share of the width.
pub fn zoom(inspector: &mut Inspector, closer: bool, share: Option<f64>) {
    if let Some(extent) = inspector.axis_extent() {
        inspector.view.zoom(if closer { 0.5 } else { 2.0 }, share, extent);
    }
}

/// Moves to the next chart, or shows the next metric if there is only one.
fn turn_chart(inspector: &mut Inspector, by: isize) {
    let places = layout::arrange(inspector).unwrap_or_default().charts;
    let mut metric = inspector.chart;
    for _ in Metric::ALL {
        metric = metric.moved(by);
        let fits = if places.len() > 1 { inspector.charts.contains(&metric) } else { metric != Metric::Memory };
        if fits {
            break;
        }
    }
    inspector.chart = metric;
}

fn begin_typing(inspector: &mut Inspector, purpose: Purpose) {
    let text = if purpose == Purpose::Filter { inspector.filter.clone() } else { String::new() };
    let cursor = text.chars().count();
    inspector.typing = Some((purpose, Typed { text, cursor, fresh: false }));
}

fn edit(inspector: &mut Inspector, action: Action) {
    let Some((purpose, typed)) = &mut inspector.typing else { return };
    typed.act(action);
    if *purpose == Purpose::Filter {
        inspector.filter.clone_from(&typed.text);
        inspector.run_row = 0;
    }
}

fn apply(inspector: &mut Inspector) -> Vec<Effect> {
    match inspector.typing.take() {
        Some((Purpose::Step, typed)) => match typed.text.parse() {
            Ok(step) => cursor::go_to(inspector, step),
            Err(_) => inspector.refuse("type the number of a step"),
        },
        Some((Purpose::Filter, _)) => inspector.focus = Focus::Runs,
        None => {}
    }
    Vec::new()
}

fn discard(inspector: &mut Inspector) {
    if let Some((Purpose::Filter, _)) = inspector.typing.take() {
        inspector.filter.clear();
    }
}

/// Shows or hides the selected row.
fn toggle(inspector: &mut Inspector) -> Vec<Effect> {
    if inspector.focus == Focus::Metrics {
        let Some(metric) = layout::metrics().nth(inspector.metric_row) else { return Vec::new() };
        if inspector.charts.remove(&metric) {
            if inspector.charts.is_empty() {
                inspector.charts.insert(metric);
                inspector.refuse("one chart at least is shown");
            }
        } else {
            inspector.charts.insert(metric);
            inspector.chart = metric;
        }
        if !inspector.charts.contains(&inspector.chart) {
            inspector.chart = inspector.charts.first().copied().unwrap_or(Metric::Loss);
        }
        return Vec::new();
    }
    match rows(inspector).get(inspector.run_row) {
        Some(&Row::Run(index, _)) => {
            let run = &mut inspector.runs[index];
            run.shown = !run.shown;
            if run.shown { effects(run.ask()) } else { Vec::new() }
        }
        Some(&Row::Branch(index, branch)) => {
            let hidden = &mut inspector.runs[index].hidden;
            if !hidden.remove(&branch) {
                hidden.insert(branch);
            }
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// Shows the selected row, and otherwise only what is pinned.
fn only(inspector: &mut Inspector) -> Vec<Effect> {
    if inspector.focus == Focus::Metrics {
        if let Some(metric) = layout::metrics().nth(inspector.metric_row) {
            inspector.charts = [metric].into();
            inspector.chart = metric;
        }
        return Vec::new();
    }
    let Some(selected) = rows(inspector).get(inspector.run_row).map(|row| row.which().run) else { return Vec::new() };
    for (index, run) in inspector.runs.iter_mut().enumerate() {
        run.shown = index == selected || run.pinned;
    }
    effects(inspector.runs[selected].ask())
}

/// Pins the selected run: it comes first, is drawn on top, and stays when others are hidden or filtered out.
fn pin(inspector: &mut Inspector) -> Vec<Effect> {
    let Some(index) = rows(inspector).get(inspector.run_row).map(|row| row.which().run) else { return Vec::new() };
    let run = &mut inspector.runs[index];
    run.pinned = !run.pinned;
    run.shown |= run.pinned;
    let asks = run.ask();
    // The row moves; the selection follows it.
    let row = rows(inspector).iter().position(|row| row.which().run == index);
    inspector.run_row = row.unwrap_or(0);
    effects(asks)
}

/// Shows every run that matches the filter; if all are shown, only the pinned ones or the selected one.
fn all(inspector: &mut Inspector) -> Vec<Effect> {
    let listed: Vec<usize> = rows(inspector).into_iter().map(|row| row.which().run).collect();
    let show = listed.iter().any(|index| !inspector.runs[*index].shown);
    // At least one stays visible: the selected run if none is pinned.
    let pinned = listed.iter().any(|index| inspector.runs[*index].pinned);
    let selected = inspector.selected().filter(|_| !pinned).map(|which| which.run);
    let mut asks = Vec::new();
    for index in listed {
        let run = &mut inspector.runs[index];
        run.shown = show || run.pinned || selected == Some(index);
        if run.shown {
            asks.extend(run.ask());
        }
    }
    effects(asks)
}

/// Exports the view as the screen shows it now.
fn export(inspector: &mut Inspector, format: Format) -> Vec<Effect> {
    inspector.layer = None;
    let Some(extent) = inspector.extent() else {
        inspector.refuse("there is nothing to write");
        return Vec::new();
    };
    let layout = layout::arrange(inspector).unwrap_or_default();
    let metrics: Vec<Metric> = match layout.charts.len() {
        0 => inspector.charts.iter().copied().collect(),
        _ => layout.charts.iter().map(|(_, metric)| *metric).collect(),
    };
    let lines = inspector.lines().into_iter().filter_map(|which| {
        let run = &inspector.runs[which.run];
        Some(ExportLine {
            run: run.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            branch: which.branch,
            name: draw::parts::line_name(inspector, which),
            meaning: draw::parts::meaning(inspector, which),
            track: std::sync::Arc::clone(run.course.branches.get(&which.branch)?),
        })
    });
    let export = Export {
        format,
        view: inspector.view,
        extent,
        metrics,
        lines: lines.collect(),
        changes: draw::parts::changes(inspector),
        theme: inspector.env.look.theme().clone(),
    };
    inspector.say("writing …");
    effects(vec![Ask::Export(Box::new(export))])
}
