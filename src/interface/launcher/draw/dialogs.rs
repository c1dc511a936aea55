//! Questions, and the facts of a run.

use std::path::Path;

use ratatui::layout::Rect;

use super::{form, home};
use crate::interface::keys::{Action, Context};
use crate::interface::launcher::Launcher;
use crate::interface::layout::centred;
use crate::interface::pen::Pen;
use crate::interface::state::Typed;
use crate::interface::text;
use crate::interface::theme::Meaning;

/// Asks whether to delete a run.
pub fn delete(pen: &mut Pen, screen: Rect, folder: &Path, launcher: &Launcher) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let said = format!(
        "Delete the run {} with its checkpoints and its adapter? It cannot be brought back.",
        text::safe_text(&name)
    );
    let answers = [(Action::DeleteNow, "delete it"), (Action::Leave, "keep it")];
    question(pen, screen, " delete ", &said, (Context::Delete, &answers), launcher);
}

/// Asks for another name of a run.
pub fn rename(pen: &mut Pen, screen: Rect, (folder, typed): (&Path, &Typed), launcher: &Launcher) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let place = centred(screen, 64.min(screen.width.saturating_sub(2)), 3);
    let inner = pen.frame(place, Meaning::Focus);
    let title = format!(" another name for {} ", text::safe_text(&name));
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), &title, Meaning::Focus);
    let cell = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    form::edit_line(pen, Rect { height: 1.min(cell.height), ..cell }, typed, Meaning::Text);
    let hint = launcher.look.keys.hints(Context::Typing, &[(Action::Apply, "renames"), (Action::Discard, "keeps")]);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &hint, Meaning::Muted);
}

/// Asks whether to start although something speaks against it.
pub fn start(pen: &mut Pen, screen: Rect, why: &str, launcher: &Launcher) {
    let said = format!("{} Start all the same?", sentence(&text::safe_text(why)));
    let answers = [(Action::StartNow, "start it"), (Action::Leave, "back to the form")];
    question(pen, screen, " start ", &said, (Context::Start, &answers), launcher);
}

/// Our sentences have no full stop.
fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{text}{end}")
}

fn question(
    pen: &mut Pen,
    screen: Rect,
    title: &str,
    said: &str,
    (context, answers): (Context, &[(Action, &str)]),
    launcher: &Launcher,
) {
    let width = 64.min(screen.width.saturating_sub(2));
    let lines = text::wrap(said, width.saturating_sub(4));
    let place = centred(screen, width, (lines.len() + answers.len()) as u16 + 3);
    let inner = pen.frame(place, Meaning::Warn);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), title, Meaning::Warn);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let mut rows = Pen::rows(inner);
    for line in &lines {
        if let Some(row) = rows.next() {
            pen.put(row.x, row.y, row.width, line, Meaning::Text);
        }
    }
    rows.next();
    let keys = &launcher.look.keys;
    for (action, answer) in answers {
        let (Some(key), Some(row)) = (keys.label(context, *action), rows.next()) else { continue };
        pen.put(row.x + 1, row.y, 6, &key, Meaning::Key);
        pen.put(row.x + 8, row.y, row.width.saturating_sub(8), answer, Meaning::Text);
    }
}

/// What there is to know of the selected run.
pub fn facts(pen: &mut Pen, screen: Rect, launcher: &Launcher) {
    let place = centred(screen, screen.width.saturating_sub(4).min(90), 20);
    let Some(run) = launcher.home.selected() else { return };
    let name = text::safe_text(&run.run.name);
    let inner = super::titled(pen, place, Meaning::Focus, &name, ("", Meaning::Muted));
    home::facts(pen, inner, run, launcher);
    let hints = [
        (Action::ResumeRun, "goes on"),
        (Action::ViewRun, "curves"),
        (Action::CopyRun, "new from it"),
        (Action::DeleteRun, "deletes"),
        (Action::Leave, "closes"),
    ];
    let hint = launcher.look.keys.hints(Context::Facts, &hints);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &hint, Meaning::Muted);
}
