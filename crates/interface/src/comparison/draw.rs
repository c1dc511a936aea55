//! Draws the comparison.

use ratatui::layout::Rect;

use super::layout::{arrange, setting_rows};
use super::{ComparisonScreen, Focus};
use crate::frame::Screen;
use crate::keys::{Action, Context};
use crate::layout::{SMALLEST, centred, split_top};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::footer::{self, Hint};
use crate::widgets::list::{first_row_centred, inside};
use crate::widgets::{list, nothing};
use spartui_compare::{Column, Comparison, Metric, Row};
use spartui_run::State;

/// Cells between columns.
const GAP: u16 = 2;

/// Draws the whole screen.
pub fn whole(pen: &mut Pen, screen: &ComparisonScreen) {
    let area = pen.buffer.area;
    let Some(layout) = arrange(screen).filter(|layout| layout.footer.bottom() <= area.height) else {
        let line = format!("too small: {} x {} needed", SMALLEST.0, SMALLEST.1);
        let row = centred(area, text::width(&line), 1);
        pen.put(row.x, row.y, row.width, &line, Meaning::Warn);
        return;
    };
    header(pen, layout.header, screen);
    settings(pen, layout.settings, screen);
    runs(pen, layout.runs, screen);
    facts(pen, layout.facts, screen);
    if let Some(notice) = &screen.env.notice {
        pen.put(
            layout.strip.x + 1,
            layout.strip.y,
            layout.strip.width.saturating_sub(2),
            &notice.text,
            notice.severity.meaning(),
        );
    }
    footer::draw(pen, &hints(screen));
    if screen.writing {
        formats(pen, area, screen);
    }
}

/// The key hints.
pub fn hints(screen: &ComparisonScreen) -> Vec<Hint> {
    let Some(layout) = arrange(screen) else { return Vec::new() };
    footer::hints(layout.footer, &screen.env.look.keys, &screen.contexts(), |_, word| Some(word))
}

fn header(pen: &mut Pen, row: Rect, screen: &ComparisonScreen) {
    let marked = screen.listed().iter().filter(|run| run.marked).count();
    let mut facts = vec![format!("{marked} of {} runs", screen.listed().len())];
    if let Some(comparison) = screen.comparison() {
        let count = comparison.settings.len();
        facts.push(format!("{count} {}", if count == 1 { "setting" } else { "settings" }));
        if let Some((column, down)) = screen.sort {
            let title = column.heading(comparison).title;
            facts.push(format!("by {title}, {}", if down { "largest first" } else { "smallest first" }));
        }
    }
    if screen.waits {
        facts.push("working it out …".into());
    }
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    let x = pen.pieces(
        row,
        [("spartui", Meaning::Focus), ("  ", Meaning::Text), ("comparison", Meaning::Title), ("  ", Meaning::Text)],
    );
    pen.put(x, row.y, row.right().saturating_sub(x), &facts.join(" · "), Meaning::Muted);
}

/// The inside of a titled box, highlighted if focused.
fn boxed(pen: &mut Pen, area: Rect, title: &str, focused: bool) -> Rect {
    pen.frame(area, if focused { Meaning::Focus } else { Meaning::Border });
    let meaning = if focused { Meaning::Focus } else { Meaning::Title };
    pen.put(area.x + 1, area.y, area.width.saturating_sub(2), &format!(" {title} "), meaning);
    inside(area)
}

/// Priority of a column; the lowest is dropped first when there is no room.
fn worth(column: Column) -> u8 {
    match column {
        Column::Setting => 12,
        Column::Best => 11,
        Column::Difference => 10,
        Column::P => 9,
        Column::Trainable => 8,
        Column::Last => 7,
        Column::Runs => 6,
        Column::Memory => 5,
        Column::Step => 4,
        Column::Sparsity => 3,
        Column::Size => 2,
        Column::Steps => 1,
    }
}

