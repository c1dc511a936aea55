//! The list of runs.

use std::time::Duration;

use ratatui::layout::Rect;

use super::bars;
use crate::jobs::KnownRun;
use crate::keys::{Action, Context};
use crate::launcher::place::{Places, home_rows};
use crate::launcher::{Launcher, RunAction, Sort, action_of};
use crate::layout::{centred, split_bottom, split_top};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::list;
use crate::widgets::list::{first_row_centred, inside};
use spartui_run::State;

/// Draws header, list and facts.
pub fn draw(pen: &mut Pen, places: &Places, launcher: &Launcher) {
    header(pen, places.header, launcher);
    let home = &launcher.home;
    let count = home.shown().len();
    let remark = match &home.typed {
        Some(typed) => {
            let (before, after) = typed.halves();
            format!("filter: {}│{}", text::safe_text(before), text::safe_text(after))
        }
        None => remark(launcher),
    };
    let title = match home.race() {
        Some(race) => format!("lanes of {}", text::safe_text(&race.run.name)),
        None => "runs".into(),
    };
    let inner = super::parts::titled(pen, places.list, Meaning::Focus, &title, (&remark, Meaning::Pending));
    match &home.runs {
        None => nothing(pen, inner, &["looking for runs"]),
        Some(Err(why)) => nothing(pen, inner, &[&text::safe_text(why)]),
        Some(Ok(runs)) if runs.is_empty() => empty(pen, inner, launcher),
        Some(Ok(_)) if count == 0 => nothing(pen, inner, &["no run fits the filter"]),
        Some(Ok(_)) => list(pen, places.list, launcher),
    }
    if places.side.height > 0 {
        let name = home.selected().map_or_else(|| "run".into(), |run| text::safe_text(&run.run.name));
        let inner = super::parts::titled(pen, places.side, Meaning::Border, &name, ("", Meaning::Muted));
        if let Some(run) = home.selected() {
            facts(pen, inner, run, launcher);
        }
    }
}

/// Filter, marks and sort order of the list, if not the default.
fn remark(launcher: &Launcher) -> String {
    let home = &launcher.home;
    let mut remarks = Vec::new();
    if !home.filter.is_empty() {
        remarks.push(format!("filter: {}", text::safe_text(&home.filter)));
    }
    match (home.marked().len(), home.hidden_marks()) {
        (0, 0) => {}
        (marked, 0) => remarks.push(format!("{marked} marked")),
        (marked, hidden) => remarks.push(format!("{marked} marked, and {hidden} out of sight")),
    }
    if home.order() != Sort::Time {
        remarks.push(format!("by {}", home.order().name()));
    }
    remarks.join(" · ")
}

fn header(pen: &mut Pen, row: Rect, launcher: &Launcher) {
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    let folder = launcher.seen_from_here(&launcher.place.folder.join(&launcher.place.runs));
    let live =
        launcher.home.runs.iter().flatten().flatten().filter(|run| run.run.state == Some(State::Running)).count();
    let all = launcher.home.runs.iter().flatten().flatten().count();
    let training = |live: usize| if live > 0 { format!(", {live} training") } else { String::new() };
    let facts = match (all, live) {
        (0, _) => String::new(),
        (1, live) => format!("1 run in {folder}{}", training(live)),
        (all, live) => format!("{all} runs in {folder}{}", training(live)),
    };
    pen.pieces(row, [("spartui", Meaning::Focus), ("  ", Meaning::Text), (&facts, Meaning::Muted)]);
}

fn nothing(pen: &mut Pen, area: Rect, lines: &[&str]) {
    let place = centred(area, area.width, lines.len() as u16);
    for (row, line) in Pen::rows(place).zip(lines) {
        let row = centred(row, text::width(line), 1);
        pen.put(row.x, row.y, row.width, line, Meaning::Muted);
    }
}

