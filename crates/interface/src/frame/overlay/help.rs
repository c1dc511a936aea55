//! The help: all keys of a screen.

use ratatui::layout::Rect;

use crate::keys::{Action, Context, Keymap};
use crate::layout::centred;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;

/// A line of the help: keys with their description, or a heading.
struct Line {
    keys: String,
    text: String,
    heading: bool,
}

/// The largest scroll position at which the help for these contexts fills a screen of this size.
#[must_use]
pub fn last_scroll(size: (u16, u16), keys: &Keymap, contexts: &[Context]) -> usize {
    let place = place(Rect::new(0, 0, size.0, size.1));
    let room = usize::from(place.height.saturating_sub(2));
    lines(place.width.saturating_sub(4), keys, contexts).len().saturating_sub(room)
}

/// Draws the keys of these contexts, from a line on.
pub fn draw(pen: &mut Pen, screen: Rect, keys: &Keymap, contexts: &[Context], scroll: usize) {
    let place = place(screen);
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " keys ", Meaning::Focus);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let lines = lines(inner.width, keys, contexts);
    let room = usize::from(inner.height);
    let first = scroll.min(lines.len().saturating_sub(room));
    let column = key_column(inner.width, keys, contexts);
    for (row, line) in Pen::rows(inner).zip(&lines[first..]) {
        let meaning = if line.heading { Meaning::Title } else { Meaning::Key };
        let width = if line.heading { row.width } else { column.saturating_sub(1) };
        pen.put(row.x, row.y, width, &line.keys, meaning);
        pen.put(row.x + column, row.y, row.width.saturating_sub(column), &line.text, Meaning::Text);
    }
    let more = match lines.len().saturating_sub(first + room) {
        0 => String::new(),
        more => format!(" ↓ {more} more ·"),
    };
    let hint = format!("{more}{}", keys.hints(Context::Help, &[(Action::Leave, "closes")]));
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &hint, Meaning::Muted);
}

fn lines(width: u16, keys: &Keymap, contexts: &[Context]) -> Vec<Line> {
    let mut lines = Vec::new();
    let column = key_column(width, keys, contexts);
    for context in contexts {
        if !lines.is_empty() {
            lines.push(Line { keys: String::new(), text: String::new(), heading: false });
        }
        lines.push(Line { keys: context.heading().into(), text: String::new(), heading: true });
        for bound in keys.lines(*context) {
            let wrapped = text::wrap(bound.line.help, width.saturating_sub(column));
            for (index, text) in wrapped.into_iter().enumerate() {
                let keys = if index == 0 { bound.label() } else { String::new() };
                lines.push(Line { keys, text, heading: false });
            }
        }
    }
    lines
}

fn key_column(width: u16, keys: &Keymap, contexts: &[Context]) -> u16 {
    let labels = contexts.iter().flat_map(|context| keys.lines(*context)).map(|bound| text::width(&bound.label()));
    (labels.max().unwrap_or(0) + 3).min(width / 3)
}

fn place(screen: Rect) -> Rect {
    centred(screen, screen.width.saturating_sub(4).min(96), screen.height.saturating_sub(2))
}
