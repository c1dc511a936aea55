//! The palette: everything that can be done, found by a few letters of its name.

use ratatui::layout::Rect;

use super::{Scope, fuzzy};
use crate::frame::Look;
use crate::keys::{Action, Context};
use crate::layout::centred;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::typed::Typed;
use crate::widgets::list;
use spartui_facts::recipe::FIELDS;

/// The prefix of a line that sets a field.
const SET: &str = "set ";

/// Column widths of names and keys; the descriptions follow.
const NAMES: u16 = 30;
const KEYS: u16 = 10;

/// The palette: its query and the selected line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Palette {
    typed: Typed,
    row: usize,
}

/// A line of the palette.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The name that is matched.
    pub name: String,
    /// Its keys.
    pub keys: String,
    /// Its description.
    pub help: String,
    /// What it does.
    pub choice: Choice,
    /// Whether it is available now.
    pub active: bool,
}

/// What a line does.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// An action of a context.
    Do(Context, Action),
    /// A theme.
    Theme(usize),
    /// A field to set, and the text typed for its value.
    Set(String, Option<String>),
}

impl Palette {
    /// Types a character.
    pub fn insert(&mut self, c: char) {
        self.typed.insert(c);
        self.row = 0;
    }

    /// Edits the query, or moves the selection.
    pub fn edit(&mut self, action: Action, look: &Look, scope: &Scope) {
        match action {
            Action::OverlayRow(by) => {
                let last = self.found(look, scope).len().saturating_sub(1);
                self.row = self.row.saturating_add_signed(by).min(last);
                return;
            }
            Action::Complete => {
                if let Some(entry) = self.found(look, scope).into_iter().nth(self.row) {
                    self.type_whole(&entry.name);
                }
            }
            action if self.typed.act(action) => {}
            _ => return,
        }
        self.row = 0;
    }

    /// Chooses the selected line; none if a value has yet to be typed.
    pub fn choose(&mut self, look: &Look, scope: &Scope) -> Option<Choice> {
        let entry = self.found(look, scope).into_iter().nth(self.row)?;
        if matches!(entry.choice, Choice::Set(_, None)) {
            self.type_whole(&format!("{} ", entry.name));
            return None;
        }
        Some(entry.choice)
    }

    /// Replaces the query.
    fn type_whole(&mut self, text: &str) {
        self.typed = Typed { text: text.to_owned(), cursor: text.chars().count(), fresh: false };
        self.row = 0;
    }

    /// The query for the name, and for a field its value.
    fn query(&self) -> (String, Option<String>) {
        let text = self.typed.text.trim_start();
        if let Some((name, value)) = text.strip_prefix(SET).and_then(|rest| rest.trim_start().split_once(' '))
            && !value.trim().is_empty()
        {
            return (format!("{SET}{name}"), Some(value.trim().to_owned()));
        }
        (text.to_owned(), None)
    }

    /// The lines that match the query, the best first.
    fn found(&self, look: &Look, scope: &Scope) -> Vec<Entry> {
        let (query, value) = self.query();
        let mut found: Vec<(u32, Entry)> = entries(look, scope)
            .into_iter()
            .filter_map(|entry| {
                // A match of the name counts more than one of the description.
                let by_name = fuzzy::score(&query, &entry.name).map(|score| score * 4 + 1);
                let by_help = || fuzzy::score(&query, &format!("{} {}", entry.name, entry.help)).filter(|s| *s >= 200);
                Some((by_name.or_else(by_help)? + u32::from(entry.active), entry))
            })
            .collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let with_value = |mut entry: Entry| {
            if let Choice::Set(_, typed) = &mut entry.choice {
                typed.clone_from(&value);
            }
            entry
        };
        // A field that is named in full is meant, and no other one that looks like it.
        let named = value.as_ref().and_then(|_| named_field(&query));
        let fits = |entry: &Entry| match &entry.choice {
            Choice::Set(field, _) => named.is_none_or(|named| field.as_str() == named),
            _ => value.is_none(),
        };
        found.into_iter().map(|(_, entry)| entry).filter(fits).map(with_value).collect()
    }

