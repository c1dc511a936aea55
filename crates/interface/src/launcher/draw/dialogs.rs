//! Dialogs: questions, and the facts of a run.

use std::path::{Path, PathBuf};

use ratatui::layout::Rect;

use super::{form, home};
use crate::keys::{Action, Context};
use crate::launcher::{Launcher, More, Question, race};
use crate::layout::{centred, split_top};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::typed::Typed;
use crate::widgets::question;

/// Asks whether to delete runs.
pub fn delete(pen: &mut Pen, screen: Rect, folders: &[PathBuf], launcher: &Launcher) {
    let names: Vec<String> = folders.iter().map(|folder| name(folder)).collect();
    let message = match names.as_slice() {
        [one] => {
            format!("Delete the run {one} with its checkpoints and its adapter? It cannot be brought back.")
        }
        many => format!(
            "Delete {} runs with their checkpoints and adapters: {}? They cannot be brought back.",
            many.len(),
            many.join(", ")
        ),
    };
    let (delete, keep) = if names.len() == 1 { ("delete it", "keep it") } else { ("delete them", "keep them") };
    let answers = [(Action::DeleteNow, delete), (Action::Leave, keep)];
    ask_with_answers(pen, screen, " delete ", &message, Context::Delete, &answers, launcher);
}

fn name(folder: &Path) -> String {
    text::safe_text(&folder.file_name().unwrap_or_default().to_string_lossy())
}

/// Asks for something about a run.
pub fn ask(pen: &mut Pen, screen: Rect, question: Question, folder: &Path, typed: &Typed, launcher: &Launcher) {
    let name = name(folder);
    let (title, does, keeps) = match question {
        Question::Name => (format!(" another name for {name} "), "renames", "keeps"),
        Question::Tags => (format!(" tags of {name}, with spaces between them "), "keeps them", "changes nothing"),
        Question::Note => (format!(" a note about {name} "), "keeps it", "changes nothing"),
    };
    let place = centred(screen, 64.min(screen.width.saturating_sub(2)), 3);
    typing(pen, place, &title, typed, launcher, [does, keeps]);
}

/// A box with a line of text input.
fn typing(pen: &mut Pen, place: Rect, title: &str, typed: &Typed, launcher: &Launcher, [does, keeps]: [&str; 2]) {
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), title, Meaning::Focus);
    let cell = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    form::edit_line(pen, Rect { height: 1.min(cell.height), ..cell }, typed, Meaning::Text);
    let hint = launcher.env.look.keys.hints(Context::Typing, &[(Action::Apply, does), (Action::Discard, keeps)]);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &hint, Meaning::Muted);
}

/// Asks for the settings in which the lanes of a race differ, and shows the resulting lanes.
pub fn race(pen: &mut Pen, screen: Rect, typed: &Typed, launcher: &Launcher) {
    let place = centred(screen, 100.min(screen.width.saturating_sub(2)), 10);
    typing(pen, place, " a race: what its lanes differ in ", typed, launcher, ["starts it", "back to the form"]);
    let inner = Rect {
        x: place.x + 2,
        y: place.y + 2,
        width: place.width.saturating_sub(4),
        height: place.height.saturating_sub(3),
    };
    let (message, meaning) = match race::read(&typed.text, &launcher.form.recipe) {
        Ok(asked) => (asked.described(), Meaning::Text),
        Err(why) => (why, Meaning::Warn),
    };
    let (example, lanes) = split_top(inner, 3);
    let examples = [
        "such as learning_rate=1e-4,1e-3 sparsity=0.99,0.999",
        "or drawn: learning_rate=1e-4..1e-2 random=8",
        "halve=100 stops the worse half after every 100 steps",
    ];
    for (row, line) in Pen::rows(example).zip(examples) {
        pen.put(row.x, row.y, row.width, line, Meaning::Muted);
    }
    for (row, line) in Pen::rows(lanes).zip(text::wrap(&text::safe_text(&message), lanes.width)) {
        pen.put(row.x, row.y, row.width, &line, meaning);
    }
}

/// Asks for the new limit of an ended run.
pub fn more(pen: &mut Pen, screen: Rect, more: &More, launcher: &Launcher) {
    let name = more.folder.file_name().unwrap_or_default().to_string_lossy();
    let message = match &more.problem {
        Some(why) => (text::safe_text(why), Meaning::Error),
        None => (
            format!("{} ended at {} {}; how many in all?", text::safe_text(&name), more.field, more.now),
            Meaning::Text,
        ),
    };
    let width = 64.min(screen.width.saturating_sub(2));
    let lines = text::wrap(&message.0, width.saturating_sub(4));
    let place = centred(screen, width, lines.len() as u16 + 3);
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " more steps ", Meaning::Focus);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let mut rows = Pen::rows(inner);
    for line in &lines {
        if let Some(row) = rows.next() {
            pen.put(row.x, row.y, row.width, line, message.1);
        }
    }
    if let Some(row) = rows.next() {
        form::edit_line(pen, row, &more.typed, Meaning::Text);
    }
    let hint = launcher
        .env
        .look
        .keys
        .hints(Context::Typing, &[(Action::Apply, "goes on"), (Action::Discard, "keeps it ended")]);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &hint, Meaning::Muted);
}

/// Asks whether to start despite a warning.
pub fn start(pen: &mut Pen, screen: Rect, why: &str, launcher: &Launcher) {
    let message = format!("{} Start all the same?", sentence(&text::safe_text(why)));
    let answers = [(Action::StartNow, "start it"), (Action::Leave, "back to the form")];
    ask_with_answers(pen, screen, " start ", &message, Context::Start, &answers, launcher);
}

/// Messages have no full stop.
fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{text}{end}")
}

fn ask_with_answers(
    pen: &mut Pen,
    screen: Rect,
    title: &str,
    message: &str,
    context: Context,
    answers: &[(Action, &str)],
    launcher: &Launcher,
) {
    let width = 64.min(screen.width.saturating_sub(2));
    let keys = &launcher.env.look.keys;
    let known = answers.iter().filter_map(|(action, answer)| Some((keys.label(context, *action)?, *answer)));
    let question = question::Question {
        title,
        meaning: Meaning::Warn,
        width,
        roomy: false,
        lines: text::wrap(message, width.saturating_sub(4)).into_iter().map(|line| (line, Meaning::Text)).collect(),
        answers: known.collect(),
        keys: (1, 6),
    };
    question.draw(pen, screen);
}

/// The facts of the selected run.
pub fn facts(pen: &mut Pen, screen: Rect, launcher: &Launcher) {
    let place = centred(screen, screen.width.saturating_sub(4).min(90), 20);
    let Some(run) = launcher.home.selected() else { return };
    let name = text::safe_text(&run.run.name);
    let inner = super::parts::titled(pen, place, Meaning::Focus, &name, ("", Meaning::Muted));
    home::facts(pen, inner, run, launcher);
    let hints = [
        (Action::ResumeRun, "goes on"),
        (Action::ViewRun, "curves"),
        (Action::CopyRun, "new from it"),
        (Action::DeleteRun, "deletes"),
        (Action::Leave, "closes"),
    ];
    let hint = launcher.env.look.keys.hints(Context::Facts, &hints);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &hint, Meaning::Muted);
}
