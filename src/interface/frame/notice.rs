//! What a screen says to the user for a while.

use std::time::Duration;

use crate::interface::text;
use crate::interface::theme::Meaning;

/// How long a notice stays on the screen.
const SHOWN: Duration = Duration::from_secs(15);

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Info,
    /// Something was done as asked.
    Done,
    /// Look at this.
    Warning,
    /// This failed.
    Error,
}

impl Weight {
    /// The style of a line of this weight.
    #[must_use]
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Info => Meaning::Text,
            Self::Done => Meaning::Applied,
            Self::Warning => Meaning::Warn,
            Self::Error => Meaning::Error,
        }
    }
}

/// A sentence that is shown for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How grave it is.
    pub weight: Weight,
    /// The sentence, fit for the screen.
    pub text: String,
    /// When it was first shown, in time since the interface came up.
    pub since: Duration,
}

impl Notice {
    /// A sentence from anywhere, shown from now on.
    #[must_use]
    pub fn new(weight: Weight, text: &str, now: Duration) -> Self {
        Self { weight, text: text::safe_text(text), since: now }
    }

    /// Whether it has been shown long enough.
    #[must_use]
    pub fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) > SHOWN
    }
}
