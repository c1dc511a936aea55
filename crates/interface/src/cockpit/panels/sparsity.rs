//! Trainable scalars by group and layer, with the edit in place.

use ratatui::layout::Rect;

use crate::cockpit::State;
use crate::cockpit::panels::settings::pending_text;
use crate::keys::Panel;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::list::first_row;
use crate::widgets::{Facts, bar, list, nothing};
use spartui_facts::protocol::{Group, Sparsity};

/// Left edge and width of each column; zero width where it does not fit.
struct Columns {
    name: u16,
    trainable: u16,
    density: u16,
    layers: u16,
    kept: u16,
    delta: u16,
}

/// The line of a selectable row (all, then each group) in the table, and the reverse: the heading stands below "all"
/// and cannot be selected.
fn place_of(row: usize, sparsity: &Sparsity) -> usize {
    row + usize::from(row > 0 && sparsity.head > 0)
}

/// Number of rows below the table's heading.
fn rows_of(sparsity: &Sparsity) -> usize {
    1 + usize::from(sparsity.head > 0) + sparsity.groups.len()
}

/// The first visible row of the table, such that the selected one is visible.
fn first_of(selected: usize, sparsity: &Sparsity, room: usize) -> usize {
    first_row(place_of(selected, sparsity), rows_of(sparsity), room)
}

/// The selectable row at this line of the panel, counted with its heading.
#[must_use]
pub fn group_row_at(sparsity: &Sparsity, selected: usize, line: usize, room: usize) -> Option<usize> {
    let at = line.checked_sub(1)? + first_of(selected, sparsity, room.saturating_sub(1));
    (0..=sparsity.groups.len()).find(|row| place_of(*row, sparsity) == at)
}

/// Draws the table; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    let Some(sparsity) = &state.sparsity else {
        nothing(pen, area, "nothing trains yet");
        return Facts::new();
    };
    let columns = Columns::fitting(area.width, sparsity);
    let mut rows = Pen::rows(area);
    let Some(header) = rows.next() else { return Facts::new() };
    columns.write(pen, header, ["group", "trains", "density", "layers", "kept", "Δ rms"], Meaning::Muted);
    let room = usize::from(area.height) - 1;
    let first = first_of(state.group_row, sparsity, room);
    for (place, row) in (first..rows_of(sparsity)).zip(&mut rows) {
        let Some(index) = (0..=sparsity.groups.len()).find(|row| place_of(*row, sparsity) == place) else {
            let cells = ["head", &text::count(sparsity.head), &text::percent(1.0), "", "", ""];
            columns.write(pen, row, cells, Meaning::Text);
            continue;
        };
        let field = match index.checked_sub(1).map(|group| &sparsity.groups[group]) {
            None => {
                let share = share(sparsity.trainable, sparsity.parameters);
                let cells = ["all", &text::count(sparsity.trainable), &text::percent(share), "", "", ""];
                columns.write(pen, row, cells, Meaning::Title);
                "method.sparsity".to_owned()
            }
            Some(group) => {
                write_group(pen, row, &columns, group);
                format!("method.density.{}", group.name)
            }
        };
        if let Some((pending, meaning)) = pending_text(state, &field) {
            let rest = Rect { x: row.x + columns.name + columns.trainable, ..row };
            let rest = Rect { width: row.right().saturating_sub(rest.x), ..rest };
            pen.fill(rest, ' ', Meaning::Text);
            let label = if index == 0 { format!(" sparsity {pending}") } else { format!(" {pending}") };
            pen.put(rest.x, rest.y, rest.width, &label, meaning);
        } else if index == state.group_row && state.focus == Panel::Sparsity {
            pen.restyle(row, Meaning::Selection);
        }
    }
    list::more(pen, area, first, room, rows_of(sparsity));
    for (row, line) in rows.zip(remarks(state, sparsity)) {
        pen.put(row.x, row.y, row.width, &line, Meaning::Muted);
    }
    vec![
        (text::percent(sparsity.sparsity), Meaning::Title),
        (format!("{} of {} train", text::count(sparsity.trainable), text::count(sparsity.parameters)), Meaning::Muted),
    ]
}

