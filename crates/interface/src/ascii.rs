//! Converts a screen to ASCII, for terminals and fonts without other characters.

use ratatui::buffer::Buffer;

/// First of the 256 braille characters.
const BRAILLE: u32 = 0x2800;

/// Replaces every character outside ASCII: lines, dots and marks by similar ones, letters without a similar one by a
/// question mark.
pub fn flatten(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if !symbol.is_ascii() {
            let likeness = symbol.chars().next().map_or(' ', likeness);
            cell.set_char(likeness);
        }
    }
}

/// The most similar ASCII character.
#[must_use]
pub fn likeness(c: char) -> char {
    match c {
        c if c.is_ascii() => c,
        '\u{2800}'..='\u{28ff}' => dots(u32::from(c) - BRAILLE),
        '─' | '┈' | '┄' | '╌' | '–' | '—' | '‐' | '−' | '·' => '-',
        '│' | '┃' | '┊' | '┆' | '╎' | '╵' | '╷' | '▏' | '▎' | '║' => '|',
        '━' | '═' | '▅' | '▄' | '▒' | '▀' | '▋' | '▌' | '▐' => '=',
        '╭' | '╮' | '╰' | '╯' | '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╋' | '✓' | '✔' | '±' => {
            '+'
        }
        '█' | '▇' | '▆' | '▓' | '■' | '▉' | '▊' => '#',
        '▃' | '▂' | '▁' | '▍' => '_',
        '░' => '.',
        '●' | '◉' | '•' => '*',
        '◆' | '◇' | '○' => 'o',
        '▲' | '△' | '↑' | '▴' => '^',
        '▼' | '▽' | '↓' | '▾' => 'v',
        '→' | '›' | '▶' | '▸' | '»' | '≥' => '>',
        '←' | '‹' | '◀' | '◂' | '«' | '≤' => '<',
        '×' | '✗' | '✕' | '✖' => 'x',
        '…' | '≈' => '~',
        'Δ' => 'd',
        'µ' | 'μ' => 'u',
        '\u{a0}' | '\u{202f}' => ' ',
        '‘' | '’' => '\'',
        '“' | '”' | '„' => '"',
        _ => '?',
    }
}

/// A braille cell as one character, by the position or the number of its dots.
fn dots(bits: u32) -> char {
    const UPPER: u32 = 0b0001_1011;
    match (bits.count_ones(), bits & UPPER != 0, bits & !UPPER != 0) {
        (0, ..) => ' ',
        (6.., ..) => '#',
        (_, true, false) => '\'',
        (_, false, _) => '.',
        _ => ':',
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn dots_keep_their_place() {
        assert_eq!(['⠁', '⠉', '⠛', '⣀', '⠤', '⡇', '⣿', '⠀'].map(likeness), ['\'', '\'', '\'', '.', '.', ':', '#', ' ']);
    }

    #[test]
    fn nothing_but_ascii_is_left_and_nothing_moves() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 1));
        buffer.set_string(0, 0, "│ 漢字 é ● → 6 …", ratatui::style::Style::new());
        flatten(&mut buffer);
        let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(text, "| ? ?  ? * > 6 ~    ");
    }
}
