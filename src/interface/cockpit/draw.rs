//! Whole screens, put together from panels.

use ratatui::Frame;
use ratatui::buffer::Buffer;

use super::{Layer, State, banner, by_name, layout, panels, pending, playground, timeline};
use crate::interface::frame::{Screen, too_small};
use crate::interface::layout::LEAST;
use crate::interface::pen::Pen;
use crate::interface::widgets::footer;
use crate::interface::widgets::footer::Hint;

mod bottom;
mod compact;
mod dialogs;
mod example;
pub mod header;
mod loading;

pub use compact::height as short_height;

/// Draws the state.
pub fn draw(frame: &mut Frame, state: &State) {
    draw_into(frame.buffer_mut(), state);
}

/// Draws the state into a buffer, of whatever size it is.
pub fn draw_into(buffer: &mut Buffer, state: &State) {
    match &state.inspector {
        Some(inspector) => inspector.draw_into(buffer),
        None => state.look.paint(buffer, |pen| whole(pen, state)),
    }
}

fn whole(pen: &mut Pen, state: &State) {
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
        Some(Layer::Quit) => dialogs::quit(pen, screen, state),
        Some(Layer::Stop) => dialogs::stop(pen, screen, state),
        Some(Layer::Example) => example::draw(pen, screen, state),
        Some(Layer::Timeline) => timeline::draw::draw(pen, screen, state),
        Some(Layer::Playground) => playground::draw::draw(pen, layout::below_header(&layout), state),
        None => {}
    }
    if let Some(overlay) = &state.overlay {
        let below = state.contexts_below();
        overlay.draw(pen, &state.look, &by_name::scope(state, &below));
    }
}

/// The keys that are named on the screen.
#[must_use]
pub fn hints(state: &State) -> Vec<Hint> {
    match &state.inspector {
        Some(inspector) => inspector.hints(),
        None => layout::arrange(state).map_or_else(Vec::new, |layout| bottom::hints(layout.footer, state)),
    }
}
