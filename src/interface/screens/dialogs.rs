//! Boxes over the screen: the help, and the questions before the run is ended.

use ratatui::layout::Rect;

use crate::interface::keys::{Context, TABLE};
use crate::interface::layout::centred;
use crate::interface::pen::Pen;
use crate::interface::state::{Stage, State};
use crate::interface::text;
use crate::interface::theme::Meaning;

/// The contexts of the help, in its order, each with its heading.
const SECTIONS: [(Context, &str); 13] = [
    (Context::Cockpit, "anywhere"),
    (Context::Rows, "in a panel with rows"),
    (Context::Chart, "in the loss"),
    (Context::Cursor, "in the loss, with the cursor"),
    (Context::Pending, "while a value is pending"),
    (Context::Typing, "while a value is typed"),
    (Context::Lost, "where the connection to the run is lost"),
    (Context::Help, "in this help"),
    (Context::Example, "in the example"),
    (Context::Timeline, "in branches and kept states"),
    (Context::Quit, "asked how to leave"),
    (Context::Stop, "asked whether to stop"),
    (Context::Always, "always"),
];

/// A line of the help: keys and what they do, or a heading.
struct HelpLine {
    keys: String,
    text: String,
    heading: bool,
}

fn all_lines(width: u16) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    let column = key_column(width);
    for (context, heading) in SECTIONS {
        if !lines.is_empty() {
            lines.push(HelpLine { keys: String::new(), text: String::new(), heading: false });
        }
        lines.push(HelpLine { keys: heading.into(), text: String::new(), heading: true });
        for binding in TABLE.iter().filter(|binding| binding.context == context) {
            let wrapped = text::wrap(binding.help, width.saturating_sub(column));
            for (index, text) in wrapped.into_iter().enumerate() {
                let keys = if index == 0 { binding.label() } else { String::new() };
                lines.push(HelpLine { keys, text, heading: false });
            }
        }
    }
    lines
}

fn key_column(width: u16) -> u16 {
    let longest = TABLE.iter().map(|binding| text::width(&binding.label())).max().unwrap_or(0) + 3;
    longest.min(width / 3)
}

fn help_place(screen: Rect) -> Rect {
    centred(screen, screen.width.saturating_sub(4).min(96), screen.height.saturating_sub(2))
}

/// Number of lines that the help can be scrolled to.
#[must_use]
pub fn help_lines(state: &State) -> usize {
    let place = help_place(Rect::new(0, 0, state.size.0, state.size.1));
    let room = usize::from(place.height.saturating_sub(2));
    all_lines(place.width.saturating_sub(4)).len().saturating_sub(room) + 1
}

/// Draws all keys.
pub fn help(pen: &mut Pen, screen: Rect, state: &State) {
    let place = help_place(screen);
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " keys ", Meaning::Focus);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let lines = all_lines(inner.width);
    let room = usize::from(inner.height);
    let first = state.help_scroll.min(lines.len().saturating_sub(room));
    let column = key_column(inner.width);
    for (row, line) in Pen::rows(inner).zip(&lines[first..]) {
        let meaning = if line.heading { Meaning::Title } else { Meaning::Key };
        let width = if line.heading { row.width } else { column - 1 };
        pen.put(row.x, row.y, width, &line.keys, meaning);
        pen.put(row.x + column, row.y, row.width.saturating_sub(column), &line.text, Meaning::Text);
    }
    let more = lines.len().saturating_sub(first + room);
    let hint = if more > 0 { format!(" ↓ {more} more · Esc closes ") } else { " Esc closes ".into() };
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &hint, Meaning::Muted);
}

/// Asks how to leave.
pub fn quit(pen: &mut Pen, screen: Rect, state: &State) {
    let stop = match state.stage {
        Stage::Loading => "stop cleanly and leave",
        _ => "stop cleanly (checkpoint and adapter) and leave",
    };
    question(
        pen,
        screen,
        " leave ",
        &format!("The run is at step {}. How shall it end?", state.step()),
        &[
            ("s", stop),
            ("d", "detach: the run goes on without this terminal"),
            ("a", "abort: write nothing more, leave"),
            ("Esc", "stay"),
        ],
    );
}

/// Asks whether to stop.
pub fn stop(pen: &mut Pen, screen: Rect) {
    question(
        pen,
        screen,
        " stop ",
        "Stop the run after this step?",
        &[("Enter", "stop cleanly: write checkpoint and adapter"), ("Esc", "go on training")],
    );
}

fn question(pen: &mut Pen, screen: Rect, title: &str, question: &str, answers: &[(&str, &str)]) {
    let place = centred(screen, 60, answers.len() as u16 + 5);
    let inner = pen.frame(place, Meaning::Warn);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), title, Meaning::Warn);
    let mut rows = Pen::rows(inner).map(|row| Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row }).skip(1);
    if let Some(row) = rows.next() {
        pen.put(row.x, row.y, row.width, question, Meaning::Text);
    }
    for (row, (key, answer)) in rows.skip(usize::from(inner.height > answers.len() as u16 + 2)).zip(answers) {
        pen.put(row.x + 1, row.y, 6, key, Meaning::Key);
        pen.put(row.x + 8, row.y, row.width.saturating_sub(8), answer, Meaning::Text);
    }
}
