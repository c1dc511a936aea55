//! Groups by layers: density, size of the update, and the share of it that the cast keeps.

use ratatui::layout::Rect;

use crate::cockpit::{Measure, State};
use crate::keys::Panel;
use crate::layout::split_bottom;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::list::first_row;
use crate::widgets::{Facts, list, nothing};
use spartui_facts::protocol::{Group, Layer};

/// Shades from low to high.
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];
/// Lines below the map: the legend, and the values at the cursor.
const BELOW: u16 = 2;

/// The range of values that the shades cover.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

/// Draws the map; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    let map = &state.map;
    let groups = state.sparsity.iter().flat_map(|sparsity| &sparsity.groups);
    let groups: Vec<&Group> = groups.filter(|group| group.is_in_layers()).collect();
    let depth = groups.iter().map(|group| group.layers.len()).max().unwrap_or(0);
    if depth == 0 {
        nothing(pen, area, "no data by layer");
        return Facts::new();
    }
    let facts = vec![(map.measure.name().to_owned(), Meaning::Title)];
    let (upper, below) = split_bottom(area, if area.height > BELOW + 2 { BELOW } else { 0 });
    let longest = groups.iter().map(|group| text::width(&text::safe_text(&group.name))).max().unwrap_or(0);
    let names = longest.min(area.width / 3).max(3) + 1;
    let room = usize::from(area.width.saturating_sub(names));
    if room == 0 {
        return facts;
    }
    // Layers that share a cell, and cells per layer.
    let together = depth.div_ceil(room);
    let columns = depth.div_ceil(together);
    let cells = (room / columns).clamp(1, 4) as u16;
    let scale = Scale::of(map.measure, &groups);
    let mut rows = Pen::rows(upper);
    if let Some(row) = rows.next() {
        head(pen, Rect { x: row.x + names, width: row.width - names, ..row }, columns, cells, together);
    }
    let room = usize::from(upper.height.saturating_sub(1));
    let first = first_row(map.group.min(groups.len() - 1), groups.len(), room);
    for (row, (index, group)) in rows.zip(groups.iter().enumerate().skip(first)) {
        let meaning = if group.targeted { Meaning::Text } else { Meaning::Muted };
        pen.put(row.x, row.y, names - 1, &text::safe_text(&group.name), meaning);
        for (column, layers) in group.layers.chunks(together).enumerate() {
            let x = row.x + names + column as u16 * cells;
            let place = Rect { x, width: cells.min(row.right().saturating_sub(x)), ..row };
            cell(pen, place, map.measure, layers, &scale);
            let here = index == map.group && map.layer / together == column;
            if here && state.focus == Panel::Map {
                pen.restyle(place, Meaning::Cursor);
            }
        }
    }
    if below.height == 0 {
        list::more(pen, area, first, room, groups.len());
    }
    let mut rows = Pen::rows(below);
    if let Some(row) = rows.next() {
        legend(pen, row, map.measure, &scale);
    }
    if let Some(row) = rows.next() {
        pen.put(row.x, row.y, row.width, &under_cursor(state, &groups), Meaning::Text);
    }
    facts
}

/// Layer numbers, as many as fit.
fn head(pen: &mut Pen, row: Rect, columns: usize, cells: u16, together: usize) {
    pen.put(row.x, row.y, row.width, "0", Meaning::Axis);
    let mut free = row.x + 3;
    for column in 1..columns {
        let layer = column * together;
        let label = layer.to_string();
        let x = row.x + column as u16 * cells;
        let is_round = layer.is_multiple_of(4) || columns <= 12 || column + 1 == columns;
        if is_round && x >= free && x + text::width(&label) <= row.right() {
            free = pen.put(x, row.y, row.right() - x, &label, Meaning::Axis) + 1;
        }
    }
}

fn cell(pen: &mut Pen, place: Rect, measure: Measure, layers: &[Layer], scale: &Scale) {
    let values = layers.iter().filter_map(|layer| measure.of(layer));
    // Of layers that share a cell, the most significant value: for the surviving share the lowest.
    let value = if measure == Measure::Surviving { values.reduce(f64::min) } else { values.reduce(f64::max) };
    match value.and_then(|value| scale.shade(value)) {
        Some(shade) => {
            let bad = measure == Measure::Surviving && value.is_some_and(|value| value < 0.5);
            pen.fill(place, SHADES[shade], if bad { Meaning::Warn } else { Meaning::Series1 });
        }
        None => pen.fill(Rect { width: 1, ..place }, '·', Meaning::Border),
    }
}

fn legend(pen: &mut Pen, row: Rect, measure: Measure, scale: &Scale) {
    let show = |value: f64| match measure {
        Measure::Update => text::three_digits(value),
        Measure::Density | Measure::Surviving => text::percent(value),
    };
    let shades: String = SHADES.iter().collect();
    let ends =
        if scale.high > 0.0 { format!(" {} to {}", show(scale.low), show(scale.high)) } else { " nothing yet".into() };
    let log = if scale.log { ", logarithmic" } else { "" };
    pen.pieces(row, [(shades.as_str(), Meaning::Series1), (&ends, Meaning::Muted), (log, Meaning::Muted)]);
}

/// The values of the cell at the cursor.
fn under_cursor(state: &State, groups: &[&Group]) -> String {
    let map = &state.map;
    let Some(group) = groups.get(map.group) else { return String::new() };
    let Some(layer) = group.layers.get(map.layer) else { return String::new() };
    let mut facts = vec![format!("{} {}", text::safe_text(&group.name), map.layer)];
    facts.push(format!("density {}", Measure::Density.of(layer).map_or_else(|| "–".into(), text::percent)));
    facts.push(format!("Δ rms {}", text::three_digits(layer.delta_rms)));
    if let Some(kept) = Measure::Surviving.of(layer) {
        facts.push(format!("kept {}", text::percent(kept)));
    }
    facts.join(" · ")
}

impl Scale {
    fn of(measure: Measure, groups: &[&Group]) -> Self {
        let values = groups.iter().flat_map(|group| &group.layers).filter_map(|layer| measure.of(layer));
        let positive: Vec<f64> = values.filter(|value| *value > 0.0).collect();
        let high = positive.iter().copied().fold(0.0, f64::max);
        let low = positive.iter().copied().fold(f64::INFINITY, f64::min);
        match measure {
            Measure::Surviving => Self { low: 0.0, high: 1.0, log: false },
            // Over several orders of magnitude a linear scale would be all dark or all bright.
            _ if low.is_finite() && high / low > 20.0 => Self { low, high, log: true },
            _ => Self { low: 0.0, high, log: false },
        }
    }

    /// Index of the shade; none for no value.
    fn shade(&self, value: f64) -> Option<usize> {
        if value <= 0.0 || self.high <= 0.0 {
            return None;
        }
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        Some(((share.clamp(0.0, 1.0) * SHADES.len() as f64) as usize).min(SHADES.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_go_from_little_to_much() {
        let scale = Scale { low: 0.0, high: 1.0, log: false };
        assert_eq!(
            [0.0, 0.1, 0.3, 0.6, 1.0].map(|value| scale.shade(value)),
            [None, Some(0), Some(1), Some(2), Some(3)]
        );
        let scale = Scale { low: 1e-6, high: 1e-2, log: true };
        assert_eq!([1e-6, 1e-4, 1e-2].map(|value| scale.shade(value)), [Some(0), Some(2), Some(3)]);
        assert_eq!(Scale { low: 0.0, high: 0.0, log: false }.shade(1.0), None);
    }
}
