//! Draws a race.

use ratatui::layout::Rect;

use super::{Dialog, LaneView, RaceScreen};
use crate::frame::Screen;
use crate::keys::{Action, Context};
use crate::layout::{SMALLEST, centred, split_bottom, split_top};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::chart::{Chart, Line, Look, Measure};
use crate::widgets::footer::{self, Hint};
use crate::widgets::question::Question;
use crate::widgets::{list, nothing};

/// The least height of the chart, with its border.
const CHART: u16 = 8;

/// Shows the race and the way back over a lane's cockpit.
pub fn over_lane(pen: &mut Pen, lane: &LaneView) {
    let back = lane.state.env.look.keys.label(Context::Cockpit, Action::Leave).unwrap_or_default();
    let said = format!(" {} of the race; {back}: back ", lane.about.name);
    let (_, row) = split_bottom(pen.buffer.area, 1);
    if row.height > 0 && row.width > 2 * text::width(&said) {
        let x = pen.put_right(row, &said, Meaning::Focus);
        clear_cut(pen, Rect { width: x - row.x, ..row });
    }
}

/// Removes the last word of a row if something was written over it: words are two cells apart.
fn clear_cut(pen: &mut Pen, row: Rect) {
    let blank = |x: u16| pen.buffer[(x, row.y)].symbol() == " ";
    let from = (row.x + 1..row.right()).rev().find(|x| blank(*x) && blank(x - 1)).unwrap_or(row.x);
    pen.fill(Rect { x: from, width: row.right() - from, ..row }, ' ', Meaning::Text);
}

/// Draws the whole screen.
pub fn whole(pen: &mut Pen, screen: &RaceScreen) {
    let area = pen.buffer.area;
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let line = format!("too small: {} x {} needed", SMALLEST.0, SMALLEST.1);
        let row = centred(area, text::width(&line), 1);
        pen.put(row.x, row.y, row.width, &line, Meaning::Warn);
        return;
    }
    let (header, rest) = split_top(area, 1);
    let (rest, footer_row) = split_bottom(rest, 1);
    let (body, strip) = split_bottom(rest, 1);
    draw_header(pen, header, screen);
    if screen.race.is_none() {
        loading(pen, body, screen);
    } else {
        let wanted = u16::try_from(screen.lanes.len()).unwrap_or(u16::MAX).saturating_add(3);
        let table = wanted.clamp(5, body.height.saturating_sub(CHART).max(5));
        let (chart, table) = split_bottom(body, table);
        draw_chart(pen, chart, screen);
        draw_table(pen, table, screen);
    }
    if let Some(notice) = &screen.env.notice {
        pen.put(strip.x + 1, strip.y, strip.width.saturating_sub(2), &notice.text, notice.severity.meaning());
    } else if let Some(why) = screen.connection.hindrance() {
        pen.put(strip.x + 1, strip.y, strip.width.saturating_sub(2), why, Meaning::Warn);
    }
    footer::draw(pen, &hints(screen, footer_row));
    if let Some(layer) = &screen.layer {
        dialog(pen, area, layer, screen);
    }
}

fn hints(screen: &RaceScreen, row: Rect) -> Vec<Hint> {
    footer::hints(row, &screen.env.look.keys, &screen.contexts(), |_, word| Some(word))
}

/// The key hints.
pub fn own_hints(screen: &RaceScreen) -> Vec<Hint> {
    let (width, height) = screen.env.size;
    hints(screen, split_bottom(Rect::new(0, 0, width, height), 1).1)
}

fn draw_header(pen: &mut Pen, row: Rect, screen: &RaceScreen) {
    let name = screen.race.as_ref().map_or_else(|| "race".into(), |race| text::safe_text(&race.name));
    let x = pen.pieces(
        Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row },
        [
            ("spartui", Meaning::Focus),
            ("  race ", Meaning::Muted),
            (name.as_str(), Meaning::Title),
            ("  ", Meaning::Text),
        ],
    );
    let mut facts = Vec::new();
    if let Some(race) = &screen.race {
        let train = screen.lanes.iter().filter(|lane| lane.trains()).count();
        facts.push(match train {
            0 => format!("{} lanes, none trains", screen.lanes.len()),
            all if all == screen.lanes.len() => format!("{all} lanes train"),
            some => format!("{some} of {} lanes train", screen.lanes.len()),
        });
        let steps = || screen.lanes.iter().filter(|lane| lane.trains()).map(|lane| lane.state.step());
        let of = screen.lanes.iter().filter_map(|lane| lane.state.ready.as_ref().map(|ready| ready.total_steps)).max();
        if let (Some(low), Some(high), Some(of)) = (steps().min(), steps().max(), of) {
            let at = if low == high { low.to_string() } else { format!("{low}–{high}") };
            facts.push(format!("step {at} of {of}"));
        }
        // All lanes share one process, and each reports the memory of all.
        let memory = screen.lanes.iter().filter_map(|lane| lane.state.memory).max_by_key(|memory| memory.total);
        facts.extend(memory.map(|memory| text::bytes(memory.total)));
        if let Some(every) = race.halve_every {
            facts.push(format!("halved every {every} steps"));
        }
    }
    facts.push(text::clock(screen.env.now));
    pen.put(x, row.y, row.right().saturating_sub(x + 1), &facts.join(" · "), Meaning::Muted);
}