/// The hint for an empty list of runs.
fn empty(pen: &mut Pen, area: Rect, launcher: &Launcher) {
    let keys = &launcher.env.look.keys;
    let key = |context, action| keys.label(context, action).unwrap_or_default();
    let folder = launcher.seen_from_here(&launcher.place.folder.join(&launcher.place.runs));
    let lines = [
        (String::new(), format!("No runs in {folder} yet")),
        (String::new(), String::new()),
        (key(Context::Home, Action::NewRun), "a new run: choose a model and a file of rows".into()),
        (key(Context::Home, Action::OpenRecipe), "a new run that begins with a recipe".into()),
        (key(Context::Screen, Action::Help), "all keys".into()),
        (key(Context::Home, Action::Quit), "leave; `spartui demo` shows a run of an example".into()),
    ];
    let width =
        lines.iter().map(|(key, line)| text::width(line) + if key.is_empty() { 0 } else { 4 }).max().unwrap_or(0);
    let place = centred(area, width, lines.len() as u16);
    for (row, (key, line)) in Pen::rows(place).zip(&lines) {
        if key.is_empty() {
            pen.put(row.x, row.y, row.width, line, Meaning::Title);
        } else {
            pen.put(row.x, row.y, 3, key, Meaning::Key);
            pen.put(row.x + 4, row.y, row.width.saturating_sub(4), line, Meaning::Text);
        }
    }
}

/// A column of the list: its heading, its width, and whether it is right-aligned.
struct Column {
    title: &'static str,
    width: u16,
    right: bool,
    /// Columns of the lowest weight are dropped first when there is no room.
    weight: u8,
}

const COLUMNS: [Column; 10] = [
    Column { title: "run", width: 16, right: false, weight: 10 },
    Column { title: "status", width: 13, right: false, weight: 9 },
    Column { title: "steps", width: 11, right: true, weight: 8 },
    Column { title: "best", width: 9, right: true, weight: 7 },
    Column { title: "loss", width: 8, right: true, weight: 4 },
    Column { title: "curve", width: 10, right: false, weight: 6 },
    Column { title: "sparsity", width: 8, right: true, weight: 5 },
    Column { title: "method", width: 6, right: false, weight: 3 },
    Column { title: "model", width: 20, right: false, weight: 2 },
    Column { title: "started", width: 16, right: false, weight: 1 },
];

const GAP: u16 = 2;

/// The largest width of a name at the expense of other columns.
const NAME: u16 = 40;

/// The columns that fit, each with its index in the table and its width; `name` is the width of the longest name.
fn columns(width: u16, name: u16) -> Vec<(usize, u16)> {
    let mut kept: Vec<usize> = (0..COLUMNS.len()).collect();
    let name = name.clamp(COLUMNS[0].width, NAME);
    let wide = |at: usize| if at == 0 { name } else { COLUMNS[at].width };
    let needed = |kept: &[usize]| kept.iter().map(|&at| wide(at) + GAP).sum::<u16>().saturating_sub(GAP);
    while needed(&kept) > width && kept.len() > 1 {
        let least = kept.iter().enumerate().min_by_key(|(_, at)| COLUMNS[**at].weight).map_or(0, |(index, _)| index);
        kept.remove(least);
    }
    // The name gets the rest of the width, up to a limit.
    let spare = width.saturating_sub(needed(&kept)).min(24);
    kept.into_iter().map(|at| (at, wide(at) + if at == 0 { spare } else { 0 })).collect()
}

fn list(pen: &mut Pen, area: Rect, launcher: &Launcher) {
    let inner = inside(area);
    let (head, _) = split_top(inner, 1);
    let names =
        launcher.home.shown().into_iter().map(|run| named(run, launcher).iter().map(|part| text::width(part)).sum());
    let columns = columns(inner.width.saturating_sub(2), names.max().unwrap_or(0));
    let mut x = head.x + 1;
    for &(at, width) in &columns {
        let cell = Rect { x, width: width.min(head.right().saturating_sub(x)), ..head };
        let title = if at == 0 && launcher.home.race().is_some() { "lane" } else { COLUMNS[at].title };
        put(pen, cell, title, Meaning::Muted, COLUMNS[at].right);
        x += width + GAP;
    }
    let rows = home_rows(area);
    let (shown, selected) = (launcher.home.shown(), launcher.home.row());
    let first = first_row_centred(selected, shown.len(), rows.height);
    list::more(pen, rows, first, usize::from(rows.height), shown.len());
    for (index, (row, run)) in Pen::rows(rows).zip(shown.into_iter().skip(first)).enumerate() {
        let mut x = row.x + 1;
        for &(at, width) in &columns {
            let cell = Rect { x, width: width.min(row.right().saturating_sub(x)), ..row };
            draw_cell(pen, cell, at, run, launcher);
            x += width + GAP;
        }
        if first + index == selected {
            pen.restyle(row, Meaning::Selection);
        }
    }
}

fn put(pen: &mut Pen, cell: Rect, text: &str, meaning: Meaning, right: bool) {
    if right {
        pen.put_right(cell, &text::truncate(text, cell.width), meaning);
    } else {
        pen.put(cell.x, cell.y, cell.width, text, meaning);
    }
}

