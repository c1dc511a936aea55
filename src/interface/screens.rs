//! Whole screens, put together from panels.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::layout::{self, SMALLEST, centred};
use super::pen::Pen;
use super::state::{Layer, State};
use super::text;
use super::theme::Meaning;
use super::widgets;

mod banner;
mod bottom;
mod card;
mod dialogs;
mod example;
mod header;
mod loading;
mod timeline;

pub use banner::height as banner_height;
pub use dialogs::help_lines;

/// Draws the state.
pub fn draw(frame: &mut Frame, state: &State) {
    draw_into(frame.buffer_mut(), state);
}

/// Draws the state into a buffer, of whatever size it is.
pub fn draw_into(buffer: &mut Buffer, state: &State) {
    let screen = buffer.area;
    buffer.set_style(screen, state.theme().ground());
    let mut pen = Pen { buffer, theme: state.theme() };
    let Some(layout) = layout::arrange(state) else {
        too_small(&mut pen, screen);
        return;
    };
    header::draw(&mut pen, layout.header, state);
    header::progress(&mut pen, layout.progress, state);
    banner::draw(&mut pen, layout.banner, state);
    if layout.places.is_empty() {
        loading::draw(&mut pen, layout.body, state);
    }
    for (area, panels) in &layout.places {
        widgets::draw(&mut pen, *area, panels, state);
    }
    card::draw(&mut pen, &layout, state);
    bottom::strip(&mut pen, layout.strip, state);
    bottom::footer(&mut pen, layout.footer, state);
    match state.layers.last() {
        Some(Layer::Help) => dialogs::help(&mut pen, screen, state),
        Some(Layer::Quit) => dialogs::quit(&mut pen, screen, state),
        Some(Layer::Stop) => dialogs::stop(&mut pen, screen),
        Some(Layer::Example) => example::draw(&mut pen, screen, state),
        Some(Layer::Timeline) => timeline::draw(&mut pen, screen, state),
        None => {}
    }
}

fn too_small(pen: &mut Pen, screen: Rect) {
    let lines = [
        "the terminal is too small".to_owned(),
        format!("{} x {} now", screen.width, screen.height),
        format!("{} x {} needed", SMALLEST.0, SMALLEST.1),
    ];
    let place = centred(screen, screen.width, 3);
    for (row, line) in Pen::rows(place).zip(lines) {
        let row = centred(row, text::width(&line), 1);
        pen.put(row.x, row.y, row.width, &line, Meaning::Warn);
    }
}
