//! The training process that an interface starts, and that outlives it.
//!
//! An interface never trains itself. It starts this program again with the command line that trains, in a session
//! without a terminal, and is its first client: standard input is a socket. So the training is independent of the
//! terminal and of the interface, which detaches by closing the connection; attaching later works in the same way.

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

/// Environment variable that makes the process train for the interface at the other end of its standard input.
const SERVE: &str = "SPARTUI_SERVE";
/// How long a process that has reported the end of its run may take to exit.
const PATIENCE: Duration = Duration::from_secs(5);

/// A training process, as seen by the interface that started it.
pub struct Background {
    process: Arc<Mutex<Process>>,
    stream: Option<UnixStream>,
}

struct Process {
    child: Child,
    /// Its output until the run has a log.
    printed: File,
}

impl Background {
    /// Starts this program again, with its own arguments.
    ///
    /// # Errors
    /// Fails if the process cannot be started.
    pub fn again() -> Result<Self> {
        Self::start(std::env::args_os().skip(1))
    }

    /// Starts this program with these arguments, which must be those of a subcommand that trains.
    ///
    /// # Errors
    /// Fails if the process cannot be started.
    pub fn start(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let fail = |error: std::io::Error| {
            Error::failed(format!("the training process cannot be started: {error}; try again with --headless"))
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

    /// Connects to the process; this is possible once.
    ///
    /// # Errors
    /// Fails if the process has ended already.
    pub fn connect(&mut self) -> Result<Link> {
        let lost = {
            let process = Arc::clone(&self.process);
            move || ServerMessage::from(lock(&process).lost())
        };
        let stream = self.stream.take().ok_or_else(|| Error::failed("the run is connected already"))?;
        Link::over(stream, Purpose::Steer, lost).map_err(|error| {
            let Lost { why, alive } = lock(&self.process).lost();
            Error::failed(if alive { format!(
                    "the training process does not answer yet ({error}); it may still be starting: `spartui runs` lists it, \
                     and `spartui attach` opens it"
                ) } else { why })
        })
    }

    /// Waits for the end of the process after the end of its run; if it does not end, it is killed.
    pub fn ended(self) {
        let mut process = lock(&self.process);
        if process.wait(PATIENCE).is_none() {
            // Errors mean that it has ended by itself meanwhile.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

fn lock(process: &Mutex<Process>) -> std::sync::MutexGuard<'_, Process> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of a run whose connection has ended.
pub struct Lost {
    /// The reason, in one sentence.
    pub why: String,
    /// Whether the run continues.
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
        let output = last.filter(|_| read.is_ok()).map(|line| format!("; its last output: {line}")).unwrap_or_default();
        Lost { why: format!("the training process {}{output}", how_it_ended(status)), alive: false }
    }
}

/// The path of this program, also if its file was replaced since it was started.
pub(super) fn program() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let running = Path::new("/proc/self/exe");
    Ok(if path.exists() || !running.exists() { path } else { running.to_owned() })
}

/// Trains for the interface at the other end of standard input, and continues when the interface disconnects.
///
/// # Errors
/// Refuses a standard input that is no socket. The end of the run is reported to all clients and in the run's folder.
pub fn serve(mission: Mission) -> Result<()> {
    let interface = standard_input().map_err(|error| {
        Error::refused(format!("standard input is not a connection to an interface ({error}); leave {SERVE} unset"))
    })?;
    // This fails only for the leader of a process group, which then has no terminal to leave.
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
    // All clients have received the result as an event.
    drop(ended);
    Ok(())
}

/// Takes over the socket at standard input, which becomes `/dev/null`.
fn standard_input() -> std::io::Result<UnixStream> {
    let stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    stream.local_addr()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(stream)
}

/// Redirects the output of libtorch to the run's log; if that fails, it stays as it is.
fn print_to(log: &Path) -> Option<Redirection> {
    let file = File::options().create(true).append(true).open(log).ok()?;
    Redirection::to(&file).ok()
}
