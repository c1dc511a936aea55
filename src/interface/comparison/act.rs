//! How the comparison answers.

use crossterm::event::KeyEvent;

use super::{ComparisonScreen, Focus, effects, mouse};
use crate::compare::Column;
use crate::interface::frame::overlay::Scope;
use crate::interface::frame::{Effect, Input, Outcome, Overlay, overlay};
use crate::interface::jobs::Done;
use crate::interface::jobs::comparison::{Answer, Ask};
use crate::interface::keys::{Action, Context};
use crate::interface::text;

/// Answers an input.
pub fn update(screen: &mut ComparisonScreen, input: Input) -> Vec<Effect> {
    match input {
        Input::Key(event) => key(screen, event),
        Input::Mouse(event) => mouse::mouse(screen, event),
        Input::Paste(text) => {
            if let Some(overlay) = &mut screen.overlay {
                text.chars().filter(|c| !c.is_control()).for_each(|c| overlay.insert(c));
            }
            Vec::new()
        }
        Input::Resize(columns, rows) => {
            screen.size = (columns, rows);
            Vec::new()
        }
        Input::Background { light } => {
            screen.look.fit(light);
            Vec::new()
        }
        Input::Done(done) => match *done {
            Done::Compared(answer) => take(screen, *answer),
            Done::Broken(why) => {
                screen.waits = false;
                screen.refuse(text::safe_text(&why));
                Vec::new()
            }
            _ => Vec::new(),
        },
        Input::Tick(now) => {
            screen.now = now;
            if screen.notice.as_ref().is_some_and(|notice| notice.is_over(now)) {
                screen.notice = None;
            }
            Vec::new()
        }
        Input::Signal(_) | Input::Hangup => vec![Effect::Quit(Outcome::Detached)],
        Input::Engine(_) | Input::News(_) | Input::EngineGone => Vec::new(),
    }
}

/// Takes in what came of a question.
fn take(screen: &mut ComparisonScreen, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Runs(mut runs) => {
            let first = screen.runs.is_none();
            if let (false, Ok(runs)) = (first, &mut runs) {
                // What was marked by hand stays so.
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

/// The contexts in which a key means something now, the nearest first.
pub fn contexts(screen: &ComparisonScreen) -> Vec<Context> {
    screen.overlay.as_ref().map_or_else(|| contexts_below(screen), Overlay::contexts)
}

/// As [`contexts`], as if neither help nor palette nor themes lay over it.
pub fn contexts_below(screen: &ComparisonScreen) -> Vec<Context> {
    if screen.writing {
        vec![Context::CompareWrite, Context::Always]
    } else {
        vec![Context::Compare, Context::Screen, Context::Always]
    }
}

/// What it says of itself to help, palette and themes.
pub fn scope<'a>(screen: &ComparisonScreen, below: &'a [Context]) -> Scope<'a> {
    Scope { size: screen.size, contexts: &Context::COMPARISON, active: below, fields: Vec::new() }
}

fn key(screen: &mut ComparisonScreen, event: KeyEvent) -> Vec<Effect> {
    let below = contexts_below(screen);
    if screen.overlay.is_some() {
        let scope = scope(screen, &below);
        return match Overlay::key(&mut screen.overlay, &mut screen.look, &scope, event) {
            overlay::Answer::Do(_, action) => act(screen, action),
            overlay::Answer::Nothing | overlay::Answer::Set(..) => Vec::new(),
        };
    }
    match screen.look.keys.action(&below, event) {
        Some(action) => act(screen, action),
        None => Vec::new(),
    }
}

/// Gives a turn of the wheel to what lies over it.
pub fn scroll_overlay(screen: &mut ComparisonScreen, by: isize) {
    if by != 0 {
        let below = contexts_below(screen);
        let scope = scope(screen, &below);
        Overlay::scroll(&mut screen.overlay, &mut screen.look, &scope, by);
    }
}

/// Does what a key stands for.
pub fn act(screen: &mut ComparisonScreen, action: Action) -> Vec<Effect> {
    if let Some(overlay) = Overlay::opened_by(action, &screen.look) {
        screen.overlay = Some(overlay);
        return Vec::new();
    }
    match action {
        Action::Leave if std::mem::take(&mut screen.writing) => {}
        Action::Quit | Action::Interrupt | Action::Leave => return vec![Effect::Quit(Outcome::Left)],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => match screen.look.suspend() {
            Ok(effect) => return vec![effect],
            Err(why) => screen.say(why),
        },
        Action::NextTheme => {
            let said = screen.look.choose_next();
            screen.say(said);
        }
        Action::Focus(_) => {
            screen.focus = if screen.focus == Focus::Settings { Focus::Runs } else { Focus::Settings };
            // Runs may have begun since.
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

/// Marks the selected run or no longer; of a setting, no longer all its runs.
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

/// Marks all runs; where all are marked, none but the selected one.
fn all(screen: &mut ComparisonScreen) -> Vec<Effect> {
    let at = screen.run_row;
    let Some(Ok(runs)) = &mut screen.runs else { return Vec::new() };
    let mark = runs.iter().any(|run| !run.marked);
    runs.iter_mut().enumerate().for_each(|(index, run)| run.marked = mark || index == at);
    effects(screen.compare())
}

/// Tests all against the selected setting, or that of the selected run.
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

/// Sorts by the next of the columns; behind the last, as the runs came.
fn sort(screen: &mut ComparisonScreen, by: isize) {
    let columns = Column::ALL;
    let now = screen.sort.and_then(|(column, _)| columns.iter().position(|known| *known == column));
    // Place 0 is that of no order.
    let places = columns.len() + 1;
    let at = now.map_or(0, |at| at + 1);
    let next = if by < 0 { (at + places - 1) % places } else { (at + 1) % places };
    // From the largest down, where that says more.
    let down = |column: Column| matches!(column, Column::Best | Column::Last | Column::Difference);
    screen.sort = next.checked_sub(1).map(|at| (columns[at], down(columns[at])));
}
