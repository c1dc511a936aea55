//! How many colours a terminal shows.

use ratatui::style::{Color, Modifier, Style};

use super::contrast::{self, DARK_GROUNDS, LIGHT_GROUNDS, Rgb, SIXTEEN, contrast_of};
use super::indexed::indexed_rgb;
use super::{Meaning, Theme};

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

/// The least contrast between the background of a row that is marked by it, and that of others.
const SEEN: f64 = 1.2;

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

    /// The theme in colours that the terminal shows: of those that can be read, the nearest ones.
    pub(super) fn limit(self, theme: Theme) -> Theme {
        if self == Self::True {
            return theme;
        }
        let grounds = self.grounds(&theme);
        let background = theme.background.map(|color| self.nearest(color));
        let mut styles = theme.styles;
        let mut taken = Vec::new();
        for meaning in Meaning::ALL {
            let style = &mut styles[meaning as usize];
            *style = self.fitted(*style, meaning, &grounds, &taken);
            if Meaning::SERIES.contains(&meaning) {
                taken.extend(style.fg);
            }
        }
        Theme { styles, background, ..theme }
    }

    /// The colours that the terminal shows.
    fn palette(self) -> Vec<Color> {
        match self {
            Self::Sixteen => SIXTEEN.to_vec(),
            Self::True | Self::Indexed => (16..=255).map(Color::Indexed).collect(),
        }
    }

    fn nearest(self, color: Color) -> Color {
        match self {
            Self::True => color,
            Self::Indexed => nearest(color),
            Self::Sixteen => nearest_of_sixteen(color),
        }
    }

    /// What may be behind the theme: its own background, or those of the terminals for which it is made.
    fn grounds(self, theme: &Theme) -> Vec<Color> {
        let text = theme.style(Meaning::Text).fg.and_then(contrast::rgb);
        let is_dark = text.is_none_or(contrast::is_light);
        match (theme.background, self) {
            (Some(background), _) => vec![self.nearest(background)],
            (None, Self::Sixteen) => vec![if is_dark { Color::Black } else { Color::White }],
            (None, _) => {
                let grounds = if is_dark { &DARK_GROUNDS[..] } else { &LIGHT_GROUNDS[..] };
                grounds.iter().map(|(red, green, blue)| Color::Rgb(*red, *green, *blue)).collect()
            }
        }
    }

    /// A style in colours that the terminal shows, which can be told from what is behind it.
    fn fitted(self, style: Style, meaning: Meaning, grounds: &[Color], taken: &[Color]) -> Style {
        let bg = style.bg.map(|color| self.nearest(color));
        let apart =
            |bg: &Color| grounds.iter().all(|ground| contrast_of(*bg, *ground).is_none_or(|found| found >= SEEN));
        // A row that only its background marks, and that has become like the others, is shown reversed.
        let (fg, bg) = match (style.fg, bg) {
            (fg, Some(bg)) if !apart(&bg) => (Some(grounds[0]), fg.map(|fg| self.nearest(fg)).or(Some(bg))),
            (fg, bg) => (fg, bg),
        };
        let behind = bg.map_or_else(|| grounds.to_vec(), |bg| vec![bg]);
        let fg = fg.map(|fg| self.legible(fg, &behind, meaning.least_contrast(), taken));
        let hidden = fg.is_some() && behind.iter().any(|ground| fg == Some(*ground));
        if hidden {
            return Style { fg: None, bg: None, ..style }.add_modifier(Modifier::REVERSED);
        }
        Style { fg, bg, ..style }
    }

    /// Of the colours with at least this contrast to all that may be behind, the one that is most like `color`.
    fn legible(self, color: Color, behind: &[Color], least: f64, taken: &[Color]) -> Color {
        let Some(rgb) = contrast::rgb(color) else { return color };
        let is_legible =
            |color: &Color| behind.iter().all(|ground| contrast_of(*color, *ground).is_none_or(|found| found >= least));
        let nearest = self.nearest(color);
        if is_legible(&nearest) && !taken.contains(&nearest) {
            return nearest;
        }
        let candidates = self.palette().into_iter().filter(is_legible);
        // Curves that share a colour cannot be told apart; where there are more of them than colours, they must.
        let key = |color: &Color| (taken.contains(color) && self == Self::Sixteen, self.unlikeness(rgb, *color));
        candidates.min_by_key(key).unwrap_or(nearest)
    }

    /// How little a colour is like another one: of the 16 by hue, since their shades are anyone's.
    fn unlikeness(self, wanted: Rgb, color: Color) -> u32 {
        let Some(found) = contrast::rgb(color) else { return u32::MAX };
        if self != Self::Sixteen {
            return distance(wanted, found);
        }
        let (hued, is_hued) = (has_hue(wanted), has_hue(found));
        match (hued, is_hued) {
            (true, true) => {
                let turn = (hue(wanted) - hue(found)).unsigned_abs();
                // Of two of one hue the one that is as bright.
                turn.min(360 - turn) * 1000 + distance(wanted, found) / 1000
            }
            (false, false) => distance(wanted, found) / 1000,
            _ => 400_000 + distance(wanted, found) / 1000,
        }
    }
}

/// The square of the way from one colour to another.
fn distance((red, green, blue): Rgb, (r, g, b): Rgb) -> u32 {
    [(r, red), (g, green), (b, blue)].map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).iter().sum()
}

fn nearest(color: Color) -> Color {
    let Color::Rgb(red, green, blue) = color else { return color };
    let from = |index: &u8| distance((red, green, blue), indexed_rgb(*index));
    (16..=255).min_by_key(from).map_or(color, Color::Indexed)
}

/// Whether a colour is more than a grey.
fn has_hue((red, green, blue): Rgb) -> bool {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    u16::from(most - least) * 4 >= u16::from(most).max(160)
}

/// By hue, since the shades of the 16 are anyone's: what has little colour becomes a grey, by its brightness.
fn nearest_of_sixteen(color: Color) -> Color {
    let (red, green, blue) = match color {
        Color::Rgb(red, green, blue) => (red, green, blue),
        Color::Indexed(index @ 16..) => indexed_rgb(index),
        color => return color,
    };
    let most = red.max(green).max(blue);
    if !has_hue((red, green, blue)) {
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
