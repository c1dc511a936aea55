//! Writes into a frame, clipped to it and in the theme's styles.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use super::text;
use super::theme::{Meaning, Theme};

/// Writes into a buffer in a theme's styles, clipped to the buffer.
#[derive(Debug)]
pub struct Pen<'a> {
    /// The buffer.
    pub buffer: &'a mut Buffer,
    /// The source of the styles.
    pub theme: &'a Theme,
}

impl<'a> Pen<'a> {
    /// A pen for this buffer and theme.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self { buffer, theme }
    }
}

impl Pen<'_> {
    /// The style of a meaning.
    #[must_use]
    pub fn style(&self, meaning: Meaning) -> Style {
        self.theme.style(meaning)
    }

    /// The style of a meaning with everything but the background reset.
    #[must_use]
    pub fn whole_style(&self, meaning: Meaning) -> Style {
        let style = self.style(meaning);
        let color = style.fg.or(self.theme.ground().fg).unwrap_or(Color::Reset);
        style.fg(color).remove_modifier(Modifier::all() - style.add_modifier)
    }

    /// Writes a text of at most `room` cells, cut with an ellipsis; returns the next cell.
    pub fn write(&mut self, x: u16, y: u16, room: u16, text: &str, style: impl Into<Style>) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return x;
        }
        let room = room.min(area.right() - x);
        let text = text::truncate(text, room);
        self.buffer.set_stringn(x, y, text, usize::from(room), style).0
    }

    /// As [`Pen::write`], in the style of a meaning, replacing the previous style.
    pub fn put(&mut self, x: u16, y: u16, room: u16, text: &str, meaning: Meaning) -> u16 {
        self.write(x, y, room, text, self.whole_style(meaning))
    }

    /// Writes pieces one after another into a row; returns the next cell.
    pub fn pieces<'t>(&mut self, row: Rect, pieces: impl IntoIterator<Item = (&'t str, Meaning)>) -> u16 {
        pieces
            .into_iter()
            .fold(row.x, |x, (piece, meaning)| self.put(x, row.y, row.right().saturating_sub(x), piece, meaning))
    }

    /// Writes a right-aligned text; returns the cell where it begins.
    pub fn put_right(&mut self, row: Rect, text: &str, meaning: Meaning) -> u16 {
        let x = row.right().saturating_sub(text::width(text)).max(row.x);
        self.put(x, row.y, row.right() - x, text, meaning);
        x
    }

    /// Fills an area with a symbol.
    pub fn fill(&mut self, area: Rect, symbol: char, meaning: Meaning) {
        let style = self.whole_style(meaning);
        for position in area.intersection(self.buffer.area).positions() {
            self.buffer[position].set_char(symbol).set_style(style);
        }
    }

    /// Changes the style of an area, keeping its text.
    pub fn restyle(&mut self, area: Rect, meaning: Meaning) {
        let style = self.style(meaning);
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Clears an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        Clear.render(area, self.buffer);
        self.buffer.set_style(area, self.theme.ground());
    }

    /// Clears an area and draws a box around it; returns the inside.
    pub fn frame(&mut self, area: Rect, border: Meaning) -> Rect {
        let area = area.intersection(self.buffer.area);
        self.clear(area);
        let block = Block::bordered().border_type(BorderType::Rounded).border_style(self.style(border));
        let inner = block.inner(area);
        block.render(area, self.buffer);
        inner
    }

    /// The rows of an area.
    pub fn rows(area: Rect) -> impl DoubleEndedIterator<Item = Rect> {
        (area.top()..area.bottom()).map(move |y| Rect { y, height: 1, ..area })
    }
}
