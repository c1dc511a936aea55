//! Takes over the terminal, and restores it however the program ends.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute, style};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::SIGCONT;

mod background;
mod frugal;
mod line;
mod redirection;
mod suspension;
mod synchronized;

pub use background::Answers;
pub use line::Line;
pub use redirection::Redirection;
pub use suspension::{Suspension, Who, has_shell};
pub use synchronized::Synchronized;

/// A terminal that receives each frame in one piece.
pub type ScreenTerminal = Terminal<CrosstermBackend<Synchronized<File>>>;

/// Holds the terminal: raw mode, alternate screen, mouse events, hidden cursor. All of it is restored once, by
/// [`TerminalGuard::restore`], on drop, or before a panic of the thread that took it is reported.
#[derive(Debug)]
pub struct TerminalGuard {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    screen: File,
    redirection: Option<Redirection>,
    restored: AtomicBool,
    /// Set when the process is continued after a stop.
    continued: Arc<AtomicBool>,
}

impl TerminalGuard {
    /// Takes the terminal that `screen` writes to; other output goes where `redirection` sends it.
    ///
    /// # Errors
    /// If the terminal cannot be put into raw mode or written to; it is restored then.
    pub fn enter(screen: File, redirection: Option<Redirection>) -> io::Result<Self> {
        let continued = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGCONT, Arc::clone(&continued))?;
        enable_raw_mode()?;
        let held = Arc::new(Held { screen, redirection, restored: AtomicBool::new(false), continued });
        let guard = Self { held: Arc::clone(&held) };
        // Otherwise crossterm answers NO_COLOR with a reset that also removes bold and reversed; the monochrome theme
        // has no colours anyway.
        style::force_color_output(true);
        enter_screen(&held.screen)?;
        restore_before_panic_report(held);
        Ok(guard)
    }

    /// A terminal to draw on over this line.
    ///
    /// # Errors
    /// If the terminal's size cannot be read.
    pub fn terminal(&self, line: &Line) -> io::Result<ScreenTerminal> {
        let screen = Synchronized::new(self.held.screen.try_clone()?, Arc::clone(&line.written));
        Terminal::new(CrosstermBackend::new(screen.frugal(line.is_slow())))
    }

    /// Suspends the program to the shell.
    #[must_use]
    pub fn suspension(&self) -> Suspension {
        Suspension::of(Arc::clone(&self.held))
    }

    /// Queries the terminal's background colour.
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub fn ask_background(&self) -> io::Result<()> {
        let mut screen = &self.held.screen;
        screen.write_all(background::ASK)
    }

    /// Restores the terminal; a second call has no effect.
    pub fn restore(&self) {
        self.held.restore();
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        self.restore();
    }
}

impl Held {
    fn restore(&self) {
        if self.restored.swap(true, Ordering::SeqCst) {
            return;
        }
        // A terminal that is gone cannot be restored, and an error could not be shown.
        let _ = leave_screen(&self.screen);
        let _ = disable_raw_mode();
        if let Some(redirection) = &self.redirection {
            redirection.restore();
        }
    }
}

/// Writes the sequences that take the screen.
fn enter_screen(mut screen: impl Write) -> io::Result<()> {
    execute!(screen, EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, cursor::Hide)
}

/// Writes the sequences that restore the screen.
fn leave_screen(mut screen: impl Write) -> io::Result<()> {
    execute!(screen, DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, cursor::Show)
}

/// A panic of this thread is reported on a restored terminal. A panic of another thread, such as the engine's, leaves
/// the screen alone: it arrives as a fault, and the curves stay.
fn restore_before_panic_report(held: Arc<Held>) {
    let owner = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == owner {
            held.restore();
        }
        before(panic);
    }));
}

/// Whether the user disabled colours by `NO_COLOR`.
#[must_use]
pub fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_taken_is_restored() {
        let (mut taken, mut given) = (Vec::new(), Vec::new());
        enter_screen(&mut taken).expect("written");
        leave_screen(&mut given).expect("written");
        let modes = |bytes: &[u8], end: char| -> Vec<String> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mut modes: Vec<String> =
                text.split("\x1b[?").filter_map(|mode| mode.strip_suffix(end)).map(ToOwned::to_owned).collect();
            modes.sort();
            modes
        };
        let (set, reset) = (modes(&taken, 'h'), modes(&given, 'l'));
        assert!(set.iter().all(|mode| reset.contains(mode)), "{set:?} {reset:?}");
        assert_eq!((modes(&taken, 'l'), modes(&given, 'h')), (vec!["25".to_owned()], vec!["25".to_owned()]));
    }
}