/// The columns that fit, each with its width and its cells, heading first.
fn columns(comparison: &Comparison, rows: &[(usize, &Row)], width: u16) -> Vec<(Column, u16, Vec<String>)> {
    let cells = |column: Column| {
        let head = column.heading(comparison).title;
        let cells = rows.iter().map(|(at, row)| {
            let cell = text::safe_text(&column.cell(comparison, row));
            match column {
                Column::Setting if *at == comparison.against => format!("▸ {cell}"),
                Column::Setting => format!("  {cell}"),
                _ => cell,
            }
        });
        std::iter::once(head).chain(cells).collect::<Vec<String>>()
    };
    let mut kept: Vec<(Column, u16, Vec<String>)> = Column::ALL
        .into_iter()
        .map(|column| {
            let cells = cells(column);
            let needed = cells.iter().map(|cell| text::width(cell)).max().unwrap_or(0);
            (column, needed, cells)
        })
        .collect();
    // A column without any value is dropped.
    kept.retain(|(_, _, cells)| cells.iter().skip(1).any(|cell| cell != "-") || cells.len() == 1);
    // The name gets at least a third of the table, if it needs that much.
    let least_name = (width / 3).clamp(20, 44);
    let needed = |kept: &[(Column, u16, Vec<String>)]| {
        let name = |column: &Column, width: u16| if *column == Column::Setting { width.min(least_name) } else { width };
        kept.iter().map(|(column, width, _)| name(column, *width) + GAP).sum::<u16>().saturating_sub(GAP)
    };
    while needed(&kept) > width && kept.len() > 1 {
        let least = kept.iter().enumerate().min_by_key(|(_, (column, ..))| worth(*column)).map_or(0, |(at, _)| at);
        kept.remove(least);
    }
    // The name gets the rest of the width.
    let others: u16 =
        kept.iter().filter(|(column, ..)| *column != Column::Setting).map(|(_, width, _)| width + GAP).sum();
    for (column, own, _) in &mut kept {
        if *column == Column::Setting {
            *own = (*own).min(width.saturating_sub(others));
        }
    }
    kept
}

fn settings(pen: &mut Pen, area: Rect, screen: &ComparisonScreen) {
    let inner = boxed(pen, area, "settings", screen.focus == Focus::Settings);
    let say = |pen: &mut Pen, why: &str| {
        let lines = text::wrap(&text::safe_text(why), inner.width.saturating_sub(2));
        for (row, line) in Pen::rows(inner).skip(1).zip(lines) {
            nothing(pen, row, &line);
        }
    };
    let comparison = match (&screen.found, &screen.runs) {
        (Some(Ok(comparison)), _) => comparison,
        (Some(Err(why)), _) | (None, Some(Err(why))) => return say(pen, why),
        (None, None) => return say(pen, "looking for runs"),
        (None, Some(Ok(_))) if screen.waits => return say(pen, "reading …"),
        (None, Some(Ok(_))) => {
            let key = |action| screen.env.look.keys.label(Context::Compare, action).unwrap_or_default();
            let (panel, mark) = (key(Action::Focus(1)), key(Action::CompareToggle));
            return say(pen, &format!("no run is marked: {panel} to the list, {mark} marks one"));
        }
    };
    let rows = screen.settings();
    let table = columns(comparison, &rows, inner.width.saturating_sub(2));
    let (head, _) = split_top(inner, 1);
    let place = setting_rows(area);
    let first = first_row_centred(screen.row, rows.len(), place.height);
    let mut x = inner.x + 1;
    for (column, width, cells) in &table {
        let right = column.heading(comparison).right;
        let sorted = screen.sort.is_some_and(|(by, _)| by == *column);
        put(
            pen,
            Rect { x, width: *width, ..head },
            &cells[0],
            if sorted { Meaning::Focus } else { Meaning::Muted },
            right,
        );
        for (row, cell) in Pen::rows(place).zip(cells.iter().skip(1 + first)) {
            put(pen, Rect { x, width: *width, ..row }, cell, Meaning::Text, right);
        }
        x += width + GAP;
    }
    list::more(pen, place, first, usize::from(place.height), rows.len());
    let selected = screen.row.checked_sub(first).and_then(|at| Pen::rows(place).nth(at));
    if let Some(row) = selected.filter(|_| screen.focus == Focus::Settings) {
        pen.restyle(row, Meaning::Selection);
    }
}

fn put(pen: &mut Pen, cell: Rect, text: &str, meaning: Meaning, right: bool) {
    if right {
        pen.put_right(cell, &text::truncate(text, cell.width), meaning);
    } else {
        pen.put(cell.x, cell.y, cell.width, text, meaning);
    }
}

fn runs(pen: &mut Pen, area: Rect, screen: &ComparisonScreen) {
    let inner = boxed(pen, area, "runs", screen.focus == Focus::Runs);
    let listed = screen.listed();
    let first = first_row_centred(screen.run_row, listed.len(), inner.height);
    list::more(pen, inner, first, usize::from(inner.height), listed.len());
    for (index, (row, run)) in Pen::rows(inner).zip(listed.iter().skip(first)).enumerate() {
        let mark = if run.marked { "● " } else { "○ " };
        let x = pen.put(row.x, row.y, 2, mark, if run.marked { Meaning::Focus } else { Meaning::Muted });
        let word = match run.state {
            Some(State::Completed | State::Stopped | State::StoppedEarly) => String::new(),
            Some(state) => state.to_string(),
            None => "damaged".into(),
        };
        let room = row.right().saturating_sub(x + text::width(&word) + u16::from(!word.is_empty()));
        let meaning = if run.marked { Meaning::Text } else { Meaning::Muted };
        pen.put(x, row.y, room, &text::safe_text(&run.name), meaning);
        if !word.is_empty() {
            pen.put_right(row, &word, Meaning::Warn);
        }
        if first + index == screen.run_row && screen.focus == Focus::Runs {
            pen.restyle(row, Meaning::Selection);
        }
    }
}