fn write_group(pen: &mut Pen, row: Rect, columns: &Columns, group: &Group) {
    let meaning = if group.targeted { Meaning::Text } else { Meaning::Muted };
    if !group.targeted {
        columns.write(pen, row, [&text::safe_text(&group.name), "–", "–", "", "", ""], meaning);
        return;
    }
    let density = share(group.trainable, group.parameters);
    let by_hand = if group.density.is_some() { "*" } else { "" };
    let kept = group.surviving.map_or_else(|| "–".into(), |surviving| format!("{:.0}%", surviving * 100.0));
    let cells = [
        &text::safe_text(&group.name),
        &text::count(group.trainable),
        &format!("{}{by_hand}", text::percent(density)),
        "",
        &kept,
        &text::number(group.delta_rms),
    ];
    columns.write(pen, row, cells, meaning);
    let x = row.x + columns.name + columns.trainable + columns.density + 1;
    let cells = columns.layers.saturating_sub(1);
    pen.put(x, row.y, cells, &layer_bars(&group.by_layer, usize::from(cells)), Meaning::Series1);
    if group.surviving.is_some_and(|surviving| surviving < 0.5) && columns.kept > 0 {
        let x = row.x + columns.name + columns.trainable + columns.density + columns.layers;
        pen.restyle(Rect { x, width: columns.kept, ..row }, Meaning::Warn);
    }
}

/// A bar for each layer, or for several layers each if there are more layers than cells.
fn layer_bars(by_layer: &[u64], cells: usize) -> String {
    let most = by_layer.iter().copied().max().unwrap_or(0);
    let together = by_layer.len().div_ceil(cells.max(1)).max(1);
    bar::uprights(by_layer.chunks(together).map(|layers| share(layers.iter().copied().max().unwrap_or(0), most)))
}

/// The remarks below the table, if they fit.
fn remarks(state: &State, sparsity: &Sparsity) -> Vec<String> {
    let mut remarks = vec![String::new()];
    let retired =
        if sparsity.retired > 0 { format!(", {} retired", text::count(sparsity.retired)) } else { String::new() };
    let head = if sparsity.head > 0 { "the head always trains" } else { "no head" };
    remarks.push(format!("{head}{retired}"));
    if sparsity.groups.iter().any(|group| group.density.is_some()) {
        remarks.push("* density given by hand".into());
    }
    if let Some(ready) = &state.ready {
        let (low, high) = ready.sparsity_bounds;
        remarks.push(if low < high {
            format!("sparsity can go from {} to {}", text::percent(low), text::percent(high))
        } else {
            "the sparsity stays as it is with this method".into()
        });
    }
    remarks.push("kept: deltas that survive the cast to the weights' type".into());
    remarks
}

impl Columns {
    fn fitting(width: u16, sparsity: &Sparsity) -> Self {
        let names = sparsity.groups.iter().map(|group| text::width(&text::safe_text(&group.name))).max().unwrap_or(0);
        let depth = sparsity.groups.iter().map(|group| group.by_layer.len()).max().unwrap_or(0);
        let layers = u16::try_from(depth).unwrap_or(u16::MAX).clamp(6, 80) + 1;
        let (trainable, density) = (7, 9);
        let name = names.clamp(6, width.saturating_sub(trainable + density).clamp(6, 24));
        let mut left = width.saturating_sub(name + trainable + density);
        let mut take = |wanted: u16| {
            let taken = if wanted <= left { wanted } else { 0 };
            left -= taken;
            taken
        };
        let kept = take(5);
        let layers = take(layers).max(take(7));
        let delta = take(9);
        Self { name, trainable, density, layers, kept, delta }
    }

    fn write(&self, pen: &mut Pen, row: Rect, cells: [&str; 6], meaning: Meaning) {
        let widths = [self.name, self.trainable, self.density, self.layers, self.kept, self.delta];
        let mut x = row.x;
        for (index, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
            let place = Rect { x, width: width.min(row.right().saturating_sub(x)), ..row };
            match index {
                _ if width == 0 => {}
                0 => {
                    pen.put(x, row.y, place.width, cell, meaning);
                }
                3 => {
                    pen.put(x + 1, row.y, place.width.saturating_sub(1), cell, meaning);
                }
                _ => {
                    pen.put_right(place, cell, meaning);
                }
            }
            x += width;
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
