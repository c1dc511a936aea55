//! Suspends the program to the shell, as with Ctrl-Z.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use rustix::process::{Signal, getpgrp, getpid, getsid, kill_current_process_group, kill_process};

use super::{Held, enter_screen, leave_screen};

/// Number of one-millisecond pauses within which a process that stops itself has stopped. Time spent stopped does not
/// count.
const PAUSES: usize = 2000;

/// Releases a held terminal to the shell, and takes it again.
#[derive(Debug, Clone)]
pub struct Suspension {
    held: Arc<Held>,
}

/// The processes to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// All processes of the shell's job, as the terminal's own Ctrl-Z does: otherwise `make` or `cargo` above this
    /// process would go on, and the shell would not return.
    Job,
    /// This process alone, as the sender of the signal asked for.
    Process,
}

/// Whether this process is a job of a shell that can continue it: nobody would continue a process in the group of its
/// session's leader.
#[must_use]
pub fn has_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

impl Suspension {
    pub(super) fn of(held: Arc<Held>) -> Self {
        Self { held }
    }

    /// Restores the terminal, stops, and takes the terminal again when continued.
    ///
    /// # Errors
    /// If the terminal cannot be taken again: it is gone, or another program has it.
    pub fn suspend(&self, who: Who) -> io::Result<()> {
        // Only a terminal that cannot be taken again is an error.
        let _ = leave_screen(&self.held.screen);
        disable_raw_mode()?;
        self.held.continued.store(false, Ordering::SeqCst);
        match who {
            Who::Job => kill_current_process_group(Signal::STOP)?,
            Who::Process => kill_process(getpid(), Signal::STOP)?,
        }
        // The signal may reach another thread first; this one must not touch the terminal before.
        for _ in 0..PAUSES {
            if self.continued() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.retake()
    }

    /// Whether the process was stopped and continued since the last call.
    #[must_use]
    pub fn continued(&self) -> bool {
        self.held.continued.swap(false, Ordering::SeqCst)
    }

    /// Takes the terminal again, whatever its present mode.
    ///
    /// # Errors
    /// As [`Suspension::suspend`].
    pub fn retake(&self) -> io::Result<()> {
        if self.held.restored.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Raw mode is only set if crossterm does not consider it set already. In the background this stops the process
        // until it has the terminal.
        disable_raw_mode()?;
        enable_raw_mode()?;
        enter_screen(&self.held.screen)
    }
}
