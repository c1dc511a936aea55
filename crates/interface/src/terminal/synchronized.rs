//! Writes each frame in one piece.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};

use super::frugal::Frugal;

/// Buffers output until flushed, and then writes it at once as one synchronized update: a terminal never shows half a
/// frame, and a slow connection gets one write.
#[derive(Debug)]
pub struct Synchronized<W: Write> {
    inner: W,
    frame: Vec<u8>,
    written: Arc<AtomicUsize>,
    frugal: Option<Frugal>,
}

impl<W: Write> Synchronized<W> {
    /// Writes to `inner`, and counts the bytes in `written`.
    pub fn new(inner: W, written: Arc<AtomicUsize>) -> Self {
        Self { inner, frame: Vec::new(), written, frugal: None }
    }

    /// Whether to reduce the bytes of frames.
    #[must_use]
    pub fn frugal(self, frugal: bool) -> Self {
        Self { frugal: frugal.then(Frugal::default), ..self }
    }
}

impl<W: Write> Write for Synchronized<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let mut whole = Vec::with_capacity(self.frame.len() + 16);
        queue!(whole, BeginSynchronizedUpdate)?;
        match &mut self.frugal {
            Some(frugal) => whole.extend(frugal.shorten(&std::mem::take(&mut self.frame))),
            None => whole.append(&mut self.frame),
        }
        queue!(whole, EndSynchronizedUpdate)?;
        self.written.fetch_add(whole.len(), Ordering::SeqCst);
        self.inner.write_all(&whole)?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::CrosstermBackend;
    use ratatui::layout::Rect;
    use ratatui::style::Modifier;
    use ratatui::{TerminalOptions, Viewport};

    use super::*;

    #[test]
    fn a_frame_is_one_write_between_two_marks() {
        let mut written = Vec::new();
        let mut synchronized = Synchronized::new(&mut written, Arc::default());
        synchronized.write_all(b"half").expect("written");
        synchronized.write_all(b" and half").expect("written");
        synchronized.flush().expect("flushed");
        synchronized.flush().expect("flushed");
        drop(synchronized);
        assert_eq!(written, b"\x1b[?2026hhalf and half\x1b[?2026l");
    }

    /// crossterm answers `NO_COLOR` with a reset of all attributes after bold or reversed were set.
    #[test]
    fn bold_and_reverse_reach_a_terminal_without_colour() {
        crossterm::style::force_color_output(true);
        let mut written = Vec::new();
        let backend = CrosstermBackend::new(Synchronized::new(&mut written, Arc::default()));
        let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, 4, 1)) };
        let mut terminal = Terminal::with_options(backend, options).expect("a terminal");
        terminal
            .draw(|frame| {
                let style = ratatui::style::Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
                frame.buffer_mut().set_string(0, 0, "bold", style);
            })
            .expect("drawn");
        drop(terminal);
        let text = String::from_utf8_lossy(&written);
        let (before, _) = text.split_once("bold").expect("the text");
        assert!(before.contains("\x1b[1m") && before.contains("\x1b[7m"), "{text:?}");
        assert!(!before.rsplit("\x1b[7m").next().unwrap_or("").contains("\x1b[0m"), "{text:?}");
    }
}