fn draw_cell(pen: &mut Pen, cell: Rect, at: usize, known: &KnownRun, launcher: &Launcher) {
    let run = &known.run;
    let right = COLUMNS[at].right;
    let dash = || "-".to_owned();
    match COLUMNS[at].title {
        "run" => name(pen, cell, known, launcher),
        "status" => {
            let (word, meaning) = status(run.state);
            put(pen, cell, &word, meaning, right);
        }
        "steps" => put(pen, cell, &steps(known), Meaning::Text, right),
        "best" => put(pen, cell, &best(known).unwrap_or_else(dash), Meaning::Text, right),
        "loss" => put(pen, cell, &known.loss.map_or_else(dash, text::three_digits), Meaning::Muted, right),
        "curve" => bars::draw(pen, cell, &known.spark.shape(usize::from(cell.width)), Meaning::Series1),
        "sparsity" => put(pen, cell, &known.sparsity.map_or_else(dash, text::percent), Meaning::Text, right),
        // The number of lanes is in another column.
        "method" if !known.lanes.is_empty() => put(pen, cell, "race", Meaning::Muted, right),
        "method" => put(pen, cell, run.method.as_deref().unwrap_or("-"), Meaning::Muted, right),
        "model" => {
            put(pen, cell, &run.model.as_deref().map_or_else(dash, text::safe_text), Meaning::Muted, right);
        }
        _ => put(pen, cell, &started(run.started, launcher), Meaning::Muted, right),
    }
}

/// Draws the mark of a run, its name, the varied settings of a lane, and its tags.
fn name(pen: &mut Pen, cell: Rect, known: &KnownRun, launcher: &Launcher) {
    let [mark, name, varied, tags] = named(known, launcher);
    pen.pieces(
        cell,
        [(mark.as_str(), Meaning::Focus), (&name, Meaning::Text), (&varied, Meaning::Muted), (&tags, Meaning::Series2)],
    );
}

/// The parts of [`name`] as text.
fn named(known: &KnownRun, launcher: &Launcher) -> [String; 4] {
    let marks = !launcher.home.marked().is_empty();
    let mark = match (marks, launcher.home.is_marked(known)) {
        (false, _) => "",
        (true, true) => "● ",
        (true, false) => "  ",
    };
    let varied = known.varied.as_deref().map(|varied| format!("  {}", text::safe_text(varied))).unwrap_or_default();
    let tags: Vec<String> = known.run.tags.iter().map(|tag| format!(" #{}", text::safe_text(tag))).collect();
    let tags = tags.concat();
    [mark.to_owned(), text::safe_text(&known.run.name), varied, tags]
}

/// The status of a run in a word.
fn status(state: Option<State>) -> (String, Meaning) {
    let Some(state) = state else { return ("damaged".into(), Meaning::Error) };
    match state {
        State::Running => ("training".into(), Meaning::Ok),
        State::Failed => (state.to_string(), Meaning::Error),
        State::Interrupted | State::Terminated | State::Aborted => (state.to_string(), Meaning::Warn),
        State::Completed | State::Stopped | State::StoppedEarly => (state.to_string(), Meaning::Text),
    }
}

fn steps(known: &KnownRun) -> String {
    match (known.run.steps, known.run.total_steps) {
        (Some(steps), Some(total)) => format!("{steps}/{total}"),
        (Some(steps), None) => steps.to_string(),
        (None, Some(total)) => format!("0/{total}"),
        (None, None) => "-".into(),
    }
}

/// The best metric: a classifier's accuracy, a language model's perplexity.
fn best(known: &KnownRun) -> Option<String> {
    match &known.best {
        Some(best) if best.mcc.is_some() => Some(text::percent(best.accuracy)),
        Some(best) => Some(format!("ppl {}", text::three_digits(best.perplexity()))),
        None => known.run.best_accuracy.map(text::percent),
    }
}

fn started(started: Option<f64>, launcher: &Launcher) -> String {
    let moment = started.and_then(|seconds| chrono::DateTime::from_timestamp(seconds as i64, 0));
    let zone = chrono::FixedOffset::east_opt(launcher.place.zone);
    match (moment, zone) {
        (Some(moment), Some(zone)) => moment.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
        _ => "-".into(),
    }
}