fn loading(pen: &mut Pen, area: Rect, screen: &RaceScreen) {
    let rows = Pen::rows(area).skip(usize::from(area.height / 3));
    for (row, (what, share)) in rows.zip(&screen.loading) {
        let share = share.map_or_else(String::new, |share| format!(" {:.0} %", share * 100.0));
        nothing(pen, row, &format!("{what}{share}"));
    }
}

/// The style of a lane; with more lanes than colours, some share one.
pub fn meaning(lane: usize) -> Meaning {
    Meaning::SERIES[lane % Meaning::SERIES.len()]
}

fn draw_chart(pen: &mut Pen, area: Rect, screen: &RaceScreen) {
    let inner = pen.frame(area, Meaning::Border);
    let title = format!(" {} ", screen.metric.title());
    let x = pen.put(area.x + 1, area.y, area.width.saturating_sub(2), &title, Meaning::Title);
    let mut facts = format!(" {} · smooth {} ", screen.view.name(), screen.view.smoothing());
    if screen.view.log {
        facts.push_str("· log ");
    }
    if x + text::width(&facts) < area.right() {
        pen.put_right(Rect { width: area.width.saturating_sub(1), height: 1, ..area }, &facts, Meaning::Muted);
    }
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let Some(extent) = screen.extent() else {
        let hidden = !screen.lanes.is_empty() && screen.lanes.iter().all(|lane| lane.hidden);
        nothing(pen, inner, if hidden { "every lane is hidden" } else { "the first steps are under way" });
        return;
    };
    // The best one over the others, and the selected one on top.
    let mut order = screen.ranking();
    order.reverse();
    order.sort_by_key(|lane| *lane == screen.selected);
    let lines: Vec<Line> = order
        .into_iter()
        .filter(|lane| !screen.lanes[*lane].hidden)
        .map(|lane| (lane, screen.lanes[lane].state.history.curve(screen.metric)))
        .filter(|(_, shape)| !shape.raw().is_empty())
        .map(|(lane, shape)| Line { shape, measure: Measure::Steps, meaning: meaning(lane), look: Look::Whole })
        .collect();
    if lines.is_empty() {
        nothing(pen, inner, "not measured yet");
        return;
    }
    // The raw curves of many lanes would hide each other.
    let mut view = screen.view;
    view.envelope = false;
    let chart = Chart { view: &view, extent, unit: screen.metric.unit(), lines, changes: &[], cursor: None };
    chart.draw(pen, inner);
}

/// A column of the table.
struct Column {
    head: &'static str,
    width: u16,
    cell: fn(&LaneView) -> String,
}

/// Columns from the most to the least important; those that do not fit are left out.
const COLUMNS: [Column; 7] = [
    Column { head: "best", width: 9, cell: best },
    Column { head: "step", width: 7, cell: |lane| lane.state.step().to_string() },
    Column { head: "loss", width: 8, cell: loss },
    Column { head: "", width: 10, cell: LaneView::standing },
    Column { head: "trains", width: 8, cell: trainable },
    Column { head: "last", width: 9, cell: last },
    Column { head: "rate", width: 9, cell: rate },
];

