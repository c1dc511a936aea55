//! The loss over the steps: raw values as an envelope, the smoothed line over it, validation, changes by hand.

use ratatui::layout::Rect;

use super::axis::{Axis, outlier_proof, round_step};
use super::braille::Grid;
use super::window::Window;
use super::{Facts, curve, nothing};
use crate::interface::layout::{split_bottom, split_left};
use crate::interface::pen::Pen;
use crate::interface::screens::{ALERT, alert_meaning};
use crate::interface::state::{Cursor, State};
use crate::interface::text;
use crate::interface::theme::Meaning;
use crate::series::{Column, Series};

const VALIDATION: &str = "◆";
/// Branches that were left behind and are drawn.
const LEFT_BEHIND: usize = 8;

/// Draws the chart; what its title says.
pub fn draw(pen: &mut Pen, area: Rect, title_room: u16, state: &State) -> Facts {
    let curve = &state.history.loss;
    let Some(span) = state.span() else {
        nothing(pen, area, "the first step is under way");
        return Facts::new();
    };
    let (upper, scale) = split_bottom(area, 1);
    let count = |width: u16| usize::from(width) * 2;
    // The width of the labels depends on the values in sight, and those on the width that is left; a guess of the
    // first gives the second.
    let guess = Window::new(&state.view, span, count(area.width.saturating_sub(7)));
    let axis = axis(state, &guess);
    let ticks = axis.ticks(usize::from(upper.height / 3).clamp(2, 8));
    let label_width = ticks.iter().map(|(_, label)| text::width(label)).max().unwrap_or(0).clamp(3, 9) + 1;
    let (labels, plot) = split_left(upper, label_width);
    if plot.width < 4 || plot.height < 2 {
        return Facts::new();
    }
    let window = Window::new(&state.view, span, count(plot.width));

    for (value, label) in &ticks {
        let y = plot.y + (axis.row(*value, usize::from(plot.height) * 4) / 4) as u16;
        pen.put_right(Rect { y, height: 1, width: label_width - 1, ..labels }, label, Meaning::Axis);
        pen.fill(Rect { y, height: 1, ..plot }, '┈', Meaning::Border);
    }
    step_scale(pen, Rect { x: plot.x, width: plot.width, ..scale }, &window);

    let raw = curve.raw().columns(window.start, window.per_dot, window.dots);
    let smooth = curve.smoothed().columns(window.start, window.per_dot, window.dots);
    let smoothed = state.view.smoothing() > 0.0;
    left_behind(pen, plot, state, &window, &axis);
    let mut envelope = Grid::new(plot);
    curve::trace(&mut envelope, curve.raw(), &raw, &window, &axis);
    envelope.paint(pen, plot, if smoothed { Meaning::Envelope } else { Meaning::Series1 });
    interventions(pen, plot, state, &window);
    alerts(pen, plot, state, &window);
    if smoothed {
        let mut line = Grid::new(plot);
        let middle: Vec<Option<Column>> = smooth.iter().map(|column| column.map(flat)).collect();
        curve::trace(&mut line, curve.smoothed(), &middle, &window, &axis);
        line.paint(pen, plot, Meaning::Series1);
    }
    validation(pen, plot, state, &window, &axis);
    let outside = outside(pen, plot, state, &raw, &axis, &window);
    if let Some(cursor) = state.cursor {
        cross_hair(pen, plot, cursor, state, &window, &axis);
    }
    change_list(pen, plot, state, &window);
    if let Some(cursor) = state.cursor {
        return cursor_facts(state, cursor);
    }
    facts(state, &axis, outside, title_room)
}

/// The newest of the branches that were left behind, under everything else.
fn left_behind(pen: &mut Pen, plot: Rect, state: &State, window: &Window, axis: &Axis) {
    let newest = state.history.left_behind.len().saturating_sub(LEFT_BEHIND);
    for series in &state.history.left_behind[newest..] {
        let columns = series.columns(window.start, window.per_dot, window.dots);
        let middle: Vec<Option<Column>> = columns.iter().map(|column| column.map(flat)).collect();
        let mut grid = Grid::new(plot);
        curve::trace(&mut grid, series, &middle, window, axis);
        grid.paint(pen, plot, Meaning::Branch);
    }
}

