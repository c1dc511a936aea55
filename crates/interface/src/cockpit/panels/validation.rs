//! Evaluations: the latest, the best, and the accuracy over the steps.

use ratatui::layout::Rect;

use crate::cockpit::State;
use crate::keys::{Action, Context};
use crate::layout::{split_bottom, split_left, split_top};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::axis::Axis;
use crate::widgets::braille::Grid;
use crate::widgets::chart::View;
use crate::widgets::window::Window;
use crate::widgets::{Facts, bar, chart, classes, curve, nothing};
use spartui_facts::protocol::{Confusion, Evaluation};

/// Draws table and curve; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    let (mut area, mut facts) = (area, Facts::new());
    if let Some((done, of)) = state.evaluating {
        let (top, row) = split_bottom(area, 1);
        area = top;
        let x = pen.put(row.x, row.y, row.width, &format!("evaluating {done} of {of} "), Meaning::Pending);
        bar::gauge(pen, Rect { x, width: row.right() - x, ..row }, done as f64 / of.max(1) as f64, Meaning::Pending);
        facts.push(("running".into(), Meaning::Pending));
    }
    let (Some(latest), Some(best)) =
        (state.history.evaluations.last(), state.history.best().or(state.history.evaluations.last()))
    else {
        if state.ready.as_ref().is_some_and(|ready| ready.validation_examples == 0) {
            nothing(pen, area, "no validation rows: data.validation = 0");
        } else if state.evaluating.is_none() {
            let how = state.env.look.keys.advice(Context::Cockpit, Action::Evaluate, "evaluates");
            nothing(pen, area, &format!("no evaluation yet{how}"));
        }
        return facts;
    };
    let area = match state.history.confusion.as_ref().filter(|_| state.maximised) {
        Some(confusion) => by_label(pen, area, confusion),
        None => area,
    };
    let (table, rest) = split_top(area, 5);
    write_table(pen, table, latest, best);
    let rest = split_top(rest, 1).1;
    if rest.height >= 4 && !state.history.accuracy.is_empty() {
        accuracy_curve(pen, rest, state);
    }
    let first = match latest.mcc {
        Some(_) => text::percent(latest.accuracy),
        None => format!("perplexity {}", text::number(latest.perplexity())),
    };
    facts.insert(0, (first, Meaning::Series2));
    facts.push((format!("{} rows", text::grouped(latest.examples as u64)), Meaning::Muted));
    facts
}

/// Draws the accuracy of each label, beside the table or below it; returns the rest of the area.
fn by_label(pen: &mut Pen, area: Rect, confusion: &Confusion) -> Rect {
    if area.width >= 110 {
        let (left, right) = split_left(area, area.width / 2 - 4);
        classes::draw(pen, split_left(right, 2).1, confusion);
        return left;
    }
    let (top, rest) = split_top(area, 6.min(area.height));
    if rest.height < 5 {
        return area;
    }
    classes::draw(pen, rest, confusion);
    top
}

fn write_table(pen: &mut Pen, area: Rect, latest: &Evaluation, best: &Evaluation) {
    let column = (area.width.saturating_sub(11) / 2).min(14);
    let line = |name: &'static str, show: &dyn Fn(&Evaluation) -> String| (name, show(latest), show(best));
    let lines = [
        ("", "latest".to_owned(), "best".to_owned()),
        line("accuracy", &|evaluation| text::percent(evaluation.accuracy)),
        line("loss", &|evaluation| text::number(evaluation.eval_loss)),
        match latest.mcc {
            Some(_) => line("mcc", &|evaluation| format!("{:.4}", evaluation.mcc.unwrap_or(f64::NAN))),
            None => line("perplexity", &|evaluation| text::number(evaluation.perplexity())),
        },
        line("at step", &|evaluation| evaluation.step.to_string()),
    ];
    for (index, (row, (name, latest, best))) in Pen::rows(area).zip(lines).enumerate() {
        let meaning = if index == 0 { Meaning::Muted } else { Meaning::Text };
        pen.put(row.x, row.y, 10, name, Meaning::Muted);
        pen.put_right(Rect { x: row.x + 10, width: column, ..row }, &latest, meaning);
        pen.put_right(Rect { x: row.x + 10 + column, width: column, ..row }, &best, meaning);
    }
}

fn accuracy_curve(pen: &mut Pen, area: Rect, state: &State) {
    let series = &state.history.accuracy;
    let Some(span) = series.span() else { return };
    let (low, high) = series
        .points()
        .filter(|(_, value)| value.is_finite())
        .fold((1.0f64, 0.0f64), |(low, high), (_, value)| (low.min(value), high.max(value)));
    if low > high {
        return;
    }
    let axis = Axis::around(low, high, false);
    let (upper, scale) = split_bottom(area, 1);
    let (labels, plot) = split_left(upper, 7);
    if plot.width < 4 || plot.height < 2 {
        return;
    }
    for (value, _) in axis.ticks(usize::from(plot.height / 2).clamp(2, 6)) {
        let y = plot.y + (axis.row(value, usize::from(plot.height) * 4) / 4) as u16;
        pen.put_right(Rect { y, width: 6, height: 1, ..labels }, &format!("{:.0} %", value * 100.0), Meaning::Axis);
        pen.fill(Rect { y, height: 1, ..plot }, '┈', Meaning::Border);
    }
    let window = Window::new(&View::default(), span, usize::from(plot.width) * 2);
    let mut grid = Grid::new(plot);
    curve::draw(&mut grid, series, &window, &axis);
    grid.paint(pen, plot, Meaning::Series2);
    if let (1, Some((step, value))) = (series.len(), series.last()) {
        chart::mark(pen, plot, &axis, window.dot(step as f64).unwrap_or(0), value, Meaning::Series2);
    }
    let scale = Rect { x: plot.x, width: plot.width, ..scale };
    pen.put(scale.x, scale.y, scale.width, &format!("accuracy, step {}", span.0), Meaning::Axis);
    pen.put_right(scale, &span.1.to_string(), Meaning::Axis);
}
