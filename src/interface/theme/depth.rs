//! How many colours a terminal shows.

use ratatui::style::{Color, Modifier, Style};

use super::Theme;

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Red, green and blue in 8 bits each.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 of the oldest terminals, whose shades the user may have chosen.
    Sixteen,
}

/// Terminals that show 16 colours, by what their names begin with.
const FEW: [&str; 8] = ["linux", "vt", "ansi", "cygwin", "cons", "xterm-16color", "rxvt-16color", "pcansi"];

impl Depth {
    /// What the terminal says of itself in `COLORTERM` and `TERM`.
    #[must_use]
    pub fn of_terminal(colorterm: Option<&str>, term: Option<&str>) -> Self {
        let term = term.unwrap_or_default();
        match colorterm {
            Some("truecolor" | "24bit") => Self::True,
            _ if term.ends_with("-direct") => Self::True,
            _ if FEW.iter().any(|name| term.starts_with(name)) => Self::Sixteen,
            _ => Self::Indexed,
        }
    }

    /// The theme in colours that the terminal shows.
    pub(super) fn limit(self, mut theme: Theme) -> Theme {
        let nearest = match self {
            Self::True => return theme,
            Self::Indexed => nearest,
            Self::Sixteen => nearest_of_sixteen,
        };
        theme.background = theme.background.map(nearest);
        let ground = theme.background;
        theme.styles = theme.styles.map(|style| {
            let style = Style { fg: style.fg.map(nearest), bg: style.bg.map(nearest), ..style };
            // Text that has become one with what is behind it is shown reversed on the terminal's own colours.
            if style.fg.is_some() && style.fg == style.bg.or(ground) {
                return Style { fg: None, bg: None, ..style }.add_modifier(Modifier::REVERSED);
            }
            style
        });
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

/// By hue, since the shades of the 16 are anyone's: what has little colour becomes a grey, by its brightness.
fn nearest_of_sixteen(color: Color) -> Color {
    let (red, green, blue) = match color {
        Color::Rgb(red, green, blue) => (red, green, blue),
        Color::Indexed(index @ 16..) => indexed_rgb(index),
        color => return color,
    };
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let range = most - least;
    if u16::from(range) * 4 < u16::from(most).max(160) {
        return match most {
            0..=55 => Color::Black,
            56..=159 => Color::DarkGray,
            160..=219 => Color::Gray,
            _ => Color::White,
        };
    }
    let bright = |light: Color, dark: Color| if most >= 160 { light } else { dark };
    match hue((red, green, blue)) {
        // Orange is the dark yellow of the 16, however bright it is.
        18..36 => Color::Yellow,
        36..75 => bright(Color::LightYellow, Color::Yellow),
        75..165 => bright(Color::LightGreen, Color::Green),
        165..200 => bright(Color::LightCyan, Color::Cyan),
        200..265 => bright(Color::LightBlue, Color::Blue),
        265..335 => bright(Color::LightMagenta, Color::Magenta),
        _ => bright(Color::LightRed, Color::Red),
    }
}

/// The hue of a colour that is no grey, in degrees.
fn hue((red, green, blue): (u8, u8, u8)) -> i32 {
    let (red, green, blue) = (i32::from(red), i32::from(green), i32::from(blue));
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let part = |difference: i32| 60 * difference / (most - least).max(1);
    let hue = if most == red {
        part(green - blue)
    } else if most == green {
        120 + part(blue - red)
    } else {
        240 + part(red - green)
    };
    hue.rem_euclid(360)
}
