//! The client side: connects to a run, with two threads that convert lines to messages and back.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::lines::Lines;
use super::{LONGEST_NEWS, LONGEST_REQUEST, place};
use spartui_facts::protocol::{ATTACH_VERSION, ClientId, Purpose, Request, ServerMessage, Standing};

/// The most messages queued for the interface; later ones wait at the engine.
const CHANNEL: usize = 4096;
/// How long to wait for a run's answer: on a busy machine a process that was just started takes seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// As [`PATIENCE`], for a status request.
const SHORT_PATIENCE: Duration = Duration::from_millis(500);
/// How long to wait for the socket of a run that has just started.
const BEGINNING: Duration = Duration::from_secs(2);

/// A connection to a run. It is closed when `requests` is dropped.
#[derive(Debug)]
pub struct Link {
    /// The identifier of this interface.
    pub client: ClientId,
    /// Time since the engine started.
    pub elapsed: Duration,
    /// Messages from the run; the last one is [`ServerMessage::Lost`].
    pub news: Receiver<ServerMessage>,
    /// Requests to the run.
    pub requests: Sender<Request>,
}

/// Connects to the run in this folder, which another process trains.
///
/// # Errors
/// If there is no such process, or it refuses this interface.
pub fn connect(
    run: &Path,
    purpose: Purpose,
    lost: impl FnOnce() -> ServerMessage + Send + 'static,
) -> io::Result<Link> {
    let begun = Instant::now();
    loop {
        match open(run) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && begun.elapsed() < BEGINNING => {
                thread::sleep(Duration::from_millis(50));
            }
            stream => return Link::over(stream?, purpose, lost).map_err(no_answer),
        }
    }
}

fn no_answer(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(error.kind(), "its process does not answer")
        }
        _ => error,
    }
}

/// The status of the run in this folder, as its process reports it; none if no process answers.
#[must_use]
pub fn ask(run: &Path) -> Option<Standing> {
    let stream = open(run).ok()?;
    let (_, mut lines) = greet(&stream, Purpose::Ask, SHORT_PATIENCE).ok()?;
    match parse(lines.next().ok()??) {
        Ok(ServerMessage::Standing(standing)) => Some(standing),
        _ => None,
    }
}

fn open(run: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(place::find(run)?)
}

impl Link {
    /// Connects over a stream to an engine. When the connection ends, `lost` says what became of the run.
    ///
    /// # Errors
    /// If the other side is not an engine of this version.
    pub fn over(
        stream: UnixStream,
        purpose: Purpose,
        lost: impl FnOnce() -> ServerMessage + Send + 'static,
    ) -> io::Result<Self> {
        let ((client, elapsed), mut lines) = greet(&stream, purpose, PATIENCE)?;
        stream.set_read_timeout(None)?;
        let (sender, news) = bounded(CHANNEL);
        let (requests, asked) = unbounded();
        thread::Builder::new().name("news".into()).spawn(move || {
            receive(&mut lines, &sender);
            // The receiver may be gone.
            let _ = sender.send(lost());
        })?;
        thread::Builder::new().name("requests".into()).spawn(move || send(&asked, stream))?;
        Ok(Self { client, elapsed, news, requests })
    }
}

type Greeted = ((ClientId, Duration), Lines<UnixStream>);

/// The engine speaks first: nothing is sent to anything else.
fn greet(stream: &UnixStream, purpose: Purpose, patience: Duration) -> io::Result<Greeted> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    stream.set_read_timeout(Some(patience))?;
    let mut lines = Lines::new(stream.try_clone()?, LONGEST_NEWS);
    let line = lines.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    match parse(line) {
        Ok(ServerMessage::Hello { version: ATTACH_VERSION, client, seconds, .. }) => {
            let hello = Request::Hello { version: ATTACH_VERSION, purpose, from: here() };
            let mut writing = stream;
            writing.write_all(&line_of(&hello))?;
            Ok(((client, Duration::try_from_secs_f64(seconds).unwrap_or_default()), lines))
        }
        Ok(ServerMessage::Hello { program, .. }) => Err(wrong(format!(
            "the run is trained by spartui {program}, which has another protocol version; use that program"
        ))),
        Ok(ServerMessage::Refused { why }) => Err(wrong(why)),
        _ => Err(wrong("the process that answers is not a spartui run".into())),
    }
}

fn parse(line: &[u8]) -> serde_json::Result<ServerMessage> {
    serde_json::from_slice(line)
}

fn line_of(request: &Request) -> Vec<u8> {
    let mut line = serde_json::to_vec(request).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Where this interface runs, for display at other clients.
fn here() -> String {
    let terminal = std::fs::read_link("/proc/self/fd/0").ok();
    let name =
        terminal.as_deref().and_then(|path| path.strip_prefix("/dev").ok()).map(|path| path.display().to_string());
    name.unwrap_or_else(|| format!("process {}", std::process::id()))
}

/// Forwards the messages that can be parsed. Others come from a newer version, and are skipped.
fn receive(lines: &mut Lines<UnixStream>, sender: &Sender<ServerMessage>) {
    while let Ok(Some(line)) = lines.next() {
        if let Ok(news) = parse(line)
            && sender.send(news).is_err()
        {
            return;
        }
    }
}

fn send(asked: &Receiver<Request>, mut stream: UnixStream) {
    for request in asked {
        let line = line_of(&request);
        if line.len() as u64 <= LONGEST_REQUEST && stream.write_all(&line).is_err() {
            break;
        }
    }
    // This ends the other thread too.
    let _ = stream.shutdown(std::net::Shutdown::Both);
}