/// The cursor, and the step that it is compared with.
fn cross_hair(pen: &mut Pen, plot: Rect, cursor: Cursor, state: &State, window: &Window, axis: &Axis) {
    for (step, symbol) in cursor.anchor.map(|step| (step, '╎')).into_iter().chain([(cursor.step, '│')]) {
        let Some(dot) = window.dot(step) else { continue };
        let x = plot.x + (dot / 2) as u16;
        pen.fill(Rect { x, width: 1, ..plot }, symbol, Meaning::Cursor);
        if let Some((_, loss)) = state.history.loss.raw().nearest(step).filter(|(_, loss)| loss.is_finite()) {
            let y = plot.y + (axis.row(loss, usize::from(plot.height) * 4) / 4) as u16;
            pen.put(x, y, 1, "●", Meaning::Cursor);
        }
    }
}

/// What stands under the cursor, the short of it.
fn cursor_facts(state: &State, Cursor { step, anchor }: Cursor) -> Facts {
    let mut facts = vec![
        (format!("step {step}"), Meaning::Pending),
        (format!("loss {}", text::number(at(state.history.loss.raw(), step))), Meaning::Series1),
    ];
    if let Some(anchor) = anchor.filter(|anchor| *anchor != step) {
        facts.push((format!("Δ {:+.4}", difference(state, anchor, step)), Meaning::Pending));
    }
    facts
}

/// What stands under the cursor, and how it differs from what it is compared with.
#[must_use]
pub fn readout(state: &State, Cursor { step, anchor }: Cursor) -> String {
    let history = &state.history;
    let mut facts = vec![format!("step {step}: loss {}", text::number(at(history.loss.raw(), step)))];
    if state.view.smoothing() > 0.0 {
        facts.push(format!("smoothed {}", text::number(at(history.loss.smoothed(), step))));
    }
    if let Some(anchor) = anchor.filter(|anchor| *anchor != step) {
        let side = if anchor < step { "after" } else { "before" };
        let steps = anchor.abs_diff(step);
        facts.push(format!("{:+.4} {steps} steps {side} {anchor}", difference(state, anchor, step)));
    }
    if let Some(evaluation) = history.evaluations.iter().rev().find(|evaluation| evaluation.step <= step) {
        facts.push(format!("valid {} at {}", text::number(evaluation.eval_loss), evaluation.step));
    }
    facts.join(" · ")
}

fn at(series: &Series, step: u64) -> f64 {
    series.nearest(step).map_or(f64::NAN, |(_, value)| value)
}

/// How much the smoothed loss grew from one step to another.
fn difference(state: &State, from: u64, to: u64) -> f64 {
    at(state.history.loss.smoothed(), to) - at(state.history.loss.smoothed(), from)
}

/// A column of a smoothed line without its height, which would thicken the line.
fn flat(column: Column) -> Column {
    Column { first: column.last, min: column.last, max: column.last, last: column.last }
}

fn axis(state: &State, window: &Window) -> Axis {
    let raw = state.history.loss.raw().columns(window.start, window.per_dot, window.dots);
    let evaluations = state.history.evaluations.iter().filter(|evaluation| window.holds(evaluation.step));
    let values = raw.iter().flatten().flat_map(|column| [column.min, column.max]);
    let values = values.chain(evaluations.map(|evaluation| evaluation.eval_loss));
    let (low, high) = outlier_proof(values).unwrap_or((0.0, 1.0));
    Axis::around(low, high, state.view.log)
}

fn step_scale(pen: &mut Pen, row: Rect, window: &Window) {
    let per_cell = window.per_dot * 2.0;
    let digits = text::width(&format!("{:.0}", window.end()));
    let step = round_step(per_cell * f64::from(digits + 6)).max(1.0);
    let name_at = pen.put_right(row, "step", Meaning::Axis);
    let first = (window.start / step).ceil() * step;
    for tick in (0..100).map(|index| first + f64::from(index) * step).take_while(|tick| *tick < window.end()) {
        let label = format!("{tick:.0}");
        let cell = ((tick - window.start) / per_cell).floor() as u16;
        let x = (row.x + cell).saturating_sub(text::width(&label) / 2).max(row.x);
        if x + text::width(&label) < name_at {
            pen.put(x, row.y, name_at - x, &label, Meaning::Axis);
        }
    }
}

fn interventions(pen: &mut Pen, plot: Rect, state: &State, window: &Window) {
    for (index, change) in state.history.interventions.iter().enumerate() {
        // A change after step 120 acts on step 121; its line stands between them.
        let Some(dot) = window.dot(change.step).or_else(|| window.dot(change.step + 1)) else { continue };
        let x = plot.x + (dot / 2) as u16;
        pen.fill(Rect { x, width: 1, ..plot }, '┊', Meaning::Pending);
        pen.put(x, plot.y, 1, &mark(index).to_string(), Meaning::Pending);
    }
}

