//! The meanings of styles.

macro_rules! meanings {
    ($($variant:ident $name:literal $(< $parent:ident)? : $help:literal),+ $(,)?) => {
        /// The meaning of a style. A meaning that a theme does not define has the style of its parent.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Meaning { $(#[doc = $help] $variant),+ }

        impl Meaning {
            /// All meanings, parents before their children.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// Its name in a theme file.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The meaning whose style is its default.
            #[must_use]
            pub fn parent(self) -> Option<Self> {
                match self { $(Self::$variant => None$(.or(Some(Self::$parent)))?),+ }
            }
        }
    };
}

meanings! {
    Text "text": "Plain text.",
    Muted "muted" < Text: "Text of lesser weight: labels, units, hints.",
    Title "title" < Text: "Titles of panels.",
    Border "border" < Muted: "Borders of panels.",
    Focus "focus" < Title: "Border and title of the panel that has the keys.",
    Selection "selection" < Text: "The selected row.",
    Key "key" < Focus: "Names of keys.",
    Ok "ok" < Text: "All is well.",
    Warn "warn" < Text: "Look at this.",
    Error "error" < Warn: "This failed.",
    Axis "axis" < Muted: "Axes and their numbers.",
    Cursor "cursor" < Selection: "Where typed text goes.",
    Pending "pending" < Warn: "A value that was asked for and is not in force.",
    Applied "applied" < Ok: "A value that came into force just now.",
    GaugeLow "gauge_low" < Ok: "A gauge far from its limit.",
    GaugeMid "gauge_mid" < Warn: "A gauge near its limit.",
    GaugeHigh "gauge_high" < Error: "A gauge at its limit.",
    Series1 "series1" < Text: "First curve.",
    Series2 "series2" < Series1: "Second curve.",
    Series3 "series3" < Series1: "Third curve.",
    Series4 "series4" < Series1: "Fourth curve.",
    Series5 "series5" < Series1: "Fifth curve.",
    Series6 "series6" < Series1: "Sixth curve.",
    Series7 "series7" < Series1: "Seventh curve.",
    Series8 "series8" < Series1: "Eighth curve.",
    Branch "branch" < Muted: "A curve that was left behind on another branch.",
    Envelope "envelope" < Muted: "Raw values behind a smoothed curve.",
}

impl Meaning {
    /// The meanings of curves, in order.
    pub const SERIES: [Self; 8] = [
        Self::Series1,
        Self::Series2,
        Self::Series3,
        Self::Series4,
        Self::Series5,
        Self::Series6,
        Self::Series7,
        Self::Series8,
    ];

    /// The meaning of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meaning| meaning.name() == name)
    }

    /// All names, for an error.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}
