//! What leads to the terminal.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// Bits a second below which a line is slow. Terminals that have no speed say 38,400.
const SLOW: u32 = 38_400;

/// What leads to the terminal: how much was written, and how fast it goes.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Bytes that were written so far.
    pub written: Arc<AtomicUsize>,
    /// Bytes that it takes in a second, where the terminal says that this is few.
    slow: Option<f64>,
}

impl Line {
    /// The line to the terminal that standard input comes from.
    #[must_use]
    pub fn of_terminal() -> Self {
        let speed = rustix::termios::tcgetattr(std::io::stdin()).map_or(0, |terminal| terminal.output_speed());
        Self::of_speed(speed)
    }

    /// A line of so many bits a second; 0: as fast as anything.
    #[must_use]
    pub fn of_speed(speed: u32) -> Self {
        // Each byte has a bit before and one after it.
        Self { slow: (1..SLOW).contains(&speed).then(|| f64::from(speed) / 10.0), ..Self::default() }
    }

    /// Whether it is slow, by the terminal's own word.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.slow.is_some()
    }

    /// How long it takes to carry so many bytes.
    #[must_use]
    pub fn carries(&self, bytes: usize) -> Duration {
        self.slow.map_or(Duration::ZERO, |speed| Duration::from_secs_f64(bytes as f64 / speed))
    }
}
