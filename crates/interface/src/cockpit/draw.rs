//! Draws the cockpit from its panels.

use super::{Dialog, State, banner, layout, panels, pending, playground, timeline};
use crate::frame::too_small;
use crate::layout::LEAST;
use crate::pen::Pen;
use crate::widgets::footer;
use crate::widgets::footer::Hint;

mod bottom;
mod compact;
mod dialogs;
mod example;
pub mod header;
mod loading;

pub use compact::height as short_height;

/// Draws the panels and the dialogs over them.
pub fn whole(pen: &mut Pen, state: &State) {
    let screen = pen.buffer.area;
    let Some(layout) = layout::arrange(state) else {
        too_small(pen, screen, LEAST);
        return;
    };
    header::draw(pen, layout.header, state);
    header::progress(pen, layout.progress, state);
    banner::draw(pen, layout.banner, state);
    match layout.short {
        Some(place) => compact::draw(pen, place, state),
        None if layout.places.is_empty() => loading::draw(pen, layout.body, state),
        None => {}
    }
    for (area, panels) in &layout.places {
        panels::draw(pen, *area, panels, state);
    }
    pending::draw::draw(pen, &layout, state);
    bottom::strip(pen, layout.strip, state);
    footer::draw(pen, &bottom::hints(layout.footer, state));
    match state.layers.last() {
        Some(Dialog::Quit) => dialogs::quit(pen, screen, state),
        Some(Dialog::Stop) => dialogs::stop(pen, screen, state),
        Some(Dialog::Example) => example::draw(pen, screen, state),
        Some(Dialog::Timeline) => timeline::draw::draw(pen, screen, state),
        Some(Dialog::Playground) => playground::draw::draw(pen, layout::below_header(&layout), state),
        None => {}
    }
}

/// The key hints on the screen.
pub fn hints(state: &State) -> Vec<Hint> {
    layout::arrange(state).map_or_else(Vec::new, |layout| bottom::hints(layout.footer, state))
}
