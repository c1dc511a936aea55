//! The mouse in the comparison: the wheel scrolls, a click focuses and selects, a click on a mark toggles it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::act::act;
use super::layout::{arrange, setting_rows};
use super::{ComparisonScreen, Focus};
use crate::frame::Effect;
use crate::keys::Action;
use crate::widgets::list::{first_row_centred, inside};

/// Handles a mouse event.
pub fn mouse(screen: &mut ComparisonScreen, event: MouseEvent, by: isize) -> Vec<Effect> {
    if screen.writing {
        return Vec::new();
    }
    let Some(layout) = arrange(screen) else { return Vec::new() };
    let at = (event.column, event.row);
    let lists = [(layout.settings, Focus::Settings), (layout.runs, Focus::Runs)];
    let Some((place, focus)) = lists.into_iter().find(|(place, _)| place.contains(at.into())) else {
        return Vec::new();
    };
    if by != 0 {
        screen.focus = focus;
        return act(screen, Action::Row(by));
    }
    if event.kind != MouseEventKind::Down(MouseButton::Left) {
        return Vec::new();
    }
    screen.focus = focus;
    let (inner, selected, count) = match focus {
        Focus::Settings => (setting_rows(place), screen.row, screen.settings().len()),
        Focus::Runs => (inside(place), screen.run_row, screen.listed().len()),
    };
    if !inner.contains(at.into()) {
        return Vec::new();
    }
    let clicked = usize::from(event.row - inner.y) + first_row_centred(selected, count, inner.height);
    if clicked >= count {
        return Vec::new();
    }
    match focus {
        Focus::Settings => screen.row = clicked,
        Focus::Runs => screen.run_row = clicked,
    }
    if focus == Focus::Runs && event.column < inner.x + 2 { act(screen, Action::CompareToggle) } else { Vec::new() }
}
