//! A grid of braille dots, two columns and four rows in a cell.

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::theme::Meaning;

/// A grid of dots. Row 0 is at the top.
#[derive(Debug, Clone)]
pub struct Grid {
    cells: (usize, usize),
    bits: Vec<u8>,
}

/// The bit of each dot of a cell, by row and column.
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Grid {
    /// An empty grid for a place.
    #[must_use]
    pub fn new(area: Rect) -> Self {
        let cells = (usize::from(area.width), usize::from(area.height));
        Self { cells, bits: vec![0; cells.0 * cells.1] }
    }

    /// Columns and rows of dots.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.cells.0 * 2, self.cells.1 * 4)
    }

    /// Sets a dot; dots outside are ignored.
    pub fn dot(&mut self, x: usize, y: usize) {
        let (column, row) = (x / 2, y / 4);
        if column < self.cells.0 && row < self.cells.1 {
            self.bits[row * self.cells.0 + column] |= BITS[y % 4][x % 2];
        }
    }

    /// Sets the dots of a column between two rows, both inclusive.
    pub fn vertical(&mut self, x: usize, from: usize, to: usize) {
        for y in from.min(to)..=from.max(to) {
            self.dot(x, y);
        }
    }

    /// Connects two dots without gaps.
    pub fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let across = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        let between = |a: usize, b: usize, at: usize| (a * (across - at) + b * at + across / 2) / across;
        for at in 0..=across {
            self.dot(between(from.0, to.0, at), between(from.1, to.1, at));
        }
    }

    /// Draws the cells that have a dot; they replace the previous content.
    pub fn paint(&self, pen: &mut Pen, area: Rect, meaning: Meaning) {
        let style = pen.whole_style(meaning);
        for (index, &bits) in self.bits.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            let (x, y) = (index % self.cells.0, index / self.cells.0);
            let position = (area.x + x as u16, area.y + y as u16);
            if let Some(cell) = pen.buffer.cell_mut(position) {
                let symbol = char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
                cell.set_char(symbol).set_style(style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_hole() {
        let mut grid = Grid::new(Rect::new(0, 0, 2, 2));
        grid.line((0, 0), (3, 7));
        for row in 0..8 {
            let bits: u8 = (0..2).map(|column| grid.bits[row / 4 * 2 + column]).fold(0, |all, bits| all | bits);
            assert_ne!(bits & (BITS[row % 4][0] | BITS[row % 4][1]), 0, "row {row}");
        }
        grid.dot(99, 99);
    }
}
