//! Reports the download's progress at a readable pace.

use std::time::{Duration, Instant};

use super::Progress;

const PACE: Duration = Duration::from_millis(100);

/// Counts the bytes of all files together.
pub(super) struct Meter<'a> {
    what: String,
    total: u64,
    finished: u64,
    told: Option<Instant>,
    progress: Progress<'a>,
}

impl<'a> Meter<'a> {
    /// `None` while the total number of bytes is unknown.
    pub fn new(what: String, total: Option<u64>, progress: Progress<'a>) -> Self {
        Self { what, total: total.unwrap_or(0), finished: 0, told: None, progress }
    }

    /// Sets the bytes of the current file.
    pub fn at(&mut self, position: u64) {
        if self.told.is_none_or(|told| told.elapsed() >= PACE) {
            self.report(position);
        }
    }

    /// The current file, of this size, is complete.
    pub fn finish(&mut self, size: u64) {
        self.finished += size;
        self.report(0);
    }

    /// Reports another activity.
    pub fn wait(&mut self, why: &str) {
        (self.progress)(why, None);
    }

    fn report(&mut self, position: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a fraction for people")]
        let fraction = (self.total > 0).then(|| ((self.finished + position) as f32 / self.total as f32).min(1.0));
        (self.progress)(&self.what, fraction);
        self.told = Some(Instant::now());
    }
}