    /// Draws the query and the matching lines.
    pub fn draw(&self, pen: &mut Pen, screen: Rect, look: &Look, scope: &Scope) {
        let place = centred(screen, screen.width.saturating_sub(4).min(92), screen.height.saturating_sub(4).min(22));
        let inner = pen.frame(place, Meaning::Focus);
        pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " what to do ", Meaning::Focus);
        let hints = [(Action::Choose, "does it"), (Action::Complete, "completes"), (Action::Leave, "closes")];
        let bottom =
            Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
        pen.put_right(bottom, &look.keys.hints(Context::Palette, &hints), Meaning::Muted);
        let mut rows = Pen::rows(inner).map(|row| Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row });
        let Some(line) = rows.next() else { return };
        let (before, after) = self.typed.halves();
        let typed = format!("{}▏{}", text::safe_text(before), text::safe_text(after));
        pen.pieces(line, [("› ", Meaning::Key), (&typed, Meaning::Text)]);
        let found = self.found(look, scope);
        if found.is_empty() {
            if let Some(row) = rows.nth(1) {
                let (query, value) = self.query();
                let why = match named_field(&query).filter(|_| value.is_some()) {
                    Some(field) => format!("{field} cannot be changed while a run trains"),
                    None => "no match; type fewer letters".into(),
                };
                pen.put(row.x, row.y, row.width, &why, Meaning::Muted);
            }
            return;
        }
        let room = usize::from(inner.height.saturating_sub(2)).max(1);
        let first = (self.row + 1).saturating_sub(room);
        list::more(pen, Rect { width: inner.width / 3, ..inner }, first, room, found.len());
        for (index, (row, entry)) in rows.skip(1).zip(&found[first.min(found.len())..]).enumerate() {
            entry.draw(pen, row);
            if first + index == self.row {
                pen.restyle(row, Meaning::Selection);
            }
        }
    }
}

/// The field that a query names in full.
fn named_field(query: &str) -> Option<&'static str> {
    let name = query.strip_prefix(SET)?;
    FIELDS.iter().map(|field| field.name).find(|known| *known == name)
}

impl Entry {
    fn draw(&self, pen: &mut Pen, row: Rect) {
        let (name, help) = if self.active { (Meaning::Text, Meaning::Muted) } else { (Meaning::Muted, Meaning::Muted) };
        let shown = match &self.choice {
            Choice::Set(_, Some(value)) => format!("{} {}", self.name, text::safe_text(value)),
            _ => self.name.clone(),
        };
        let names = NAMES.max(text::width(&shown) + 1).min(row.width);
        pen.put(row.x, row.y, names.saturating_sub(1), &shown, name);
        let keys = Rect { x: row.x + names, width: row.width - names, ..row };
        pen.put(keys.x, keys.y, KEYS.min(keys.width), &self.keys, Meaning::Key);
        let help_at = Rect { x: keys.x + KEYS.min(keys.width), width: keys.width.saturating_sub(KEYS), ..row };
        pen.put(help_at.x, help_at.y, help_at.width, &self.help, help);
    }
}

/// All lines: actions available here, actions of other contexts of this screen, themes, and fields.
#[must_use]
pub fn entries(look: &Look, scope: &Scope) -> Vec<Entry> {
    let elsewhere = scope.contexts.iter().filter(|context| !scope.active.contains(context));
    let mut entries: Vec<Entry> = Vec::new();
    for context in scope.active.iter().chain(elsewhere).filter(|context| context.is_offered()) {
        let active = scope.active.contains(context);
        for (bound, action) in look.keys.lines(*context).flat_map(|bound| bound.actions().map(move |a| (bound, a))) {
            let known = entries.iter().any(|entry| matches!(entry.choice, Choice::Do(_, other) if other == action));
            if known || action == Action::Palette {
                continue;
            }
            let place = if active { String::new() } else { format!("{}: ", context.heading()) };
            entries.push(Entry {
                name: action.name().to_owned(),
                keys: bound.label_of(action).unwrap_or_default(),
                help: format!("{place}{}", bound.line.help),
                choice: Choice::Do(*context, action),
                active,
            });
        }
    }
    entries.extend(look.themes.list.iter().enumerate().map(|(index, theme)| Entry {
        name: format!("theme {}", text::safe_text(&theme.name)),
        keys: String::new(),
        help: if index == look.theme { "the theme in use".into() } else { "draw in this theme".into() },
        choice: Choice::Theme(index),
        active: true,
    }));
    entries.extend(scope.fields.iter().map(|field| Entry {
        name: format!("{SET}{}", field.name),
        keys: String::new(),
        help: format!("{}; {}", field.value, field.help),
        choice: Choice::Set(field.name.clone(), None),
        active: true,
    }));
    entries
}
