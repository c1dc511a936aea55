//! Standard output, on which a failed write is always an error.
//!
//! Rust's standard library ignores a standard output that is closed, or open for reading only: it opens `/dev/null` in
//! its place before `main`, and reports failed writes as successful. A user would get no rows, and exit status 0.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use spartui_facts::error::{Error, Result};

/// Whether it was closed when the program began.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Called before the start of Rust's runtime, which replaces a closed standard output.
#[allow(unsafe_code)]
#[used]
// SAFETY: the loader calls the functions of this section once, before there is any other thread; `check_at_start` needs
// nothing that is not initialized by then.
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = check_at_start;

extern "C" fn check_at_start() {
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err_and(|error| error == Errno::BADF);
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Standard output without a buffer.
#[derive(Debug, Clone, Copy)]
pub struct StandardOutput;

impl StandardOutput {
    /// Whether it was closed when the program began.
    pub fn is_closed() -> bool {
        CLOSED.load(Ordering::Relaxed)
    }

    /// Writes a text; if the reader has gone, as with `| head`, the program ends quietly.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn say(mut self, text: &str) -> Result<()> {
        match self.write_all(text.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => Err(Self::refusal(&error)),
        }
    }

    /// Checks, before the work begins, that standard output is open.
    ///
    /// # Errors
    /// Fails if it was closed when the program began.
    pub fn check() -> Result<()> {
        if Self::is_closed() { Err(Self::refusal(&closed())) } else { Ok(()) }
    }

    fn refusal(why: &io::Error) -> Error {
        Error::failed(format!("standard output cannot be written: {why}"))
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if Self::is_closed() {
            return Err(closed());
        }
        // The buffer of Rust's standard output is written first.
        let mut buffered = io::stdout().lock();
        buffered.flush()?;
        Ok(rustix::io::write(buffered.as_fd(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}

fn closed() -> io::Error {
    io::Error::other("it is closed")
}
