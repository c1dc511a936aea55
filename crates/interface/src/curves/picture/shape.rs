//! The shapes of a picture.

/// Red, green, blue.
pub type Rgb = (u8, u8, u8);

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Background colour.
    pub background: Rgb,
    /// The shapes, later ones over earlier ones.
    pub shapes: Vec<Shape>,
}

/// A shape in a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A polyline.
    Line {
        /// Its points.
        points: Vec<(f64, f64)>,
        /// Their colour.
        colour: Rgb,
        /// Its width.
        width: f64,
        /// Its opacity, 0 to 1.
        opacity: f64,
    },
    /// A text.
    Text {
        /// Position of the anchor.
        x: f64,
        /// Baseline.
        y: f64,
        /// Which point of the text is at `x`.
        anchor: Anchor,
        /// Their colour.
        colour: Rgb,
        /// The text.
        text: String,
    },
}

/// The point of a text that its position refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}
