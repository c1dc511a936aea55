//! Threads that turn terminal input and signals into messages.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, unbounded};
use crossterm::event::{self, Event};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::terminal::Answers;

/// How long an answer of the terminal is accepted.
const COUNTS: Duration = Duration::from_secs(2);

/// The longest wait for the end of the reading thread.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the terminal for the life of the process. The thread is never joined, since it may be blocked in a read; it
/// takes no more input than what it has begun to read.
#[derive(Debug)]
pub struct InputThread {
    ended: Arc<AtomicBool>,
    events: Receiver<Event>,
    background: Receiver<bool>,
    answered: Arc<AtomicBool>,
}

impl InputThread {
    /// Starts reading.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start() -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let (sender, events) = unbounded();
        let (light_sender, background) = bounded(1);
        let begun = Instant::now();
        let answered = Arc::new(AtomicBool::new(false));
        let answer = Arc::clone(&answered);
        let flag = Arc::clone(&ended);
        thread::Builder::new().name("input".into()).spawn(move || {
            let mut answers = Answers::default();
            while !flag.load(Ordering::Relaxed) {
                let event = match event::poll(PATIENCE) {
                    Ok(false) => continue,
                    Ok(true) => event::read(),
                    Err(error) => Err(error),
                };
                // A terminal that cannot be read is gone; dropping the sender signals that.
                let Ok(event) = event else { return };
                let (events, light) = answers.filter(event);
                answer.fetch_or(light.is_some(), Ordering::Relaxed);
                if let Some(light) = light.filter(|_| begun.elapsed() < COUNTS) {
                    // The channel has room for one, and the first one counts.
                    let _ = light_sender.try_send(light);
                }
                if events.into_iter().any(|event| sender.send(event).is_err()) {
                    return;
                }
            }
        })?;
        Ok(Self { ended, events, background, answered })
    }

    /// The events read; disconnected when the terminal is gone.
    #[must_use]
    pub fn events(&self) -> Receiver<Event> {
        self.events.clone()
    }

    /// Whether the terminal has reported its background.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether the background is light, once the terminal has reported it.
    #[must_use]
    pub fn background(&self) -> Receiver<bool> {
        self.background.clone()
    }
}

impl Drop for InputThread {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP arrive through this channel instead of ending the program.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn watch_signals() -> io::Result<Receiver<i32>> {
    watch(&[SIGINT, SIGTERM, SIGHUP])
}

/// As [`watch_signals`], for a process that holds the terminal: SIGTSTP and SIGCONT arrive too, so that the terminal
/// is restored before the program stops.
///
/// # Errors
/// As [`watch_signals`].
pub fn watch_signals_of_screen() -> io::Result<Receiver<i32>> {
    watch(&[SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT])
}

fn watch(signals: &[i32]) -> io::Result<Receiver<i32>> {
    let mut signals = Signals::new(signals)?;
    let (sender, receiver) = bounded(16);
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
