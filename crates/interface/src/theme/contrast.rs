//! Legibility: contrast by the definition of WCAG 2.

use ratatui::style::Color;

use super::Meaning;
use super::indexed::indexed_rgb;

/// Red, green and blue.
pub type Rgb = (u8, u8, u8);

/// Backgrounds of common dark terminals, for themes without a background of their own.
pub const DARK_GROUNDS: [Rgb; 3] = [(0, 0, 0), (22, 24, 33), (40, 44, 52)];
/// As [`DARK_GROUNDS`], for light terminals.
pub const LIGHT_GROUNDS: [Rgb; 2] = [(255, 255, 255), (250, 250, 250)];

/// The 16 colours of xterm and of the PC console; other palettes are similar.
const PALETTES: [[Rgb; 16]; 2] = [
    [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255, 255, 255),
    ],
    [
        (0, 0, 0),
        (170, 0, 0),
        (0, 170, 0),
        (170, 85, 0),
        (0, 0, 170),
        (170, 0, 170),
        (0, 170, 170),
        (170, 170, 170),
        (85, 85, 85),
        (255, 85, 85),
        (85, 255, 85),
        (255, 255, 85),
        (85, 85, 255),
        (255, 85, 255),
        (85, 255, 255),
        (255, 255, 255),
    ],
];

/// The 16 colours in the order of their numbers.
pub const SIXTEEN: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

impl Meaning {
    /// The least contrast with its background: 4.5 for text, 3 for meaningful dots of a chart; a border only separates
    /// panels.
    #[must_use]
    pub fn least_contrast(self) -> f64 {
        match self {
            Self::Border => 1.4,
            Self::Envelope | Self::Branch => 3.0,
            _ => 4.5,
        }
    }
}

/// The relative luminance of a colour.
fn luminance((red, green, blue): Rgb) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// The contrast of two colours, from 1 to 21.
#[must_use]
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Whether a colour is closer to white than to black.
#[must_use]
pub fn is_light(color: Rgb) -> bool {
    contrast(color, (0, 0, 0)) > contrast(color, (255, 255, 255))
}

/// A colour in each of the palettes; none for the terminal's default.
fn looks(color: Color) -> Option<[Rgb; 2]> {
    match color {
        Color::Reset => None,
        Color::Rgb(red, green, blue) => Some([(red, green, blue); 2]),
        Color::Indexed(index @ 16..) => Some([indexed_rgb(index); 2]),
        Color::Indexed(index) => Some(PALETTES.map(|palette| palette[usize::from(index)])),
        named => {
            let at = SIXTEEN.iter().position(|color| *color == named)?;
            Some(PALETTES.map(|palette| palette[at]))
        }
    }
}

/// The contrast of two terminal colours: the lowest one if palettes differ; none for the terminal's default colours.
#[must_use]
pub fn contrast_of(one: Color, other: Color) -> Option<f64> {
    let (one, other) = (looks(one)?, looks(other)?);
    Some(contrast(one[0], other[0]).min(contrast(one[1], other[1])))
}

/// A colour in xterm's palette.
#[must_use]
pub fn rgb(color: Color) -> Option<Rgb> {
    looks(color).map(|[first, _]| first)
}
