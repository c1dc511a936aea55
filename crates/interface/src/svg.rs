//! Renders a frame as SVG, cell by cell as on a terminal.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier, Style};

use super::theme::indexed::indexed_rgb;

mod glyph;

/// Width and height of a cell.
const CELL: (f64, f64) = (8.0, 17.0);

/// Margin around the screen.
const MARGIN: f64 = 10.0;

/// The terminal's default colours, which an SVG must define itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// Default text colour.
    pub foreground: (u8, u8, u8),
    /// Background colour.
    pub background: (u8, u8, u8),
}

impl Ground {
    /// Light text on dark.
    pub const DARK: Self = Self { foreground: (216, 222, 233), background: (22, 24, 33) };
    /// Dark text on light.
    pub const LIGHT: Self = Self { foreground: (36, 41, 47), background: (255, 255, 255) };
}

/// Draws a buffer as an SVG document. Lines, blocks and dots are drawn as shapes, so that they join as on a terminal;
/// the rest is text in a monospaced font.
#[must_use]
pub fn svg(buffer: &Buffer, ground: Ground) -> String {
    let (columns, rows) = (f64::from(buffer.area.width), f64::from(buffer.area.height));
    let (width, height) = (columns * CELL.0 + 2.0 * MARGIN, rows * CELL.1 + 2.0 * MARGIN);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>",
        hex(ground.background)
    );
    for row in 0..buffer.area.height {
        let cells: Vec<&Cell> = (0..buffer.area.width)
            .filter_map(|column| buffer.cell((buffer.area.x + column, buffer.area.y + row)))
            .collect();
        backgrounds(&mut svg, &cells, row, ground);
        symbols(&mut svg, &cells, row, ground);
    }
    svg.push_str("</svg>\n");
    svg
}

fn place(column: usize, row: u16) -> (f64, f64) {
    (MARGIN + column as f64 * CELL.0, MARGIN + f64::from(row) * CELL.1)
}

fn backgrounds(svg: &mut String, cells: &[&Cell], row: u16, ground: Ground) {
    for (start, run) in runs(cells, |cell| colors(cell, ground).1) {
        let color = colors(run[0], ground).1;
        if color != ground.background {
            let ((x, y), width) = (place(start, row), run.len() as f64 * CELL.0);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{}\"/>",
                CELL.1,
                hex(color)
            );
        }
    }
}

fn symbols(svg: &mut String, cells: &[&Cell], row: u16, ground: Ground) {
    for (start, run) in runs(cells, |cell| (colors(cell, ground).0, look(cell), glyph::is_drawn(cell.symbol()))) {
        let (color, look) = (hex(colors(run[0], ground).0), look(run[0]));
        if glyph::is_drawn(run[0].symbol()) {
            let (x, y) = place(start, row);
            let shapes: String = run
                .iter()
                .enumerate()
                .map(|(at, cell)| glyph::path(cell.symbol(), x + at as f64 * CELL.0, y, CELL))
                .collect();
            let _ = writeln!(svg, "<path d=\"{shapes}\" fill=\"{color}\"{look}/>");
            continue;
        }
        for (at, word) in words(run) {
            let ((x, y), width) = (place(start + at, row), word.len() as f64 * CELL.0);
            let text: String = word.iter().map(|cell| cell.symbol()).collect();
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{color}\"{look}>{}</text>",
                y + CELL.1 * 0.76,
                escape(&text)
            );
        }
    }
}

/// The words of a run with their columns: each is positioned by itself, so that the width of the font's spaces does
/// not matter.
fn words<'a, 'c>(run: &'a [&'c Cell]) -> impl Iterator<Item = (usize, &'a [&'c Cell])> {
    runs(run, |cell| cell.symbol() == " ").filter(|(_, word)| word[0].symbol() != " ")
}

/// Runs of equal neighbours, each with its first column.
fn runs<'a, 'c, K: PartialEq>(
    cells: &'a [&'c Cell],
    key: impl Fn(&Cell) -> K + 'a,
) -> impl Iterator<Item = (usize, &'a [&'c Cell])> {
    let mut start = 0;
    cells.chunk_by(move |a, b| key(a) == key(b)).map(move |run| {
        let at = start;
        start += run.len();
        (at, run)
    })
}

fn look(cell: &Cell) -> String {
    let mut look = String::new();
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::DIM, " opacity=\"0.6\""),
    ] {
        if cell.modifier.contains(modifier) {
            look.push_str(attribute);
        }
    }
    look
}

fn colors(cell: &Cell, ground: Ground) -> ((u8, u8, u8), (u8, u8, u8)) {
    let (fg, bg) = (rgb(cell.fg, ground.foreground), rgb(cell.bg, ground.background));
    if cell.modifier.contains(Modifier::REVERSED) { (bg, fg) } else { (fg, bg) }
}

/// The text colour of a style, if it has one.
pub(super) fn rgb_of(style: Style, otherwise: (u8, u8, u8)) -> (u8, u8, u8) {
    style.fg.map_or(otherwise, |color| rgb(color, otherwise))
}

fn rgb(color: Color, own: (u8, u8, u8)) -> (u8, u8, u8) {
    match color {
        Color::Reset => own,
        Color::Rgb(red, green, blue) => (red, green, blue),
        Color::Indexed(index) if index >= 16 => indexed_rgb(index),
        Color::Black | Color::Indexed(0) => (0, 0, 0),
        Color::Red | Color::Indexed(1) => (205, 49, 49),
        Color::Green | Color::Indexed(2) => (13, 158, 100),
        Color::Yellow | Color::Indexed(3) => (190, 150, 20),
        Color::Blue | Color::Indexed(4) => (50, 110, 210),
        Color::Magenta | Color::Indexed(5) => (188, 63, 188),
        Color::Cyan | Color::Indexed(6) => (17, 150, 190),
        Color::Gray | Color::Indexed(7) => (200, 200, 200),
        Color::DarkGray | Color::Indexed(8) => (110, 110, 110),
        Color::LightRed | Color::Indexed(9) => (241, 76, 76),
        Color::LightGreen | Color::Indexed(10) => (35, 209, 139),
        Color::LightYellow | Color::Indexed(11) => (235, 220, 80),
        Color::LightBlue | Color::Indexed(12) => (80, 150, 250),
        Color::LightMagenta | Color::Indexed(13) => (214, 112, 214),
        Color::LightCyan | Color::Indexed(14) => (60, 200, 230),
        Color::White | Color::Indexed(_) => (255, 255, 255),
    }
}

fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn text_is_escaped_and_dots_are_shapes() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(0, 0, "a<b", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD));
        buffer.set_string(3, 0, "⣿─█", Style::new());
        let svg = svg(&buffer, Ground::DARK);
        assert!(svg.contains("fill=\"#010203\" font-weight=\"bold\">a&lt;b</text>"), "{svg}");
        assert!(!svg.contains('⣿') && !svg.contains('█') && svg.contains("<path"), "{svg}");
    }
}
