//! Whole screens, put together from panels.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame::Screen;
use super::layout::{self, LEAST, centred};
use super::pen::Pen;
use super::state::{Layer, State};
use super::theme::Meaning;
use super::widgets::footer::{self, Hint};
use super::{palette, text, widgets};

mod alerts;
mod banner;
mod bottom;
mod card;
mod compact;
mod dialogs;
mod example;
mod header;
mod loading;
mod playground;
mod timeline;

pub use alerts::{MARK as ALERT, meaning as alert_meaning};
pub use banner::height as banner_height;
pub use compact::height as short_height;
pub use timeline::row_at as timeline_row_at;

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
        widgets::draw(pen, *area, panels, state);
    }
    card::draw(pen, &layout, state);
    bottom::strip(pen, layout.strip, state);
    footer::draw(pen, &bottom::hints(layout.footer, state));
    match state.layers.last() {
        Some(Layer::Quit) => dialogs::quit(pen, screen, state),
        Some(Layer::Stop) => dialogs::stop(pen, screen, state),
        Some(Layer::Example) => example::draw(pen, screen, state),
        Some(Layer::Timeline) => timeline::draw(pen, screen, state),
        Some(Layer::Playground) => playground::draw(pen, layout::below_header(&layout), state),
        None => {}
    }
    if let Some(overlay) = &state.overlay {
        let below = state.contexts_below();
        overlay.draw(pen, &state.look, &palette::scope(state, &below));
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

/// Says that the terminal is too small.
pub fn too_small(pen: &mut Pen, screen: Rect, (columns, rows): (u16, u16)) {
    let lines = [
        "the terminal is too small".to_owned(),
        format!("{} x {} now", screen.width, screen.height),
        format!("{columns} x {rows} needed"),
    ];
    let place = centred(screen, screen.width, 3);
    for (row, line) in Pen::rows(place).zip(lines) {
        let row = centred(row, text::width(&line), 1);
        pen.put(row.x, row.y, row.width, &line, Meaning::Warn);
    }
}
