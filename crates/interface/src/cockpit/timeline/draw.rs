//! A dialog with branches and kept states.

use ratatui::layout::{Margin, Rect};

use crate::cockpit::State;
use crate::cockpit::timeline::{Compared, Row, compare, rows, tree_rows};
use crate::keys::{Action, Context};
use crate::layout::{centred, split_bottom};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::list::more;
use spartui_facts::protocol::{Branch, Evaluation, KeptState, Place};

/// Left edge of each column.
const COLUMNS: [u16; 4] = [0, 14, 32, 50];

/// The most cells of the tree lines before a branch's number.
const DEEPEST: usize = 10;

/// A line of the dialog, and the row that it shows.
struct Line {
    cells: [String; 4],
    meaning: Meaning,
    row: Option<usize>,
}

/// The areas of the dialog.
struct Places {
    frame: Rect,
    list: Rect,
    below: Rect,
    /// The first visible line.
    first: usize,
}

impl Places {
    fn of(screen: Rect, state: &State, lines: &[Line], difference: &[Compared]) -> Self {
        let most = screen.height.saturating_sub(4);
        // The list keeps a few rows at least, however many settings differ.
        let below = u16::try_from(difference.len()).unwrap_or(u16::MAX).min(most.saturating_sub(8));
        let below = if below > 0 { below + 1 } else { 0 };
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2 + below);
        let frame = centred(screen, screen.width.saturating_sub(4).min(84), height.min(most)).intersection(screen);
        let inner = frame.inner(Margin::new(2, 1));
        let (list, below) = split_bottom(inner, below.min(inner.height));
        let selected = lines.iter().position(|line| line.row == Some(state.timeline_row)).unwrap_or(0);
        let first = (selected + 2).saturating_sub(usize::from(list.height)).min(lines.len());
        Self { frame, list, below, first }
    }
}

/// The row at a cell of the screen.
#[must_use]
pub fn row_at(state: &State, (x, y): (u16, u16)) -> Option<usize> {
    let screen = Rect::new(0, 0, state.env.size.0, state.env.size.1);
    let lines = lines(state);
    let places = Places::of(screen, state, &lines, &difference(state));
    let line = places.list.contains((x, y).into()).then(|| usize::from(y - places.list.y) + places.first)?;
    lines.get(line)?.row
}

/// Draws the list, and below it the comparison of the selected row with the marked one.
pub fn draw(pen: &mut Pen, screen: Rect, state: &State) {
    let lines = lines(state);
    let difference = difference(state);
    let Places { frame: place, list, below, first } = Places::of(screen, state, &lines, &difference);
    pen.frame(place, Meaning::Focus);
    let title = " branches and kept states ";
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), title, Meaning::Focus);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    let does = [
        (Action::TimelineGo, "goes there"),
        (Action::TimelinePin, "pins"),
        (Action::Snapshot, "keeps now"),
        (Action::TimelineCompare, "compares"),
        (Action::Leave, "closes"),
    ];
    pen.put_right(bottom, &state.env.look.keys.hints(Context::Timeline, &does), Meaning::Muted);
    let marked = state.compared.and_then(|place| rows(state).iter().position(|row| row.place(state) == place));
    for (row, line) in Pen::rows(list).zip(&lines[first..]) {
        for (cell, x) in line.cells.iter().zip(COLUMNS) {
            pen.put(row.x + x, row.y, row.width.saturating_sub(x), cell, line.meaning);
        }
        if line.row == Some(state.timeline_row) {
            pen.restyle(row, Meaning::Selection);
        }
        if line.row.is_some() && line.row == marked {
            pen.put(row.x.saturating_sub(1), row.y, 1, "◆", Meaning::Series2);
        }
    }
    // The key hints are on the lower edge.
    let upper_edge = Rect { width: place.width.saturating_sub(2), height: 0, ..place };
    more(pen, upper_edge, first, usize::from(list.height), lines.len());
    draw_difference(pen, below, &difference);
}

