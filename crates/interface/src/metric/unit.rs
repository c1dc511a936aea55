//! The units of charted values.

use crate::text;

/// The unit of a value, which determines its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Numbers.
    #[default]
    Plain,
    /// Shares, shown as percentages.
    Share,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Counts.
    Count,
}

impl Unit {
    /// A value with its unit.
    #[must_use]
    pub fn value(self, value: f64) -> String {
        if !value.is_finite() {
            return text::number(value);
        }
        match self {
            Self::Plain => text::number(value),
            Self::Share => text::percent(value),
            Self::Bytes => text::bytes(value.max(0.0) as u64),
            Self::Seconds => text::milliseconds(value * 1000.0),
            Self::Count => text::count(value.max(0.0) as u64),
        }
    }

    /// A difference of two values.
    #[must_use]
    pub fn difference(self, difference: f64) -> String {
        match self {
            Self::Plain => format!("{difference:+.4}"),
            Self::Share => format!("{:+.2} points", difference * 100.0),
            _ if difference < 0.0 => format!("-{}", self.value(-difference)),
            _ => format!("+{}", self.value(difference)),
        }
    }

    /// The label of a round value; `plain` if it has no unit.
    #[must_use]
    pub fn label(self, value: f64, plain: String) -> String {
        match self {
            Self::Plain => plain,
            Self::Share => text::number_short(value * 100.0) + " %",
            Self::Seconds => text::milliseconds(value * 1000.0),
            Self::Bytes | Self::Count => self.value(value),
        }
    }
}
