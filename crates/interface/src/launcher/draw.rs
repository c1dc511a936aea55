//! Draws the launcher.

use ratatui::layout::Rect;

use super::place::{self, Places};
use super::{Dialog, Launcher, View};
use crate::frame::{Screen, Severity, too_small};
use crate::keys::{Action, Context};
use crate::layout::SMALLEST;
use crate::pen::Pen;
use crate::text;
use crate::widgets::footer::{self, Hint};

mod bars;
mod dialogs;
mod form;
mod home;
mod parts;
mod pick;
mod plan;
mod sample;

/// Draws the whole screen.
pub fn whole(pen: &mut Pen, launcher: &Launcher) {
    let screen = pen.buffer.area;
    let Some(places) = place::arrange(launcher) else {
        too_small(pen, screen, SMALLEST);
        return;
    };
    match launcher.view {
        View::Home => home::draw(pen, &places, launcher),
        View::Form => form::draw(pen, &places, launcher),
    }
    strip(pen, places.strip, launcher);
    footer::draw(pen, &hints(&places, launcher));
    for layer in &launcher.layers {
        match layer {
            Dialog::Pick(pick) => pick::draw(pen, screen, pick, launcher),
            Dialog::Delete(folders) => dialogs::delete(pen, screen, folders, launcher),
            Dialog::Ask(question, folder, typed) => dialogs::ask(pen, screen, *question, folder, typed, launcher),
            Dialog::Race(typed) => dialogs::race(pen, screen, typed, launcher),
            Dialog::More(more) => dialogs::more(pen, screen, more, launcher),
            Dialog::Facts => dialogs::facts(pen, screen, launcher),
            Dialog::Start(why) => dialogs::start(pen, screen, why, launcher),
        }
    }
}

/// The most lines of a notice.
const LINES: usize = 4;

/// The latest notice; a long one covers the rows above.
fn strip(pen: &mut Pen, row: Rect, launcher: &Launcher) {
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    if let Some(notice) = &launcher.env.notice {
        let lines = text::wrap(&notice.text, row.width);
        let above = lines.len().clamp(1, LINES) as u16 - 1;
        let place = Rect { y: row.y.saturating_sub(above), height: above + 1, ..row };
        if above > 0 {
            pen.clear(Rect { x: 0, width: row.right() + 1, ..place });
        }
        for (row, line) in Pen::rows(place).zip(&lines) {
            pen.put(row.x, row.y, row.width, line, notice.severity.meaning());
        }
    } else if launcher.view == View::Home && !launcher.home.filter.is_empty() {
        let advice = launcher.env.look.keys.advice(Context::Home, Action::Leave, "shows all");
        let message = format!("only runs with \"{}\" are shown{advice}", text::safe_text(&launcher.home.filter));
        pen.put(row.x, row.y, row.width, &message, Severity::Warning.meaning());
    }
}

/// The key hints.
pub fn hints(places: &Places, launcher: &Launcher) -> Vec<Hint> {
    let contexts = launcher.contexts();
    let no_run = launcher.home.selected().is_none();
    let of_a_run = [
        Action::OpenRun,
        Action::ResumeRun,
        Action::CopyRun,
        Action::DeleteRun,
        Action::RenameRun,
        Action::MarkRun,
        Action::SortRuns(1),
        Action::FilterRuns,
        Action::HomeRow(1),
    ];
    footer::hints(places.footer, &launcher.env.look.keys, &contexts, |action, word| {
        let useless = launcher.view == View::Home && no_run && of_a_run.contains(&action);
        (!useless).then_some(word)
    })
}
