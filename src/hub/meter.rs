//! How far the download is, told at a pace that people can follow.

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
    /// `None` while it is not known how many bytes there are.
    pub fn new(what: String, total: Option<u64>, progress: Progress<'a>) -> Self {
        Self { what, total: total.unwrap_or(0), finished: 0, told: None, progress }
    }

    /// So many bytes of the current file are there.
    pub fn at(&mut self, position: u64) {
        if self.told.is_none_or(|told| told.elapsed() >= PACE) {
            self.tell(position);
        }
    }

    /// The current file, of so many bytes, is there.
    pub fn finish(&mut self, size: u64) {
        self.finished += size;
        self.tell(0);
    }

    /// Something else takes a while.
    pub fn wait(&mut self, why: &str) {
        (self.progress)(why, None);
    }

    fn tell(&mut self, position: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a fraction for people")]
        let fraction = (self.total > 0).then(|| ((self.finished + position) as f32 / self.total as f32).min(1.0));
        (self.progress)(&self.what, fraction);
        self.told = Some(Instant::now());
    }
}
