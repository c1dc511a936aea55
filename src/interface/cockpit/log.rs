//! What happened, line by line.

use std::collections::VecDeque;
use std::time::Duration;

use crate::interface::frame::Weight;
use crate::interface::text::safe_text;

/// The lines that are kept.
const KEPT: usize = 2000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How long the run had trained.
    pub time: Duration,
    /// Optimizer steps taken.
    pub step: u64,
    /// How grave it is.
    pub weight: Weight,
    /// What happened, fit for the screen.
    pub text: String,
}

/// The newest lines.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    /// Lines that are scrolled out of sight below.
    scroll: usize,
}

impl Entry {
    /// A line with a text from anywhere.
    #[must_use]
    pub fn new(time: Duration, step: u64, weight: Weight, text: &str) -> Self {
        Self { time, step, weight, text: safe_text(&text.replace('\n', " ")) }
    }
}

impl Log {
    /// Adds a line; a reader who has scrolled back keeps the lines that are being read.
    pub fn push(&mut self, entry: Entry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        if self.scroll > 0 {
            self.scroll(1);
        }
    }

    /// Scrolls this many lines back, or forth where negative.
    pub fn scroll(&mut self, back: isize) {
        self.scroll = self.scroll.saturating_add_signed(back).min(self.entries.len().saturating_sub(1));
    }

    /// Lines that are scrolled out of sight below.
    #[must_use]
    pub fn scrolled(&self) -> usize {
        self.scroll
    }

    /// The lines, newest first, from the last one that is in sight.
    pub fn newest_first(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev().skip(self.scroll)
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
