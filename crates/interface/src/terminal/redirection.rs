//! Redirects standard output and standard error while the interface is up.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::stdio::{dup2_stderr, dup2_stdout};

/// File descriptors 1 and 2, redirected to a file until this is restored or dropped: native libraries print to them,
/// and would overwrite the screen.
#[derive(Debug)]
pub struct Redirection {
    output: OwnedFd,
    error: OwnedFd,
    restored: AtomicBool,
}

impl Redirection {
    /// Redirects both to this file.
    ///
    /// # Errors
    /// If a descriptor cannot be duplicated; both are unchanged then.
    pub fn to(log: &File) -> io::Result<Self> {
        io::stdout().flush()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        let error = io::stderr().as_fd().try_clone_to_owned()?;
        let redirection = Self { output, error, restored: AtomicBool::new(false) };
        dup2_stdout(log)?;
        dup2_stderr(log)?;
        Ok(redirection)
    }

    /// The original standard output: the terminal.
    ///
    /// # Errors
    /// If the descriptor cannot be duplicated.
    pub fn screen(&self) -> io::Result<File> {
        self.output.try_clone().map(File::from)
    }

    /// Restores both; a second call has no effect.
    pub fn restore(&self) {
        if self.restored.swap(true, Ordering::SeqCst) {
            return;
        }
        // Buffered output belongs to the file. A failure to restore a descriptor cannot be reported.
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
