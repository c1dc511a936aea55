//! The fields that every screen has.

use std::time::Duration;

use super::{Look, Notice, Overlay, Severity};

/// The fields that every screen has; the frame keeps them up to date.
#[derive(Debug, Clone)]
pub struct Env {
    /// Theme and keys.
    pub look: Look,
    /// The open overlay: help, palette or themes.
    pub overlay: Option<Overlay>,
    /// The latest notice.
    pub notice: Option<Notice>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Time since the interface started.
    pub now: Duration,
}

impl Env {
    /// The environment of a screen with this look, before its size is known.
    #[must_use]
    pub fn new(look: Look) -> Self {
        Self { look, overlay: None, notice: None, size: (0, 0), now: Duration::ZERO }
    }

    /// Shows a notice for a while.
    pub fn say(&mut self, severity: Severity, text: impl AsRef<str>) {
        self.notice = Some(Notice::new(severity, text.as_ref(), self.now));
    }
}
