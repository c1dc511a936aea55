//! A picture of lines and text that can be written as SVG or PNG.

mod png;
mod shape;
mod svg;

pub use shape::{Anchor, Picture, Rgb, Shape};

impl Picture {
    /// The picture as an SVG document.
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// One sentence if it cannot be encoded.
    pub fn to_png(&self) -> Result<Vec<u8>, String> {
        png::write(self)
    }
}
