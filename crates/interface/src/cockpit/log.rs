//! The log.

use std::collections::VecDeque;
use std::time::Duration;

use crate::frame::Severity;
use crate::text::safe_text;

/// The most lines that are kept.
const KEPT: usize = 2000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Training time of the run.
    pub time: Duration,
    /// Optimizer steps done.
    pub step: u64,
    /// Its severity.
    pub severity: Severity,
    /// The text, with control characters escaped.
    pub text: String,
}

/// The newest log lines.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    /// Number of newer lines scrolled out of sight.
    scroll: usize,
}

impl LogEntry {
    /// A line from untrusted text.
    #[must_use]
    pub fn new(time: Duration, step: u64, severity: Severity, text: &str) -> Self {
        Self { time, step, severity, text: safe_text(&text.replace('\n', " ")) }
    }
}

impl Log {
    /// Adds a line; a user who has scrolled back keeps the same lines in sight.
    pub fn push(&mut self, entry: LogEntry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        if self.scroll > 0 {
            self.scroll(1);
        }
    }

    /// Scrolls back by this many lines, or forward if negative.
    pub fn scroll(&mut self, back: isize) {
        self.scroll = self.scroll.saturating_add_signed(back).min(self.entries.len().saturating_sub(1));
    }

    /// Number of newer lines scrolled out of sight.
    #[must_use]
    pub fn scrolled(&self) -> usize {
        self.scroll
    }

    /// The lines from the last visible one, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &LogEntry> {
        self.entries.iter().rev().skip(self.scroll)
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
