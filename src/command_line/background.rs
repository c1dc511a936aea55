//! The process that trains for an interface, and outlives it.
//!
//! An interface never trains itself. It starts this program once more, with the command line that trains, in a session
//! without a terminal, and is its first client: standard input is a socket. So nothing that befalls the terminal or the interface
//! reaches the training, to detach is to leave, and to attach later is the same path again.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::launch::{headless, no_signals};
use spartui_engine::socket::Link;
use spartui_engine::{Engine, Mission};
use spartui_facts::error::{Error, Result, how_it_ended};
use spartui_facts::protocol::{Event, Purpose, ServerMessage};
use spartui_interface::input::watch_signals;
use spartui_interface::terminal::Redirection;

/// Tells the process that it trains for the one at the other end of its standard input.
const SERVE: &str = "SPARTUI_SERVE";
/// How long a process that has told its end may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that trains, as the interface that began it sees it.
pub struct Background {
    process: Arc<Mutex<Process>>,
    stream: Option<UnixStream>,
}

struct Process {
    child: Child,
    /// What it prints until the run has a log.
    printed: File,
}

impl Background {
    /// Starts this program again, with its own arguments.
    ///
    /// # Errors
    /// Where the system gives no process.
    pub fn again() -> Result<Self> {
        Self::start(std::env::args_os().skip(1))
    }

    /// Starts this program with these arguments, which must be those of a subcommand that trains.
    ///
    /// # Errors
    /// Where the system gives no process.
    pub fn start(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let fail = |error: std::io::Error| {
            Error::failed(format!("the process that trains cannot be started: {error}; try again with --headless"))
        };
        let (ours, theirs) = UnixStream::pair().map_err(fail)?;
        let printed = tempfile::tempfile().map_err(fail)?;
        let copy = || printed.try_clone().map(Stdio::from).map_err(fail);
        let child = Command::new(program().map_err(fail)?)
            .args(arguments)
            .env(SERVE, "true")
            .stdin(OwnedFd::from(theirs))
            .stdout(copy()?)
            .stderr(copy()?)
            .spawn()
            .map_err(fail)?;
        Ok(Self { process: Arc::new(Mutex::new(Process { child, printed })), stream: Some(ours) })
    }

    /// The connection to it; there is one only.
    ///
    /// # Errors
    /// Where the process has ended already.
    pub fn connect(&mut self) -> Result<Link> {
        let lost = {
            let process = Arc::clone(&self.process);
            move || ServerMessage::from(lock(&process).lost())
        };
        let stream = self.stream.take().ok_or_else(|| Error::failed("the run is connected already"))?;
        Link::over(stream, Purpose::Steer, lost).map_err(|error| {
            let Lost { why, alive } = lock(&self.process).lost();
            Error::failed(if alive { format!(
                    "the process that trains does not answer yet ({error}); it may still be starting: `spartui runs` lists it, \
                     and `spartui attach` opens it"
                ) } else { why })
        })
    }

    /// Waits for its end, of which it has told; one that does not end is killed.
    pub fn ended(self) {
        let mut process = lock(&self.process);
        if process.wait(PATIENCE).is_none() {
            // It has ended by itself a moment ago, or this ends it.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

fn lock(process: &Mutex<Process>) -> std::sync::MutexGuard<'_, Process> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of a run whose connection has ended.
pub struct Lost {
    /// One sentence.
    pub why: String,
    /// Whether it goes on.
    pub alive: bool,
}

impl From<Lost> for ServerMessage {
    fn from(lost: Lost) -> Self {
        Self::Lost { why: lost.why, alive: lost.alive }
    }
}

impl Process {
    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if begun.elapsed() < patience => thread::sleep(Duration::from_millis(10)),
                _ => return None,
            }
        }
    }

    fn lost(&mut self) -> Lost {
        let Some(status) = self.wait(Duration::from_secs(1)) else {
            return Lost { why: "the connection to the run broke".into(), alive: true };
        };
        let mut printed = String::new();
        let read = self.printed.rewind().and_then(|()| self.printed.read_to_string(&mut printed));
        let last = printed.lines().rev().find(|line| !line.trim().is_empty());
        let words = last.filter(|_| read.is_ok()).map(|line| format!("; its last words: {line}")).unwrap_or_default();
        Lost { why: format!("the process that trains {}{words}", how_it_ended(status)), alive: false }
    }
}

/// This program, also where its file was replaced since it was started.
pub(super) fn program() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let running = Path::new("/proc/self/exe");
    Ok(if path.exists() || !running.exists() { path } else { running.to_owned() })
}

/// Trains for the interface at the other end of standard input, and goes on when it has gone.
///
/// # Errors
/// Where standard input is no socket. How the run ends is told to those who are connected, and in the run's folder.
pub fn serve(mission: Mission) -> Result<()> {
    let interface = standard_input().map_err(|error| {
        Error::refused(format!("standard input is no connection to an interface ({error}); leave {SERVE} unset"))
    })?;
    // Only the leader of a group of processes cannot leave its session, and then there is no terminal to leave.
    let _ = rustix::process::setsid();
    let signals = watch_signals().map_err(no_signals)?;
    let engine = Engine::start_for(mission, interface);
    let mut log = None;
    let ended = headless(&engine, &signals, |event| {
        let folder = match event {
            Event::Ready(ready) => Some(&ready.folder),
            Event::Race(race) if log.is_none() => Some(&race.folder),
            _ => None,
        };
        if let Some(folder) = folder {
            log = print_to(&folder.join("log.txt"));
        }
        Ok(())
    });
    engine.join();
    drop(log);
    // Who was connected has heard it.
    drop(ended);
    Ok(())
}

/// A copy of standard input, which is nothing from then on.
fn standard_input() -> std::io::Result<UnixStream> {
    let stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    stream.local_addr()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(stream)
}

/// What libtorch prints goes to the run's log; without one, it stays where it is.
fn print_to(log: &Path) -> Option<Redirection> {
    let file = File::options().create(true).append(true).open(log).ok()?;
    Redirection::to(&file).ok()
}
