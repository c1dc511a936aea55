//! Notices: sentences shown to the user for a while.

use std::time::Duration;

use crate::text;
use crate::theme::Meaning;

/// How long a notice is shown.
const SHOWN: Duration = Duration::from_secs(15);

/// The severity of a notice or log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Info,
    /// A request was carried out.
    Done,
    /// A warning.
    Warning,
    /// An error.
    Error,
}

impl Severity {
    /// The style of this severity.
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

/// A sentence shown for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its severity.
    pub severity: Severity,
    /// The sentence, with control characters escaped.
    pub text: String,
    /// When it was first shown, by time since the interface started.
    pub since: Duration,
}

impl Notice {
    /// A notice from untrusted text, shown from now on.
    #[must_use]
    pub fn new(severity: Severity, text: &str, now: Duration) -> Self {
        Self { severity, text: text::safe_text(text), since: now }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) > SHOWN
    }
}
