//! The live fields, with pending values.

use ratatui::layout::Rect;

use crate::cockpit::State;
use crate::cockpit::pending::value::value_of;
use crate::keys::Panel;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::list::first_row;
use crate::widgets::{Facts, list};
use spartui_facts::recipe::{AUTO, Value};

/// Draws the list; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    let fields: Vec<&str> = state.shown_fields().map(|field| field.name).collect();
    let longest = fields.iter().map(|name| text::width(name)).max().unwrap_or(0);
    let whole_names = area.width >= longest + 16;
    let shown = |name: &'static str| if whole_names { name } else { short(name) };
    let name_width = state.shown_fields().map(|field| text::width(shown(field.name))).max().unwrap_or(0) + 1;
    let help = state.shown_fields().nth(state.setting_row).map(|field| field.help);
    let help_rows = u16::from(usize::from(area.height) > fields.len() + 1) * 3;
    let first = first_row(state.setting_row, fields.len(), usize::from(area.height));
    let mut rows = Pen::rows(area);
    for (index, row) in (&mut rows).take(fields.len()).enumerate() {
        let Some(field) = state.shown_fields().nth(first + index) else { break };
        pen.put(row.x, row.y, name_width, shown(field.name), Meaning::Muted);
        let x = row.x + name_width;
        let room = row.right().saturating_sub(x);
        let value = value_of(state, field.name).map_or_else(|| "–".into(), |value| resolved(state, field.name, &value));
        let requested = pending_text(state, field.name);
        let x = if requested.is_none() || room > 24 { pen.put(x, row.y, room, &value, Meaning::Text) } else { x };
        if let Some((pending, meaning)) = requested {
            pen.put(x, row.y, row.right().saturating_sub(x), &format!(" {pending}"), meaning);
        } else if first + index == state.setting_row && state.focus == Panel::Settings {
            pen.restyle(row, Meaning::Selection);
        }
    }
    list::more(pen, area, first, usize::from(area.height), fields.len());
    if let (Some(help), true) = (help, help_rows > 0 && state.focus == Panel::Settings) {
        for (row, line) in rows.skip(1).zip(text::wrap(help, area.width)) {
            pen.put(row.x, row.y, row.width, &line, Meaning::Muted);
        }
    }
    Facts::new()
}

/// A field's name without its table, where that tells it.
fn short(name: &'static str) -> &'static str {
    match name.rsplit('.').next() {
        Some("kind") | None => name,
        Some(last) => last,
    }
}

/// A value, and the effective value if it follows another field.
fn resolved(state: &State, field: &str, value: &Value) -> String {
    let shown = text::value(value);
    let followed = match (field, value.as_str()) {
        ("optimizer.head_learning_rate", Some(AUTO)) => value_of(state, "optimizer.learning_rate"),
        _ => None,
    };
    followed.map_or(shown.clone(), |followed| format!("{shown}: {}", text::value(&followed)))
}

/// The pending value of a field: being edited, requested or queued.
pub fn pending_text(state: &State, field: &str) -> Option<(String, Meaning)> {
    if let Some(edit) = state.edit.as_ref().filter(|edit| edit.field == field) {
        let shown = match (&edit.typed, &edit.value) {
            (Some(typed), _) => {
                let (before, after) = typed.halves();
                format!("→ {}▏{}", text::safe_text(before), text::safe_text(after))
            }
            (None, Ok(value)) => format!("→ {}", text::value(value)),
            (None, Err(_)) => "→ ?".into(),
        };
        return Some((shown, if edit.value.is_ok() { Meaning::Pending } else { Meaning::Error }));
    }
    let value = state.requested(field)?;
    Some((format!("→ {} …", text::value(value)), Meaning::Pending))
}
