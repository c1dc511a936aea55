//! The form of a new run.

use ratatui::layout::Rect;

use super::plan;
use crate::keys::{Action, Context};
use crate::launcher::form::{Line, Slot, Values};
use crate::launcher::place::Places;
use crate::launcher::{Launcher, value};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::typed::Typed;
use crate::widgets::list;
use crate::widgets::list::first_row_centred;
use spartui_facts::recipe::{FIELDS, Field, Kind, Recipe, Value};

/// Draws the form, the plan of the run, and the help for the selected line.
pub fn draw(pen: &mut Pen, places: &Places, launcher: &Launcher) {
    let form = &launcher.form;
    let header = Rect { x: places.header.x + 1, width: places.header.width.saturating_sub(2), ..places.header };
    let from = form.base.as_ref().map(|base| format!("from {}", text::safe_text(&base.name))).unwrap_or_default();
    pen.pieces(header, [("spartui", Meaning::Focus), ("  new run  ", Meaning::Title), (&from, Meaning::Muted)]);
    let found = match &form.find {
        Some(find) => {
            let (before, after) = find.halves();
            let cursor = if find.fresh { "│" } else { "" };
            format!("find: {}{cursor}{}", text::safe_text(before), text::safe_text(after))
        }
        None => String::new(),
    };
    let inner = super::parts::titled(pen, places.list, Meaning::Focus, "recipe", (&found, Meaning::Pending));
    lines(pen, inner, launcher);
    plan::draw(pen, places.side, launcher);
    help(pen, places.help, launcher);
    let row = Rect { x: places.command.x + 1, width: places.command.width.saturating_sub(2), ..places.command };
    let command = if form.missing().is_some() { String::new() } else { launcher.command() };
    if !command.is_empty() {
        pen.pieces(row, [("$ ", Meaning::Muted), (&command, Meaning::Text)]);
    }
}

/// The largest width of a label.
const LABEL: u16 = 25;

fn lines(pen: &mut Pen, area: Rect, launcher: &Launcher) {
    let form = &launcher.form;
    let lines = form.lines();
    if lines.is_empty() {
        let row = Rect { x: area.x + 1, ..area };
        pen.put(row.x, row.y, row.width.saturating_sub(1), "no field fits", Meaning::Muted);
        return;
    }
    let values = form.values();
    let first = first_row_centred(form.line(), lines.len(), area.height);
    let mut essential = lines.iter().take(first).filter(|line| matches!(line, Line::Heading(_))).count() <= 1;
    list::more(pen, area, first, usize::from(area.height), lines.len());
    for (row, line) in Pen::rows(area).zip(lines.iter().skip(first)) {
        match line {
            Line::Heading(heading) => {
                essential = matches!(*heading, "essentials" | "run");
                pen.put(row.x, row.y, row.width, heading, Meaning::Title);
                let x = row.x + text::width(heading) + 1;
                pen.fill(Rect { x, width: row.right().saturating_sub(x), ..row }, '┈', Meaning::Border);
            }
            Line::Slot(slot) => line_of(pen, row, *slot, &values, essential, launcher),
        }
    }
}

fn line_of(pen: &mut Pen, row: Rect, slot: Slot, values: &Values, essential: bool, launcher: &Launcher) {
    let form = &launcher.form;
    let selected = form.slot == slot;
    let label = label(slot, essential);
    let width = LABEL.min(row.width * 4 / 7);
    let marker = if selected { "›" } else { " " };
    pen.put(row.x, row.y, 1, marker, Meaning::Focus);
    let meaning = if form.differs(slot, values) { Meaning::Text } else { Meaning::Muted };
    pen.put(row.x + 1, row.y, width.saturating_sub(1), &label, meaning);
    let cell = Rect { x: row.x + width + 1, width: row.width.saturating_sub(width + 1), ..row };
    if let Some(typed) = form.typed.as_ref().filter(|_| selected) {
        let meaning = if form.problem.is_some() { Meaning::Error } else { Meaning::Pending };
        edit_line(pen, cell, typed, meaning);
        return;
    }
    let (text, meaning) = match form.shown(slot, values) {
        Some(text) => (shown(slot, &text, launcher), value_meaning(slot, values, launcher)),
        None => (placeholder(slot, launcher), Meaning::Muted),
    };
    let turns = selected && form.field().is_some_and(|field| value::choices(field).is_some());
    if turns {
        pen.pieces(cell, [("‹ ", Meaning::Key), (&text, meaning), (" ›", Meaning::Key)]);
    } else if is_path(slot) {
        pen.put(cell.x, cell.y, cell.width, &text::truncate_front(&text, cell.width), meaning);
    } else {
        pen.put(cell.x, cell.y, cell.width, &text, meaning);
    }
    if selected {
        pen.restyle(row, Meaning::Selection);
    }
}

