//! The differences of the visible runs: the fields of their recipes, and the changes by hand.

use ratatui::layout::Rect;

use crate::inspector::Inspector;
use crate::keys::{Action, Context};
use crate::layout::centred;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_facts::recipe::FIELDS;

/// The least width of a run's column.
const COLUMN: u16 = 14;
/// Width of the field names.
const NAMES: u16 = 26;

/// A line of the table: its name, and a cell for each run.
struct Line {
    name: String,
    cells: Vec<String>,
    meaning: Meaning,
}

/// The runs with a column: the visible ones, pinned ones first.
fn columns(inspector: &Inspector) -> Vec<usize> {
    let mut runs: Vec<usize> = (0..inspector.runs.len()).filter(|index| inspector.runs[*index].shown).collect();
    runs.sort_by_key(|index| (!inspector.runs[*index].pinned, inspector.runs[*index].order));
    runs
}

/// Number of lines of the table.
#[must_use]
pub fn lines(inspector: &Inspector) -> usize {
    table(inspector, &columns(inspector)).len()
}

fn table(inspector: &Inspector, columns: &[usize]) -> Vec<Line> {
    let abouts: Vec<_> = columns.iter().map(|index| inspector.runs[*index].about.as_ref()).collect();
    let recipes: Vec<_> = abouts.iter().map(|about| about.as_ref()?.recipe.as_ref().ok()).collect();
    let mut lines = Vec::new();
    for field in FIELDS {
        let value = |recipe: Option<&spartui_facts::recipe::Recipe>| match recipe {
            Some(recipe) => recipe.get(field.name).map_or_else(|| "–".into(), |value| text::value(&value)),
            None => "?".into(),
        };
        let cells: Vec<String> = recipes.iter().copied().map(value).collect();
        if cells.windows(2).any(|pair| pair[0] != pair[1]) {
            lines.push(Line { name: field.name.to_owned(), cells, meaning: Meaning::Text });
        }
    }
    if lines.is_empty() {
        let name = if columns.len() < 2 { "two runs are compared" } else { "the recipes are the same" };
        lines.push(Line { name: name.into(), cells: Vec::new(), meaning: Meaning::Muted });
    }
    let empty = || Line { name: String::new(), cells: Vec::new(), meaning: Meaning::Text };
    lines.push(empty());
    let head = Line { name: "manual changes".into(), cells: Vec::new(), meaning: Meaning::Title };
    lines.push(head);
    let journals: Vec<Vec<String>> = abouts
        .iter()
        .map(|about| {
            let Some(about) = about else { return vec!["not read yet".into()] };
            match &about.journal {
                Ok(entries) => {
                    let described = entries.iter().map(|entry| {
                        let described = text::safe_text(&entry.describe());
                        format!("{} {}", entry.step(), described.replace(" -> ", " → "))
                    });
                    described.collect()
                }
                Err(why) => vec![text::safe_text(why)],
            }
        })
        .collect();
    let longest = journals.iter().map(Vec::len).max().unwrap_or(0);
    if longest == 0 {
        lines.push(Line { name: "nothing".into(), cells: Vec::new(), meaning: Meaning::Muted });
    }
    // Run after run: changes of different runs in one line would not correspond.
    for (index, journal) in columns.iter().zip(journals) {
        if !journal.is_empty() {
            let name = inspector.runs[*index].name.clone();
            lines.push(Line { name, cells: Vec::new(), meaning: Meaning::Muted });
        }
        let described = journal.into_iter().map(|described| format!("  {described}"));
        lines.extend(described.map(|name| Line { name, cells: Vec::new(), meaning: Meaning::Text }));
    }
    lines
}

/// Draws it over the screen.
pub fn draw(pen: &mut Pen, screen: Rect, inspector: &Inspector) {
    let place = centred(screen, screen.width.saturating_sub(4), screen.height.saturating_sub(2));
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " how the runs in sight differ ", Meaning::Focus);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let all = columns(inspector);
    let names = NAMES.min(inner.width / 3);
    let fitting = usize::from((inner.width - names) / COLUMN).max(1).min(all.len());
    let shown = &all[..fitting];
    let width = (inner.width - names) / u16::try_from(fitting.max(1)).unwrap_or(1);
    let column = |index: usize| Rect {
        x: inner.x + names + index as u16 * width,
        width: width.saturating_sub(1),
        height: 1,
        ..inner
    };
    for (at, index) in shown.iter().enumerate() {
        let place = column(at);
        pen.put(place.x, place.y, place.width, &inspector.runs[*index].name, Meaning::Title);
    }
    let table = table(inspector, shown);
    let room = usize::from(inner.height.saturating_sub(1));
    let first = inspector.scroll.min(table.len().saturating_sub(room));
    for (row, line) in Pen::rows(inner).skip(1).zip(&table[first..]) {
        let room = if line.cells.is_empty() { row.width } else { names.saturating_sub(1) };
        let meaning = if line.cells.is_empty() { line.meaning } else { Meaning::Muted };
        pen.put(row.x, row.y, room, &line.name, meaning);
        for (at, cell) in line.cells.iter().enumerate() {
            let place = column(at);
            pen.put(place.x, row.y, place.width, cell, line.meaning);
        }
    }
    let mut notes = Vec::new();
    if fitting < all.len() {
        notes.push(format!("{} more runs have no room", all.len() - fitting));
    }
    let below = table.len().saturating_sub(first + room);
    if below > 0 {
        notes.push(format!("↓ {below} more"));
    }
    let hint = inspector.env.look.keys.hints(Context::CurvesTable, &[(Action::Leave, "closes")]);
    let said = if notes.is_empty() { hint } else { format!(" {} ·{hint}", notes.join(", ")) };
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &said, Meaning::Muted);
}