/// Where an alert began, at the bottom.
fn alerts(pen: &mut Pen, plot: Rect, state: &State, window: &Window) {
    for alert in state.alerts.all() {
        let Some(dot) = window.dot(alert.step) else { continue };
        let (x, y) = (plot.x + (dot / 2) as u16, plot.bottom().saturating_sub(1));
        pen.put(x, y, 1, ALERT.encode_utf8(&mut [0; 4]), alert_meaning(alert));
    }
}

fn mark(index: usize) -> char {
    char::from(b'a' + (index % 26) as u8)
}

fn validation(pen: &mut Pen, plot: Rect, state: &State, window: &Window, axis: &Axis) {
    for evaluation in state.history.evaluations.iter().filter(|evaluation| evaluation.eval_loss.is_finite()) {
        let Some(dot) = window.dot(evaluation.step) else { continue };
        let y = plot.y + (axis.row(evaluation.eval_loss, usize::from(plot.height) * 4) / 4) as u16;
        pen.put(plot.x + (dot / 2) as u16, y, 1, VALIDATION, Meaning::Series2);
    }
}

/// Marks what is not on the chart: values above it at its top, gaps at its bottom. How many columns are above.
fn outside(pen: &mut Pen, plot: Rect, state: &State, raw: &[Option<Column>], axis: &Axis, window: &Window) -> usize {
    let above = |column: &Option<Column>| column.is_some_and(|column| axis.is_above(column.max));
    let mut count = 0;
    for (dot, _) in raw.iter().enumerate().filter(|(_, column)| above(column)) {
        count += 1;
        pen.put(plot.x + (dot / 2) as u16, plot.y, 1, "▲", Meaning::Warn);
    }
    let gaps = state.history.loss.raw().gaps_in_columns(window.start, window.per_dot, window.dots);
    for (dot, _) in gaps.into_iter().enumerate().filter(|(_, gaps)| *gaps > 0) {
        pen.put(plot.x + (dot / 2) as u16, plot.bottom() - 1, 1, "×", Meaning::Error);
    }
    count
}

/// Says in the upper right what the marks stand for, the newest last.
fn change_list(pen: &mut Pen, plot: Rect, state: &State, window: &Window) {
    let lines: Vec<String> = (state.history.interventions.iter().enumerate())
        .filter(|(_, change)| window.holds(change.step) || window.holds(change.step + 1))
        .map(|(index, change)| {
            let field = change.field.split_once('.').map_or(change.field.as_str(), |(_, name)| name);
            let (from, to) = (text::value(&change.from), text::value(&change.to));
            format!("{} {} {} {from} → {to}", mark(index), change.step, text::safe_text(field))
        })
        .collect();
    // On a low chart the list would hide the curve; the log has it.
    let room = usize::from(plot.height / 5);
    let shown = &lines[lines.len().saturating_sub(room)..];
    let width = shown.iter().map(|line| text::width(line)).max().unwrap_or(0).min(plot.width * 2 / 3);
    for (row, line) in (plot.y + 1..).zip(shown) {
        let x = plot.right() - width;
        pen.fill(Rect { x: x - 1, y: row, width: width + 1, height: 1 }, ' ', Meaning::Text);
        pen.put(x, row, width, line, Meaning::Pending);
    }
}

fn facts(state: &State, axis: &Axis, outside: usize, room: u16) -> Facts {
    let mut facts = Facts::new();
    let gaps = state.history.loss.raw().gap_count();
    if gaps > 0 {
        facts.push((format!("{gaps} NaN"), Meaning::Error));
    }
    if outside > 0 {
        facts.push((format!("{outside} ▲"), Meaning::Warn));
    }
    if let Some((_, loss)) = state.history.loss.smoothed().last() {
        facts.push((format!("train {}", text::number(loss)), Meaning::Series1));
    }
    if let Some(evaluation) = state.history.evaluations.last() {
        facts.push((format!("{VALIDATION} valid {}", text::number(evaluation.eval_loss)), Meaning::Series2));
    }
    facts.push((state.view.name().into(), Meaning::Muted));
    if room > 50 {
        facts.push((format!("smooth {}", state.view.smoothing()), Meaning::Muted));
    }
    if axis.is_log() {
        facts.push(("log".into(), Meaning::Muted));
    }
    facts
}
