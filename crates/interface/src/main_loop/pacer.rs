//! Paces the frames.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::terminal::Line;

/// The least time between two frames after input.
pub(super) const AFTER_INPUT: Duration = Duration::from_millis(16);

/// The least time between two frames after data only.
const AFTER_DATA: Duration = Duration::from_millis(33);

/// As [`AFTER_DATA`], over SSH.
const AFTER_DATA_REMOTE: Duration = Duration::from_millis(100);

/// As [`AFTER_DATA`], on a slow connection.
const AFTER_DATA_SLOW: Duration = Duration::from_millis(1000);

/// How much earlier than free the line may get a frame after input, so that a slow line is never idle between two
/// frames.
const EARLY: Duration = Duration::from_millis(50);

/// The interval of ticks.
const TICK: Duration = Duration::from_secs(1);

/// Decides when the next frame is due: never while nothing changes, and on a slow line not before it has carried the
/// previous frame. A frame drawn earlier would be outdated on arrival, and answers to keys would queue behind it.
#[derive(Debug)]
pub(super) struct Pacer {
    line: Line,
    last_frame: Instant,
    last_tick: Instant,
    after_data: Duration,
    /// Least time from the last frame to the next one; none while the screen is up to date.
    wait: Option<Duration>,
    /// Bytes written up to the last frame.
    written: usize,
    /// When the line has carried the last frame, and how long that takes.
    carried: (Instant, Duration),
}

impl Pacer {
    pub(super) fn new(now: Instant, remote: bool, line: Line) -> Self {
        let after_data = match remote {
            _ if line.is_slow() => AFTER_DATA_SLOW,
            true => AFTER_DATA_REMOTE,
            false => AFTER_DATA,
        };
        let written = line.written.load(Ordering::SeqCst);
        let carried = (now, Duration::ZERO);
        Self { line, last_frame: now, last_tick: now, after_data, wait: Some(Duration::ZERO), written, carried }
    }

    pub(super) fn input(&mut self) {
        self.wait = Some(self.wait.map_or(AFTER_INPUT, |wait| wait.min(AFTER_INPUT)));
    }

    pub(super) fn data(&mut self) {
        self.wait = Some(self.wait.map_or(self.after_data, |wait| wait.min(self.after_data)));
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if now.duration_since(self.last_tick) >= TICK {
            self.last_tick = now;
            self.data();
        }
    }

    /// When the next frame is due.
    fn frame(&self) -> Option<Instant> {
        let (until, took) = self.carried;
        self.wait.map(|wait| {
            // After data the line is left idle for as long as it was busy, so that a key finds it free half of the
            // time.
            let free = if wait > AFTER_INPUT { until + took } else { until.checked_sub(EARLY).unwrap_or(until) };
            (self.last_frame + wait).max(free)
        })
    }

    pub(super) fn due(&self, now: Instant) -> bool {
        self.frame().is_some_and(|due| now >= due)
    }

    /// Records that a frame was drawn, begun at this time.
    pub(super) fn drawn(&mut self, now: Instant) {
        let written = self.line.written.load(Ordering::SeqCst);
        let takes = self.line.carries(written.saturating_sub(self.written));
        self.carried = (self.carried.0.max(now) + takes, takes);
        (self.last_frame, self.written, self.wait) = (now, written, None);
    }

    /// When the loop must wake up without input.
    pub(super) fn next(&self, animated: bool) -> Option<Instant> {
        let tick = animated.then_some(self.last_tick + TICK);
        self.frame().into_iter().chain(tick).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_while_nothing_changes() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now, false, Line::default());
        assert!(pacer.due(now));
        pacer.drawn(now);
        assert!(!pacer.due(now + Duration::from_mins(1)));
        assert_eq!(pacer.next(false), None);
        pacer.data();
        assert!(!pacer.due(now + AFTER_INPUT));
        pacer.input();
        assert!(pacer.due(now + AFTER_INPUT));
    }

    #[test]
    fn a_slow_line_carries_a_frame_before_the_next_one_is_drawn() {
        let now = Instant::now();
        let line = Line::of_speed(9600);
        let mut pacer = Pacer::new(now, false, line.clone());
        line.written.fetch_add(1920, Ordering::SeqCst);
        pacer.drawn(now);
        // Two seconds for the frame, and two in which a key would be answered at once.
        pacer.data();
        assert!(!pacer.due(now + Duration::from_millis(3900)) && pacer.due(now + Duration::from_millis(4000)));
        pacer.input();
        assert!(!pacer.due(now + Duration::from_millis(1900)) && pacer.due(now + Duration::from_millis(1960)));
        // A small answer is sent at once.
        line.written.fetch_add(96, Ordering::SeqCst);
        let later = now + Duration::from_secs(3);
        pacer.drawn(later);
        pacer.data();
        assert!(!pacer.due(later + Duration::from_millis(900)) && pacer.due(later + Duration::from_millis(1000)));
    }

    #[test]
    fn a_line_without_a_speed_is_fast() {
        assert!([0, 38_400, 115_200].iter().all(|speed| !Line::of_speed(*speed).is_slow()));
        assert!([300, 9600, 19_200].iter().all(|speed| Line::of_speed(*speed).is_slow()));
    }
}
