//! Standard output and standard error, sent elsewhere while the interface is up.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::stdio::{dup2_stderr, dup2_stdout};

/// File descriptors 1 and 2, sent to a file until this is restored or dropped: native libraries print to them, and
/// would print over the screen.
#[derive(Debug)]
pub struct Redirection {
    output: OwnedFd,
    error: OwnedFd,
    restored: AtomicBool,
}

impl Redirection {
    /// Sends both to this file.
    ///
    /// # Errors
    /// Where a descriptor cannot be copied; both are as before then.
    pub fn to(log: &File) -> io::Result<Self> {
        io::stdout().flush()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        let error = io::stderr().as_fd().try_clone_to_owned()?;
        let redirection = Self { output, error, restored: AtomicBool::new(false) };
        dup2_stdout(log)?;
        dup2_stderr(log)?;
        Ok(redirection)
    }

    /// What standard output was: the terminal.
    ///
    /// # Errors
    /// Where the descriptor cannot be copied.
    pub fn screen(&self) -> io::Result<File> {
        self.output.try_clone().map(File::from)
    }

    /// Puts both back; the second time nothing happens.
    pub fn restore(&self) {
        if self.restored.swap(true, Ordering::SeqCst) {
            return;
        }
        // What is still buffered belongs to the file. A descriptor that cannot be put back cannot be reported on.
        let _ = io::stdout().flush();
        let _ = dup2_stdout(&self.output);
        let _ = dup2_stderr(&self.error);
    }
}

impl Drop for Redirection {
    fn drop(&mut self) {
        self.restore();
    }
}
