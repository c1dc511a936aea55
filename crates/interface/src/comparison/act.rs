//! The actions of the comparison, and the answers to its jobs.

use super::{ComparisonScreen, Focus, effects};
use crate::frame::{Effect, Outcome};
use crate::jobs::comparison::{Answer, Ask};
use crate::keys::Action;
use crate::text;
use spartui_compare::Column;

/// Handles the answer to a job.
pub fn receive(screen: &mut ComparisonScreen, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Runs(mut runs) => {
            let first = screen.runs.is_none();
            if let (false, Ok(runs)) = (first, &mut runs) {
                // Runs marked by hand stay marked.
                let known = screen.listed();
                for run in runs.iter_mut() {
                    run.marked = known.iter().any(|known| known.folder == run.folder && known.marked);
                }
            }
            screen.runs = Some(runs);
            if first {
                let selected = screen.listed().iter().position(|run| Some(&run.folder) == screen.against.as_ref());
                screen.run_row = selected.unwrap_or(0);
                return effects(screen.compare());
            }
        }
        Answer::Compared(number, found) if number == screen.asked => {
            screen.waits = false;
            screen.found = Some(found);
        }
        Answer::Compared(..) => {}
        Answer::Written(Ok(name)) => screen.say(format!("{} written", text::safe_text(&name))),
        Answer::Written(Err(why)) => screen.refuse(text::safe_text(&why)),
    }
    Vec::new()
}

/// Runs an action.
pub fn act(screen: &mut ComparisonScreen, action: Action) -> Vec<Effect> {
    match action {
        Action::Leave if std::mem::take(&mut screen.writing) => {}
        Action::Quit | Action::Interrupt | Action::Leave => return vec![Effect::Quit(Outcome::Left)],
        Action::Focus(_) => {
            screen.focus = if screen.focus == Focus::Settings { Focus::Runs } else { Focus::Settings };
            // New runs may have started.
            if screen.focus == Focus::Runs {
                let (folder, candidates) = (screen.runs_dir.clone(), Vec::new());
                return effects(vec![Ask::Runs { folder, candidates, like: None }]);
            }
        }
        Action::Row(by) => match screen.focus {
            Focus::Settings => screen.row = screen.row.saturating_add_signed(by),
            Focus::Runs => screen.run_row = screen.run_row.saturating_add_signed(by),
        },
        Action::CompareToggle => return toggle(screen),
        Action::CompareAll => return all(screen),
        Action::CompareAgainst => return against(screen),
        Action::CompareSort(by) => sort(screen, by),
        Action::CompareReverse => {
            let (column, down) = screen.sort.unwrap_or((Column::Best, false));
            screen.sort = Some((column, !down));
        }
        Action::CompareAgain => return effects(screen.compare()),
        Action::CompareWrite => {
            if screen.comparison().is_some() {
                screen.writing = true;
            } else {
                screen.refuse("there is nothing to write");
            }
        }
        Action::CompareWriteAs(format) => {
            screen.writing = false;
            if let Some(comparison) = screen.comparison().cloned() {
                screen.say("writing …");
                return effects(vec![Ask::Write { format, comparison }]);
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Marks or unmarks the selected run; for a setting, unmarks all its runs.
fn toggle(screen: &mut ComparisonScreen) -> Vec<Effect> {
    let names = screen.selected().map(|row| row.runs.clone());
    let (focus, at) = (screen.focus, screen.run_row);
    let Some(Ok(runs)) = &mut screen.runs else { return Vec::new() };
    match focus {
        Focus::Runs => {
            let Some(run) = runs.get_mut(at) else { return Vec::new() };
            run.marked = !run.marked;
        }
        Focus::Settings => {
            let Some(names) = names else { return Vec::new() };
            runs.iter_mut().filter(|run| names.contains(&run.name)).for_each(|run| run.marked = false);
        }
    }
    effects(screen.compare())
}

/// Marks all runs; if all are marked, only the selected one stays marked.
fn all(screen: &mut ComparisonScreen) -> Vec<Effect> {
    let at = screen.run_row;
    let Some(Ok(runs)) = &mut screen.runs else { return Vec::new() };
    let mark = runs.iter().any(|run| !run.marked);
    runs.iter_mut().enumerate().for_each(|(index, run)| run.marked = mark || index == at);
    effects(screen.compare())
}

/// Makes the selected setting, or that of the selected run, the baseline of the tests.
fn against(screen: &mut ComparisonScreen) -> Vec<Effect> {
    let name = match screen.focus {
        Focus::Settings => screen.selected().and_then(|row| row.runs.first().cloned()),
        Focus::Runs => screen.listed().get(screen.run_row).filter(|run| run.marked).map(|run| run.name.clone()),
    };
    let run = name.and_then(|name| screen.listed().iter().find(|run| run.name == name));
    match run.map(|run| run.folder.clone()) {
        Some(folder) => {
            screen.against = Some(folder);
            effects(screen.compare())
        }
        None => {
            screen.refuse("mark the run first that all are tested against");
            Vec::new()
        }
    }
}

/// Sorts by the next column; after the last one, restores the original order.
fn sort(screen: &mut ComparisonScreen, by: isize) {
    let columns = Column::ALL;
    let now = screen.sort.and_then(|(column, _)| columns.iter().position(|known| *known == column));
    // Place 0 is the original order.
    let places = columns.len() + 1;
    let at = now.map_or(0, |at| at + 1);
    let next = if by < 0 { (at + places - 1) % places } else { (at + 1) % places };
    // Descending where the largest values matter.
    let down = |column: Column| matches!(column, Column::Best | Column::Last | Column::Difference);
    screen.sort = next.checked_sub(1).map(|at| (columns[at], down(columns[at])));
}
