//! Leaving the terminal to the shell for a while, as every program does that is stopped with Ctrl-Z.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use rustix::process::{Signal, getpgrp, getpid, getsid, kill_current_process_group, kill_process};

use super::{Held, enter_screen, leave_screen};

/// Pauses of a millisecond within which a process that stops itself has stopped. They do not run while it is stopped.
const PAUSES: usize = 2000;

/// Leaves the terminal that a guard holds to the shell, and takes it again.
#[derive(Debug, Clone)]
pub struct Suspension {
    held: Arc<Held>,
}

/// Who is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// All processes of the shell's job, as the terminal's own Ctrl-Z would: else `make` or `cargo` above this process would
    /// go on, and the shell would not come back.
    Job,
    /// This process alone, as who sent it the signal asked for.
    Process,
}

/// Whether this process is a job of a shell that can continue it: a process in the group of its session's leader has
/// nobody who would.
#[must_use]
pub fn has_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

impl Suspension {
    pub(super) fn of(held: Arc<Held>) -> Self {
        Self { held }
    }

    /// Gives the terminal back, stops, and takes the terminal again when the process goes on.
    ///
    /// # Errors
    /// Where the terminal cannot be taken again: it is gone, or another program has it.
    pub fn suspend(&self, who: Who) -> io::Result<()> {
        // A terminal that cannot be written to is told from the one that cannot be taken again.
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

    /// Whether the process was stopped and goes on, since this was asked last.
    #[must_use]
    pub fn continued(&self) -> bool {
        self.held.continued.swap(false, Ordering::SeqCst)
    }

    /// Takes the terminal again, whatever the shell has made of it.
    ///
    /// # Errors
    /// As [`Suspension::suspend`].
    pub fn retake(&self) -> io::Result<()> {
        if self.held.restored.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Raw mode is set by its name only where it is not in force already. In the background this stops the process
        // until it has the terminal.
        disable_raw_mode()?;
        enable_raw_mode()?;
        enter_screen(&self.held.screen)
    }
}
