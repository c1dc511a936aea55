//! What every screen has in common.

use std::time::Duration;

use super::{Look, Notice, Overlay, Weight};

/// What every screen has in common. The frame keeps it up to date.
#[derive(Debug, Clone)]
pub struct Env {
    /// How it looks and listens.
    pub look: Look,
    /// Help, palette or themes over all of it.
    pub overlay: Option<Overlay>,
    /// What was last said to the user.
    pub notice: Option<Notice>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Time since the interface came up.
    pub now: Duration,
}

impl Env {
    /// Of a screen that looks like this, before it has a size.
    #[must_use]
    pub fn new(look: Look) -> Self {
        Self { look, overlay: None, notice: None, size: (0, 0), now: Duration::ZERO }
    }

    /// Shows the user a sentence for a while.
    pub fn say(&mut self, weight: Weight, text: impl AsRef<str>) {
        self.notice = Some(Notice::new(weight, text.as_ref(), self.now));
    }
}