/// Details of the selected setting.
fn facts(pen: &mut Pen, area: Rect, screen: &ComparisonScreen) {
    let inner = boxed(pen, area, "the selected setting", false);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let (Some(comparison), Some(row)) = (screen.comparison(), screen.selected()) else { return };
    let mut lines: Vec<(String, Meaning)> = Vec::new();
    let mut add = |said: String, meaning| {
        lines.extend(text::wrap(&text::safe_text(&said), inner.width).into_iter().map(|line| (line, meaning)));
    };
    add(row.setting.clone(), Meaning::Title);
    tested(comparison, row, &mut add);
    let cell = |column: Column| (column.heading(comparison).title, column.cell(comparison, row));
    let known = [
        Column::Best,
        Column::Last,
        Column::Trainable,
        Column::Sparsity,
        Column::Memory,
        Column::Step,
        Column::Size,
        Column::Steps,
    ];
    let said: Vec<String> = known
        .into_iter()
        .map(cell)
        .filter(|(_, cell)| cell != "-")
        .map(|(title, cell)| format!("{title} {cell}"))
        .collect();
    add(said.join(" · "), Meaning::Text);
    add(format!("runs: {}", row.runs.join(", ")), Meaning::Muted);
    for note in &comparison.notes {
        add(note.clone(), Meaning::Warn);
    }
    if row.test.is_some() {
        add(
            "± over seeds; the interval over rows, by 10 000 paired resamples; no correction for several tests".into(),
            Meaning::Muted,
        );
    }
    for (line, (said, meaning)) in Pen::rows(inner).zip(&lines) {
        pen.put(line.x, line.y, line.width, said, *meaning);
    }
}

/// The test results of a setting.
fn tested(comparison: &Comparison, row: &Row, add: &mut impl FnMut(String, Meaning)) {
    let against = comparison.settings.get(comparison.against).map_or("", |row| row.setting.as_str());
    let Some(test) = &row.test else {
        match &row.untested {
            Some(why) => add(format!("no test: {why}"), Meaning::Warn),
            None => add("all others are tested against it".into(), Meaning::Muted),
        }
        return;
    };
    let unit = if comparison.metric == Metric::Accuracy { " percentage points" } else { " nats" };
    let interval = Column::Difference.cell(comparison, row);
    let of = Column::Difference.heading(comparison).title;
    add(format!("{of}: {interval}{unit} against {against}"), Meaning::Text);
    let pairs = test.pairs.len();
    let paired = match (pairs, test.same_seeds) {
        (1, true) => "one pair of runs of equal seeds".to_owned(),
        (1, false) => "one pair of runs, of other seeds".to_owned(),
        (_, true) => format!("{pairs} pairs of runs of equal seeds, pooled"),
        (_, false) => format!("{pairs} pairs of runs in the order of their seeds, pooled"),
    };
    let p = test.mcnemar.map_or_else(String::new, |mcnemar| {
        let name = match mcnemar.test {
            spartui_compare::Test::ExactBinomial => "exact",
            spartui_compare::Test::ChiSquareCorrected => "chi-square, corrected",
        };
        let cell = Column::P.cell(comparison, row);
        let (first, second) = (mcnemar.only_first, mcnemar.only_second);
        format!("McNemar p {cell} ({name}): right only there {first}, only here {second}; ")
    });
    add(format!("{p}{} rows, {paired}", test.rows), Meaning::Text);
}

/// Asks for the file format.
fn formats(pen: &mut Pen, screen: Rect, of: &ComparisonScreen) {
    let place = centred(screen, 60, 8);
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " write this comparison ", Meaning::Focus);
    for (row, bound) in Pen::rows(inner).zip(of.env.look.keys.lines(Context::CompareWrite)) {
        pen.put(row.x + 1, row.y, 8, &bound.short_label(), Meaning::Key);
        pen.put(row.x + 9, row.y, row.width.saturating_sub(10), bound.line.help, Meaning::Text);
    }
}
