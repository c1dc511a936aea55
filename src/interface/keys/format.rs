//! What a view of curves is written as.

/// What a view is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Every point in sight.
    Csv,
    /// A picture of lines.
    Svg,
    /// A picture of dots.
    Png,
    /// What a terminal shows.
    Text,
}

impl Format {
    /// The end of the file's name.
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