/// The differences of the marked state and the selected one; empty if none is marked.
fn difference(state: &State) -> Vec<Compared> {
    let selected = rows(state).get(state.timeline_row).map(|row| row.place(state));
    match (state.compared, selected) {
        (Some(marked), Some(selected)) if marked != selected => compare(state, marked, selected),
        _ => Vec::new(),
    }
}

fn draw_difference(pen: &mut Pen, area: Rect, lines: &[Compared]) {
    let mut rows = Pen::rows(area);
    if let Some(row) = rows.next() {
        pen.fill(row, '─', Meaning::Border);
        pen.put(row.x + COLUMNS[1], row.y, 12, " ◆ marked ", Meaning::Series2);
        pen.put(row.x + COLUMNS[2] + 6, row.y, 12, " selected ", Meaning::Title);
    }
    for (row, [name, marked, selected]) in rows.zip(lines) {
        pen.put(row.x, row.y, COLUMNS[1] - 1, name, Meaning::Muted);
        pen.put(row.x + COLUMNS[1] + 1, row.y, COLUMNS[2] + 4 - COLUMNS[1], marked, Meaning::Text);
        let x = COLUMNS[2] + 7;
        pen.put(row.x + x, row.y, row.width.saturating_sub(x), selected, Meaning::Text);
    }
}

fn lines(state: &State) -> Vec<Line> {
    let rows = rows(state);
    let head = |cells: [&str; 4]| Line { cells: cells.map(str::to_owned), meaning: Meaning::Muted, row: None };
    let mut lines = vec![head(["branch", "steps", "best", ""])];
    let mut states = false;
    for (index, row) in rows.iter().enumerate() {
        if let (Row::State(_), false) = (row, states) {
            states = true;
            lines.push(head([""; 4]));
            lines.push(head(["kept state", "branch", "score", "where"]));
        }
        let (cells, meaning) = match row {
            Row::Branch(branch) => (branch_cells(state, branch), branch_meaning(branch)),
            Row::State(kept) => (state_cells(kept), Meaning::Text),
        };
        lines.push(Line { cells, meaning, row: Some(index) });
    }
    if rows.is_empty() {
        lines.push(head(["nothing yet", "", "", ""]));
    }
    lines
}

fn branch_meaning(branch: &Branch) -> Meaning {
    if branch.current { Meaning::Title } else { Meaning::Text }
}

fn branch_cells(state: &State, branch: &Branch) -> [String; 4] {
    let best = branch.best.as_ref().map_or_else(String::new, |best| format!("{} at {}", score(best), best.step));
    let mut remarks = Vec::new();
    if branch.current {
        remarks.push(if state.paused { "paused" } else { "trains" }.to_owned());
    }
    if branch.pinned {
        remarks.push("pinned".into());
    }
    if let Some(parent) = branch.parent {
        remarks.push(format!("from {parent}"));
    }
    let lines = tree_rows(&state.history.tree.listed).into_iter().find(|row| row.branch.id == branch.id);
    let lines = lines.map(|row| row.lines).unwrap_or_default();
    // However deep the branch is, its number has to be visible.
    let hidden = lines.chars().count().saturating_sub(DEEPEST);
    let name = format!("{}{}", lines.chars().skip(hidden).collect::<String>(), branch.id);
    let tip = if branch.current { state.step() } else { branch.tip };
    [name, format!("{} to {tip}", branch.from + 1), best, remarks.join(" · ")]
}

/// The score of an evaluation by the run's selection metric.
fn score(made: &Evaluation) -> String {
    match made.mcc {
        Some(_) => text::percent(made.accuracy),
        None => format!("ppl {}", text::number(made.perplexity())),
    }
}

fn state_cells(kept: &KeptState) -> [String; 4] {
    let place = match kept.place {
        Place::Memory => "memory",
        Place::Disk => "disk",
        Place::Both => "memory, disk",
    };
    let pinned = if kept.pinned { " · pinned" } else { "" };
    let place = format!("{}, {place}{pinned}", text::bytes(kept.bytes));
    let scored = kept.evaluation.as_ref().map_or_else(String::new, score);
    let scored = if kept.best { format!("{scored} · best") } else { scored };
    [format!("step {}", kept.step), kept.branch.to_string(), scored, place]
}
