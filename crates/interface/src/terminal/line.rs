//! The connection to the terminal.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// Speed in bits per second below which a line is slow. Terminals without a speed report 38,400.
const SLOW: u32 = 38_400;

/// The connection to the terminal: bytes written, and its speed.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Bytes written so far.
    pub written: Arc<AtomicUsize>,
    /// Bytes per second, if the terminal reports a slow line.
    slow: Option<f64>,
}

impl Line {
    /// The line of the terminal on standard input.
    #[must_use]
    pub fn of_terminal() -> Self {
        let speed = rustix::termios::tcgetattr(std::io::stdin()).map_or(0, |terminal| terminal.output_speed());
        Self::of_speed(speed)
    }

    /// A line of this many bits per second; 0 for unlimited.
    #[must_use]
    pub fn of_speed(speed: u32) -> Self {
        // Each byte has a start and a stop bit.
        Self { slow: (1..SLOW).contains(&speed).then(|| f64::from(speed) / 10.0), ..Self::default() }
    }

    /// Whether the terminal reports a slow line.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.slow.is_some()
    }

    /// The time to transmit this many bytes.
    #[must_use]
    pub fn carries(&self, bytes: usize) -> Duration {
        self.slow.map_or(Duration::ZERO, |speed| Duration::from_secs_f64(bytes as f64 / speed))
    }
}