/// Draws the facts of a run.
pub fn facts(pen: &mut Pen, area: Rect, known: &KnownRun, launcher: &Launcher) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let (area, bottom) = split_bottom(area, 1);
    let keys = &launcher.env.look.keys;
    let hint = match action_of(known) {
        RunAction::Attach => keys.hints(Context::Home, &[(Action::OpenRun, "opens its cockpit")]),
        RunAction::Lanes if known.run.can_resume() => {
            keys.hints(Context::Home, &[(Action::OpenRun, "its lanes"), (Action::ResumeRun, "resumes it")])
        }
        RunAction::Lanes => {
            keys.hints(Context::Home, &[(Action::OpenRun, "its lanes"), (Action::ViewRun, "their curves")])
        }
        RunAction::Resume => {
            keys.hints(Context::Home, &[(Action::ResumeRun, "resumes it"), (Action::CopyRun, "new from it")])
        }
        RunAction::Look => {
            keys.hints(Context::Home, &[(Action::OpenRun, "its curves"), (Action::CopyRun, "new from it")])
        }
        RunAction::Nothing => keys.hints(Context::Home, &[(Action::DeleteRun, "deletes it")]),
    };
    pen.put(bottom.x, bottom.y, bottom.width, hint.trim(), Meaning::Muted);
    let run = &known.run;
    let mut lines: Vec<(&str, String, Meaning)> = Vec::new();
    let (word, meaning) = status(run.state);
    lines.push(("status", format!("{word}, {} steps", steps(known)), meaning));
    if let Some(varied) = &known.varied {
        lines.push(("overrides", text::safe_text(varied), Meaning::Text));
    }
    if let Some(best) = known.lanes.iter().reduce(|best, lane| if lane.is_better_than(best) { lane } else { best }) {
        let varied = best.varied.as_deref().map(|varied| format!(", {}", text::safe_text(varied))).unwrap_or_default();
        lines.push(("best lane", format!("{}{varied}", text::safe_text(&best.run.name)), Meaning::Text));
    }
    if let Some(best) = &known.best {
        let mut said = if best.mcc.is_some() {
            format!("accuracy {}, loss {}", text::percent(best.accuracy), text::three_digits(best.eval_loss))
        } else {
            format!("loss {}, perplexity {}", text::three_digits(best.eval_loss), text::three_digits(best.perplexity()))
        };
        said.push_str(&format!(" at step {}", best.step));
        lines.push(("best", said, Meaning::Text));
    }
    if let Some(loss) = known.loss {
        lines.push(("loss", text::three_digits(loss), Meaning::Text));
    }
    if let Some(model) = &run.model {
        lines.push(("model", text::safe_text(model), Meaning::Text));
    }
    if let Some(method) = &run.method {
        let sparsity = known.sparsity.map(|share| format!(", {} frozen", text::percent(share))).unwrap_or_default();
        lines.push(("method", format!("{method}{sparsity}"), Meaning::Text));
    }
    if run.started.is_some() {
        lines.push(("started", started(run.started, launcher), Meaning::Text));
    }
    lines.push(("folder", launcher.seen(&run.folder), Meaning::Text));
    if !run.tags.is_empty() {
        let tags: Vec<String> = run.tags.iter().map(|tag| format!("#{}", text::safe_text(tag))).collect();
        lines.push(("tags", tags.join(" "), Meaning::Text));
    }
    let note = text::wrap(&text::safe_text(&run.note), area.width.saturating_sub(10));
    for (index, line) in note.into_iter().filter(|line| !line.is_empty()).enumerate() {
        lines.push((if index == 0 { "note" } else { "" }, line, Meaning::Text));
    }
    if let Some(problem) = &run.problem {
        for (index, line) in
            text::wrap(&text::safe_text(problem), area.width.saturating_sub(10)).into_iter().enumerate()
        {
            lines.push((if index == 0 { "problem" } else { "" }, line, Meaning::Error));
        }
    }
    let (upper, rest) = split_top(area, lines.len() as u16);
    for (row, (label, value, meaning)) in Pen::rows(upper).zip(&lines) {
        super::parts::fact(pen, row, label, value, *meaning);
    }
    let curve = split_top(rest, 1).1;
    if curve.height >= 2 && known.spark.last().is_some() {
        let curve = Rect { height: curve.height.min(8), ..curve };
        bars::draw(pen, curve, &known.spark.shape(usize::from(curve.width)), Meaning::Series1);
    }
}

/// A duration in seconds.
pub fn seconds(seconds: f64) -> String {
    text::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
