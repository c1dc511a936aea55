//! The program at the far end of a slow line: so many bytes a second, and everything late by a moment each way.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Bits a second; with start and stop bit, a tenth as many bytes.
pub const BAUD: u32 = 9600;
/// How late everything is, each way.
pub const DELAY: Duration = Duration::from_millis(200);
/// Bytes that are taken from the line at once, so that the rest stays where a real line would leave it.
const PIECE: usize = 24;
/// How long a byte takes.
const TO_CARRY: Duration = Duration::from_nanos(10_000_000_000 / BAUD as u64);

/// What is under way on the line, and when it arrives.
#[derive(Default)]
struct Pieces {
    sent: VecDeque<(Instant, Vec<u8>)>,
    ended: bool,
}

#[derive(Default)]
struct UnderWay {
    pieces: Mutex<Pieces>,
    more: Condvar,
}

/// The program, and the screen at the other end.
pub struct SlowLine {
    pub child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<(vt100::Parser, Vec<u8>)>>,
    keys: Box<dyn Write + Send>,
    /// Keys that were pressed.
    pub pressed: usize,
    _pty: Box<dyn MasterPty + Send>,
}

/// What an answer cost.
pub struct Cost {
    pub keys: usize,
    pub seconds: f64,
    pub bytes: usize,
}

impl SlowLine {
    /// Starts the program in a folder.
    pub fn start(folder: &Path, arguments: &[&str], size: (u16, u16)) -> Self {
        let size = PtySize { rows: size.1, cols: size.0, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let terminal = std::fs::File::options().read(true).write(true).open(pair.master.tty_name().unwrap()).unwrap();
        let mut settings = tcgetattr(&terminal).unwrap();
        settings.set_output_speed(BAUD).unwrap();
        tcsetattr(&terminal, OptionalActions::Now, &settings).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_spartui"));
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env("XDG_CONFIG_HOME", folder.join("config"));
        command.env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
        for name in ["NO_COLOR", "COLORTERM", "COLORFGBG", "SPARTUI_THEME"] {
            command.env_remove(name);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop((pair.slave, terminal));
        let screen = Arc::new(Mutex::new((vt100::Parser::new(size.rows, size.cols, 0), Vec::new())));
        let line = Arc::new(UnderWay::default());
        let output = pair.master.try_clone_reader().unwrap();
        let sending = Arc::clone(&line);
        std::thread::spawn(move || send(output, &sending));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || arrive(&line, &shown));
        let keys = pair.master.take_writer().unwrap();
        Self { child, screen, keys, pressed: 0, _pty: pair.master }
    }

    /// What the screen shows.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().0.screen().contents()
    }

    /// Bytes that have arrived.
    pub fn bytes(&self) -> usize {
        self.screen.lock().unwrap().1.len()
    }

    /// What has arrived.
    pub fn arrived(&self) -> Vec<u8> {
        self.screen.lock().unwrap().1.clone()
    }

    /// Presses a key, which takes its time to arrive.
    pub fn press(&mut self, key: &str) {
        std::thread::sleep(DELAY);
        self.keys.write_all(key.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self.pressed += 1;
    }

    /// Presses keys one after another, and waits until the screen shows the answer.
    pub fn answers(&mut self, keys: &[&str], holds: impl Fn(&str) -> bool) -> Cost {
        let (begun, bytes) = (Instant::now(), self.bytes());
        for (index, key) in keys.iter().enumerate() {
            // Who types does not wait for each letter to come back.
            if index > 0 {
                std::thread::sleep(Duration::from_millis(120).saturating_sub(DELAY));
            }
            self.press(key);
        }
        while !holds(&self.text()) {
            assert!(begun.elapsed() < Duration::from_secs(180), "{keys:?} has no answer:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
        Cost { keys: keys.len(), seconds: begun.elapsed().as_secs_f64(), bytes: self.bytes() - bytes }
    }
}

/// Takes what is written as fast as the line does.
fn send(mut output: impl Read, line: &UnderWay) {
    let mut free = Instant::now();
    let mut piece = [0; PIECE];
    while let Ok(count @ 1..) = output.read(&mut piece) {
        free = free.max(Instant::now()) + TO_CARRY * u32::try_from(count).unwrap();
        line.pieces.lock().unwrap().sent.push_back((free + DELAY, piece[..count].to_vec()));
        line.more.notify_one();
        std::thread::sleep(free.saturating_duration_since(Instant::now()));
    }
    line.pieces.lock().unwrap().ended = true;
    line.more.notify_one();
}

/// Shows what has arrived.
fn arrive(line: &UnderWay, screen: &Mutex<(vt100::Parser, Vec<u8>)>) {
    loop {
        let mut pieces = line.pieces.lock().unwrap();
        while pieces.sent.is_empty() && !pieces.ended {
            pieces = line.more.wait(pieces).unwrap();
        }
        let Some((at, bytes)) = pieces.sent.pop_front() else { return };
        drop(pieces);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        let mut screen = screen.lock().unwrap();
        screen.0.process(&bytes);
        screen.1.extend_from_slice(&bytes);
    }
}
