//! A box over the screen: branches and kept states.

use ratatui::layout::Rect;

use crate::interface::keys::{Action, Context};
use crate::interface::layout::centred;
use crate::interface::pen::Pen;
use crate::interface::state::State;
use crate::interface::text;
use crate::interface::theme::Meaning;
use crate::interface::timeline::{Row, rows};
use crate::protocol::{Branch, KeptState, Place};

/// Where each column begins.
const COLUMNS: [u16; 4] = [0, 14, 32, 50];

/// A line of the box, and the row that it stands for.
struct Line {
    cells: [String; 4],
    meaning: Meaning,
    row: Option<usize>,
}

/// Draws the list.
pub fn draw(pen: &mut Pen, screen: Rect, state: &State) {
    let lines = lines(state);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let place = centred(screen, screen.width.saturating_sub(4).min(84), height.min(screen.height.saturating_sub(4)));
    let inner = pen.frame(place, Meaning::Focus);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let title = " branches and kept states ";
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), title, Meaning::Focus);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    let hints = [
        (Action::TimelineGo, "goes there"),
        (Action::TimelinePin, "pins"),
        (Action::Snapshot, "keeps now"),
        (Action::Leave, "closes"),
    ];
    pen.put_right(bottom, &state.look.keys.hints(Context::Timeline, &hints), Meaning::Muted);
    let selected = lines.iter().position(|line| line.row == Some(state.timeline_row)).unwrap_or(0);
    let first = (selected + 2).saturating_sub(usize::from(inner.height)).min(lines.len());
    for (row, line) in Pen::rows(inner).zip(&lines[first..]) {
        for (cell, x) in line.cells.iter().zip(COLUMNS) {
            pen.put(row.x + x, row.y, row.width.saturating_sub(x), cell, line.meaning);
        }
        if line.row == Some(state.timeline_row) {
            pen.restyle(row, Meaning::Selection);
        }
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
            lines.push(head(["kept state", "branch", "size", "where"]));
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
    let best = branch.best.as_ref().map_or_else(String::new, |best| match best.mcc {
        Some(_) => format!("{} at {}", text::percent(best.accuracy), best.step),
        None => format!("ppl {} at {}", text::number(best.perplexity()), best.step),
    });
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
    let depth = depth(state, branch);
    let name = if depth == 0 { branch.id.to_string() } else { format!("{}└ {}", "  ".repeat(depth - 1), branch.id) };
    let tip = if branch.current { state.step() } else { branch.tip };
    [name, format!("{} to {tip}", branch.from + 1), best, remarks.join(" · ")]
}

/// How many branches there are before this one, as many as there is room for.
fn depth(state: &State, branch: &Branch) -> usize {
    let listed = &state.history.tree.listed;
    let mut parent = branch.parent;
    let mut depth = 0;
    while let Some(found) = parent.and_then(|id| listed.iter().find(|branch| branch.id == id)).filter(|_| depth < 4) {
        depth += 1;
        parent = found.parent;
    }
    depth
}

fn state_cells(kept: &KeptState) -> [String; 4] {
    let place = match kept.place {
        Place::Memory => "memory",
        Place::Disk => "disk",
        Place::Both => "memory, disk",
    };
    let place = if kept.pinned { format!("{place} · pinned") } else { place.into() };
    [format!("step {}", kept.step), kept.branch.to_string(), text::bytes(kept.bytes), place]
}