/// The text input with its cursor; the end of a long text is visible.
pub fn edit_line(pen: &mut Pen, cell: Rect, typed: &Typed, meaning: Meaning) {
    let (before, after) = typed.halves();
    let before = text::truncate_front(&text::safe_text(before), cell.width.saturating_sub(2));
    let x = pen.put(cell.x, cell.y, cell.width, &before, meaning);
    let after = text::safe_text(after);
    let after = if after.is_empty() { " ".to_owned() } else { after };
    pen.put(x, cell.y, cell.right().saturating_sub(x), &after, meaning);
    pen.restyle(Rect { x, width: 1.min(cell.right().saturating_sub(x)), ..cell }, Meaning::Cursor);
    if typed.fresh {
        // The next character replaces the whole text.
        pen.restyle(Rect { width: x.saturating_sub(cell.x), ..cell }, Meaning::Selection);
    }
}

fn is_path(slot: Slot) -> bool {
    match slot {
        Slot::Name => false,
        Slot::File => true,
        Slot::Field(at) => {
            FIELDS.get(at).is_some_and(|field| matches!(field.kind, Kind::Path | Kind::PathOrName | Kind::PathOrShare))
        }
    }
}

fn label(slot: Slot, essential: bool) -> String {
    match slot {
        Slot::Name => "run name".into(),
        Slot::File => "recipe file".into(),
        Slot::Field(at) => FIELDS.get(at).map_or_else(String::new, |field| match field.name.split_once('.') {
            Some((_, name)) if !essential => name.to_owned(),
            _ => field.name.to_owned(),
        }),
    }
}

/// A displayed value; paths below the working folder are relative to it.
fn shown(slot: Slot, said: &str, launcher: &Launcher) -> String {
    let chosen = match slot {
        Slot::Field(at) => FIELDS.get(at).and_then(|field| launcher.form.chosen(field)),
        _ => None,
    };
    match chosen {
        Some(Value::Float(rate)) => format!("{said}: {}", text::number_short(rate)),
        Some(steps) => format!("{said}: {steps} steps"),
        None if is_path(slot) => launcher.seen(std::path::Path::new(said)),
        None => said.to_owned(),
    }
}

fn value_meaning(slot: Slot, values: &Values, launcher: &Launcher) -> Meaning {
    let form = &launcher.form;
    match slot {
        Slot::Field(at) if FIELDS.get(at).is_some_and(|field| form.suggested.contains(field.name)) => Meaning::Applied,
        slot if form.differs(slot, values) => Meaning::Text,
        _ => Meaning::Muted,
    }
}

/// The placeholder of an empty line.
fn placeholder(slot: Slot, launcher: &Launcher) -> String {
    match slot {
        Slot::Name => launcher.default_name(),
        Slot::File => launcher.seen(&launcher.recipe_file()),
        Slot::Field(at) => match FIELDS.get(at).map(|field| field.name) {
            Some("model.path" | "data.train") => {
                let key = launcher.env.look.keys.label(Context::Form, Action::FormEdit);
                key.map_or_else(|| "choose one".into(), |key| format!("choose one: {key}"))
            }
            Some("task.labels") => "those of the rows".into(),
            _ => "-".into(),
        },
    }
}

/// The selected line's description, choices and default; or why the typed text is invalid.
fn help(pen: &mut Pen, area: Rect, launcher: &Launcher) {
    let form = &launcher.form;
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let mut rows = Pen::rows(area);
    let (help, takes) = match form.slot {
        Slot::Name => {
            ("name of the run and of its folder".to_owned(), "takes letters, digits, dots and hyphens".to_owned())
        }
        Slot::File => (
            "file that the recipe is written to before the run starts".to_owned(),
            "takes a path; by default a new file beside the runs".to_owned(),
        ),
        Slot::Field(at) => FIELDS.get(at).map_or_else(|| (String::new(), String::new()), of_field),
    };
    let name = match form.slot {
        Slot::Name => "run name",
        Slot::File => "recipe file",
        Slot::Field(at) => FIELDS.get(at).map_or("", |field| field.name),
    };
    let live = form.field().is_some_and(|field| field.live);
    let mut said = format!("{name}: {help}");
    if live {
        said.push_str("; can be changed while the run trains");
    }
    if form.field().is_some_and(|field| form.suggested.contains(field.name)) {
        said.push_str("; taken from the file's header");
    }
    let mut lines: Vec<(String, Meaning)> =
        text::wrap(&said, area.width).into_iter().map(|line| (line, Meaning::Text)).collect();
    lines.truncate(usize::from(area.height.saturating_sub(1)));
    match &form.problem {
        Some(why) => {
            let wrapped = text::wrap(&text::safe_text(why), area.width);
            let room = usize::from(area.height).saturating_sub(1).min(wrapped.len());
            lines.truncate(usize::from(area.height).saturating_sub(room));
            lines.extend(wrapped.into_iter().map(|line| (line, Meaning::Error)));
        }
        None => {
            let wrapped = text::wrap(&takes, area.width);
            lines.extend(wrapped.into_iter().map(|line| (line, Meaning::Muted)));
        }
    }
    for (line, meaning) in lines {
        let Some(row) = rows.next() else { return };
        pen.put(row.x, row.y, row.width, &line, meaning);
    }
}

fn of_field(field: &'static Field) -> (String, String) {
    let default = Recipe::default().get(field.name).map(|value| value::shown_of(field, &value)).unwrap_or_default();
    let default = if default.is_empty() { "none".to_owned() } else { default };
    (field.help.to_owned(), format!("takes {}; default {default}", value::takes(field)))
}
