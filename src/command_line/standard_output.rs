//! Standard output, where nothing that is written to it is lost unsaid.
//!
//! Rust's own takes a standard output that is closed, or open for reading only, for one that nobody wants to hear: it opens
//! `/dev/null` in its place before `main`, and calls what cannot be written written. Who asked for rows would get none, and exit
//! status 0.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use spartui_facts::error::{Error, Result};

/// Whether it was closed when the program began.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Called before Rust's own start, after which nobody can tell.
#[allow(unsafe_code)]
#[used]
// SAFETY: what the section holds is called once, by the loader, with no thread beside it; `look` needs nothing that is not there
// by then.
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = look;

extern "C" fn look() {
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err_and(|error| error == Errno::BADF);
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Standard output; all that is written to it has left the program.
#[derive(Debug, Clone, Copy)]
pub struct StandardOutput;

impl StandardOutput {
    /// Whether it was closed when the program began.
    pub fn is_closed() -> bool {
        CLOSED.load(Ordering::Relaxed)
    }

    /// Writes all of a text; a reader that has gone, as with `| head`, ends the program quietly.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn say(mut self, text: &str) -> Result<()> {
        match self.write_all(text.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => Err(Self::refusal(&error)),
        }
    }

    /// Refuses it where it is closed, before there is anything to write.
    ///
    /// # Errors
    /// Where it was closed when the program began.
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
        // What others have left in the buffer comes first.
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
