//! The colour depth of terminals.

use ratatui::style::{Color, Modifier, Style};

use super::contrast::{self, DARK_GROUNDS, LIGHT_GROUNDS, Rgb, SIXTEEN, contrast_of};
use super::indexed::indexed_rgb;
use super::{Meaning, Theme};

/// The colour depth of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 24-bit colours.
    True,
    /// The 256 colours of xterm.
    Indexed,
    /// The 16 basic colours, whose shades the user may have changed.
    Sixteen,
}

/// Terminals with 16 colours, by the beginning of their name.
const FEW: [&str; 8] = ["linux", "vt", "ansi", "cygwin", "cons", "xterm-16color", "rxvt-16color", "pcansi"];

/// The least contrast between the background of a highlighted row and that of the others.
const SEEN: f64 = 1.2;

impl Depth {
    /// The depth according to `COLORTERM` and `TERM`.
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

    /// The theme in colours of this depth: the nearest legible ones.
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

    /// The colours of this depth.
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

    /// The possible backgrounds of the theme: its own, or those of the terminals for which it is made.
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

    /// A style in colours of this depth, legible on its background.
    fn fitted(self, style: Style, meaning: Meaning, grounds: &[Color], taken: &[Color]) -> Style {
        let bg = style.bg.map(|color| self.nearest(color));
        let apart =
            |bg: &Color| grounds.iter().all(|ground| contrast_of(*bg, *ground).is_none_or(|found| found >= SEEN));
        // A row marked by its background alone, if that is no longer distinct, is shown reversed.
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

    /// Of the colours with at least this contrast to all possible backgrounds, the one most similar to `color`.
    fn legible(self, color: Color, behind: &[Color], least: f64, taken: &[Color]) -> Color {
        let Some(rgb) = contrast::rgb(color) else { return color };
        let is_legible =
            |color: &Color| behind.iter().all(|ground| contrast_of(*color, *ground).is_none_or(|found| found >= least));
        let nearest = self.nearest(color);
        if is_legible(&nearest) && !taken.contains(&nearest) {
            return nearest;
        }
        let candidates = self.palette().into_iter().filter(is_legible);
        // Curves with the same colour cannot be told apart; colours are shared only if there are too few.
        let key = |color: &Color| (taken.contains(color) && self == Self::Sixteen, self.unlikeness(rgb, *color));
        candidates.min_by_key(key).unwrap_or(nearest)
    }

    /// The dissimilarity of two colours: of the 16 by hue, since users may change their shades.
    fn unlikeness(self, wanted: Rgb, color: Color) -> u32 {
        let Some(found) = contrast::rgb(color) else { return u32::MAX };
        if self != Self::Sixteen {
            return distance(wanted, found);
        }
        let (hued, is_hued) = (has_hue(wanted), has_hue(found));
        match (hued, is_hued) {
            (true, true) => {
                let turn = (hue(wanted) - hue(found)).unsigned_abs();
                // Of two colours with the same hue, the one of similar brightness.
                turn.min(360 - turn) * 1000 + distance(wanted, found) / 1000
            }
            (false, false) => distance(wanted, found) / 1000,
            _ => 400_000 + distance(wanted, found) / 1000,
        }
    }
}

/// The squared distance of two colours.
fn distance((red, green, blue): Rgb, (r, g, b): Rgb) -> u32 {
    [(r, red), (g, green), (b, blue)].map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).iter().sum()
}

fn nearest(color: Color) -> Color {
    let Color::Rgb(red, green, blue) = color else { return color };
    let from = |index: &u8| distance((red, green, blue), indexed_rgb(*index));
    (16..=255).min_by_key(from).map_or(color, Color::Indexed)
}

/// Whether a colour is not grey.
fn has_hue((red, green, blue): Rgb) -> bool {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    u16::from(most - least) * 4 >= u16::from(most).max(160)
}

/// By hue, since users may change the shades of the 16: a colour of low saturation becomes a grey by its brightness.
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
        // Orange is the dark yellow of the 16, whatever its brightness.
        18..36 => Color::Yellow,
        36..75 => bright(Color::LightYellow, Color::Yellow),
        75..165 => bright(Color::LightGreen, Color::Green),
        165..200 => bright(Color::LightCyan, Color::Cyan),
        200..265 => bright(Color::LightBlue, Color::Blue),
        265..335 => bright(Color::LightMagenta, Color::Magenta),
        _ => bright(Color::LightRed, Color::Red),
    }
}

/// The hue of a colour that is not grey, in degrees.
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
