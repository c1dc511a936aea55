//! The file formats of an exported view.

/// The file format of an exported view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Every visible point.
    Csv,
    /// A vector picture.
    Svg,
    /// A pixel picture.
    Png,
    /// Text as on a terminal.
    Text,
}

impl Format {
    /// The file name extension.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Text => "txt",
        }
    }
}
