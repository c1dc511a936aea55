//! What a picture is made of.

/// Red, green, blue.
pub type Rgb = (u8, u8, u8);

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// What everything stands on.
    pub background: Rgb,
    /// What stands on it, each over those before.
    pub shapes: Vec<Shape>,
}

/// What stands on a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Points joined by a line.
    Line {
        /// Where they are.
        points: Vec<(f64, f64)>,
        /// Their colour.
        colour: Rgb,
        /// How thick the line is.
        width: f64,
        /// How much of it is seen, 0 to 1.
        opacity: f64,
    },
    /// Words.
    Text {
        /// Where they begin, or end, or have their middle.
        x: f64,
        /// Their base line.
        y: f64,
        /// Which of these it is.
        anchor: Anchor,
        /// Their colour.
        colour: Rgb,
        /// The words.
        text: String,
    },
}

/// What of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}
