//! Lines, blocks and dots as shapes: fonts draw them with gaps between the cells.

use std::fmt::Write;

/// Whether a symbol is drawn as a shape.
pub fn is_drawn(symbol: &str) -> bool {
    matches!(
        symbol.chars().next(),
        Some(
            '\u{2801}'..='\u{28ff}' | '▁'..='█' | '─' | '│' | '━' | '┊' | '┈' | '╭' | '╮' | '╰' | '╯' | '░' | '■' | '▏',
        )
    )
}

/// The outline of a symbol in the cell at `x`, `y`.
pub fn path(symbol: &str, x: f64, y: f64, (width, height): (f64, f64)) -> String {
    let mut path = String::new();
    let mut rect = |left: f64, top: f64, wide: f64, high: f64| {
        let (left, top) = (x + left * width, y + top * height);
        let _ = write!(path, "M{left:.2} {top:.2}h{:.2}v{:.2}h{:.2}z", wide * width, high * height, -wide * width);
    };
    let Some(symbol) = symbol.chars().next() else { return path };
    match symbol {
        '\u{2801}'..='\u{28ff}' => {
            let bits = symbol as u32 - 0x2800;
            let rows_and_columns = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)];
            for (bit, (row, column)) in rows_and_columns.into_iter().enumerate() {
                if bits >> bit & 1 == 1 {
                    rect(0.12 + 0.5 * f64::from(column), 0.04 + 0.25 * f64::from(row), 0.3, 0.15);
                }
            }
        }
        '▁'..='█' => {
            let eighths = f64::from(symbol as u32 - '▁' as u32 + 1) / 8.0;
            rect(0.0, 1.0 - eighths, 1.0, eighths);
        }
        '▏' => rect(0.0, 0.0, 0.14, 1.0),
        '■' => rect(0.1, 0.3, 0.8, 0.42),
        '─' => rect(0.0, 0.47, 1.0, 0.06),
        '━' => rect(0.0, 0.43, 1.0, 0.15),
        '┈' => (0..4).for_each(|at| rect(0.05 + 0.25 * f64::from(at), 0.47, 0.12, 0.05)),
        '┊' => (0..4).for_each(|at| rect(0.44, 0.04 + 0.25 * f64::from(at), 0.12, 0.14)),
        '░' => {
            for row in 0..4 {
                (0..2).for_each(|at| rect(0.15 + 0.5 * f64::from(at), 0.08 + 0.25 * f64::from(row), 0.14, 0.07));
            }
        }
        '│' => rect(0.44, 0.0, 0.12, 1.0),
        '╭' | '╮' | '╰' | '╯' => {
            let (left, top) = (
                if matches!(symbol, '╭' | '╰') { 0.44 } else { 0.0 },
                if matches!(symbol, '╭' | '╮') { 0.47 } else { 0.0 },
            );
            rect(left, 0.47, 0.56, 0.06);
            rect(0.44, top, 0.12, 0.53);
        }
        _ => {}
    }
    path
}