fn draw_table(pen: &mut Pen, area: Rect, screen: &RaceScreen) {
    let inner = pen.frame(area, Meaning::Border);
    pen.put(area.x + 1, area.y, area.width.saturating_sub(2), " standing ", Meaning::Title);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let labels = screen.lanes.iter().map(|lane| text::width(&text::safe_text(&lane.about.label()))).max().unwrap_or(8);
    let least = 9 + labels.clamp(8, inner.width / 2);
    let mut room = inner.width.saturating_sub(least);
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| {
            let fits = room > column.width;
            room -= if fits { column.width + 1 } else { 0 };
            fits
        })
        .collect();
    let place = |row: Rect, index: usize| {
        let after: u16 = columns[index..].iter().map(|column| column.width + 1).sum();
        Rect { x: row.right() - after, width: columns[index].width + 1, ..row }
    };
    let (head, body) = split_top(inner, 1);
    pen.put(head.x, head.y, head.width, "   lane  overrides", Meaning::Muted);
    for (index, column) in columns.iter().enumerate() {
        pen.put_right(place(head, index), column.head, Meaning::Muted);
    }
    let ranking = screen.ranking();
    let at = ranking.iter().position(|lane| *lane == screen.selected).unwrap_or(0);
    let first = crate::widgets::first_row(at, ranking.len(), usize::from(body.height));
    list::more(pen, body, first, usize::from(body.height), ranking.len());
    for (row, (rank, lane)) in Pen::rows(body).zip((1..).zip(&ranking).skip(first)) {
        let view = &screen.lanes[*lane];
        let of_lane = if view.hidden { Meaning::Muted } else { meaning(*lane) };
        let said = if view.trains() { Meaning::Text } else { Meaning::Muted };
        let label = text::safe_text(&view.about.label());
        let number = format!("{:>2} ", lane + 1);
        let rank = format!("{rank:>2} ");
        let mark = if view.hidden { "○ " } else { "● " };
        let names = columns.iter().map(|column| column.width + 1).sum::<u16>();
        let row_of_names = Rect { width: row.width.saturating_sub(names + 1), ..row };
        pen.pieces(
            row_of_names,
            [
                (rank.as_str(), Meaning::Muted),
                (mark, of_lane),
                (number.as_str(), of_lane),
                (" ", said),
                (label.as_str(), said),
            ],
        );
        for (index, column) in columns.iter().enumerate() {
            pen.put_right(place(row, index), &(column.cell)(view), said);
        }
        if *lane == screen.selected {
            pen.restyle(row, Meaning::Selection);
        }
    }
}

fn scored(evaluation: &spartui_facts::protocol::Evaluation) -> String {
    match evaluation.mcc {
        Some(_) => format!("{:.2} %", evaluation.accuracy * 100.0),
        None => text::number(evaluation.eval_loss),
    }
}

fn best(lane: &LaneView) -> String {
    lane.best().map_or_else(|| "–".into(), scored)
}

fn last(lane: &LaneView) -> String {
    lane.state.history.evaluations.last().map_or_else(|| "–".into(), scored)
}

fn loss(lane: &LaneView) -> String {
    lane.state.history.loss.smoothed_last().map_or_else(|| "–".into(), |(_, loss)| text::number(loss))
}

fn trainable(lane: &LaneView) -> String {
    lane.state.sparsity.as_ref().map_or_else(|| "–".into(), |sparsity| text::count(sparsity.trainable))
}

fn rate(lane: &LaneView) -> String {
    lane.state.pace.latest().map_or_else(|| "–".into(), |step| text::number_short(step.learning_rate))
}

fn dialog(pen: &mut Pen, screen: Rect, layer: &Dialog, race: &RaceScreen) {
    let keys = &race.env.look.keys;
    let (title, lines, context) = match layer {
        Dialog::Quit => (" leave the race ", vec!["the lanes still train".to_owned()], Context::Quit),
        Dialog::Stop { lane, others: false } => (
            " stop a lane ",
            vec![format!("stop lane {}? It can be resumed as a run of its own.", lane + 1)],
            Context::Stop,
        ),
        Dialog::Stop { lane, others: true } => {
            let said = format!("stop all lanes but {}? It goes on; the others can be resumed.", lane + 1);
            (" let one lane win ", vec![said], Context::Stop)
        }
        Dialog::Clone { lane, typed } => {
            let (before, after) = typed.halves();
            let lines = vec![
                format!("a lane that begins where lane {} is, with these changes:", lane + 1),
                format!("› {}▏{}", text::safe_text(before), text::safe_text(after)),
                "such as learning_rate=1e-3 sparsity=0.995; nothing: a lane like it".to_owned(),
            ];
            (" clone a lane ", lines, Context::Typing)
        }
    };
    let bound: Vec<_> = keys.lines(context).filter(|bound| bound.line.footer.is_some()).collect();
    let bound = if context == Context::Typing { bound.into_iter().take(2).collect() } else { bound };
    let styled = |line: String| {
        let meaning = if line.starts_with('›') { Meaning::Pending } else { Meaning::Text };
        (line, meaning)
    };
    let question = Question {
        title,
        meaning: Meaning::Focus,
        width: 72,
        roomy: false,
        lines: lines.into_iter().map(styled).collect(),
        answers: bound.iter().map(|bound| (bound.short_label(), bound.line.help)).collect(),
        keys: (0, 8),
    };
    question.draw(pen, screen);
}
