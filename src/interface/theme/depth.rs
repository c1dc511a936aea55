//! How many colours a terminal shows.

use ratatui::style::{Color, Style};

use super::Theme;

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Red, green and blue in 8 bits each.
    True,
    /// The 256 of xterm.
    Indexed,
}

impl Depth {
    /// What the terminal says of itself in `COLORTERM`.
    #[must_use]
    pub fn from_colorterm(colorterm: Option<&str>) -> Self {
        match colorterm {
            Some("truecolor" | "24bit") => Self::True,
            _ => Self::Indexed,
        }
    }

    /// The theme in colours that the terminal shows.
    pub(super) fn limit(self, mut theme: Theme) -> Theme {
        if self == Self::Indexed {
            theme.background = theme.background.map(nearest);
            theme.styles =
                theme.styles.map(|style| Style { fg: style.fg.map(nearest), bg: style.bg.map(nearest), ..style });
        }
        theme
    }
}

/// The levels of xterm's colour cube.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Red, green and blue of one of xterm's colours 16 to 255.
pub(crate) fn indexed_rgb(index: u8) -> (u8, u8, u8) {
    if index >= 232 {
        let grey = 8 + 10 * (index - 232);
        return (grey, grey, grey);
    }
    let cube = usize::from(index.saturating_sub(16));
    (LEVELS[cube / 36], LEVELS[cube / 6 % 6], LEVELS[cube % 6])
}

fn nearest(color: Color) -> Color {
    let Color::Rgb(red, green, blue) = color else { return color };
    let distance = |index: &u8| {
        let (r, g, b) = indexed_rgb(*index);
        [(r, red), (g, green), (b, blue)].map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).iter().sum::<u32>()
    };
    (16..=255).min_by_key(distance).map_or(color, Color::Indexed)
}
