//! Accepts clients at a run's socket, and serves them.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::lines::Lines;
use super::room::Room;
use super::{LONGEST_REQUEST, place};
use spartui_facts::protocol::{ATTACH_VERSION, ClientId, Purpose, Request, ServerMessage};

/// The most connections at a time.
const CROWD: usize = 64;
/// How long a client may take to introduce itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time between two writes to a client that keeps up: events in between are sent together.
const PAUSE: Duration = Duration::from_millis(8);
/// The longest text of a client about itself, in characters.
const LONGEST_FROM: usize = 40;

/// A listening socket, closed on drop.
pub struct Door {
    run: PathBuf,
    socket: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens it for the run in this folder, which this process trains.
    pub fn open(run: &Path, room: &Arc<Room>) -> io::Result<Self> {
        let socket = place::prepare(run)?;
        let listener = UnixListener::bind(&socket)?;
        // No other user could connect before this either: the user of the connecting process is checked, too.
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
        let room = Arc::clone(room);
        let thread = thread::Builder::new().name("attach".into()).spawn(move || accept(&listener, &room))?;
        Ok(Self { run: run.to_owned(), socket, thread: Some(thread) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // The thread waits for a connection, and then checks whether the run is over.
        let woken = UnixStream::connect(&self.socket).is_ok();
        place::clear(&self.run, &self.socket);
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            // The thread has no result.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &UnixListener, room: &Arc<Room>) {
    let crowd = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if room.is_over() {
            return;
        }
        let Ok(stream) = stream else {
            // Probably out of file descriptors: some become free.
            thread::sleep(PAUSE);
            continue;
        };
        if !is_of_this_user(&stream) {
            refuse(stream, "this run belongs to another user");
        } else if crowd.load(Ordering::Relaxed) >= CROWD {
            refuse(stream, "too many interfaces are connected to this run; close one");
        } else {
            crowd.fetch_add(1, Ordering::Relaxed);
            let (room, crowd) = (Arc::clone(room), Arc::clone(&crowd));
            let begun = thread::Builder::new().name("client".into()).spawn(move || {
                serve_client(&room, stream);
                crowd.fetch_sub(1, Ordering::Relaxed);
            });
            // If no thread can be started, the client sees the end of the connection.
            drop(begun);
        }
    }
}

#[cfg(target_os = "linux")]
fn is_of_this_user(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// On other systems the socket's file mode has to suffice.
#[cfg(not(target_os = "linux"))]
fn is_of_this_user(_: &UnixStream) -> bool {
    true
}

fn refuse(mut stream: UnixStream, why: &str) {
    // One line fits any buffer; a client that does not read it is gone.
    let _ = stream
        .set_nonblocking(true)
        .and_then(|()| write_news(&mut stream, &[ServerMessage::Refused { why: why.into() }]));
}

/// Receives from and serves a client until it disconnects. A thread of its own sends to it.
pub fn serve_client(room: &Arc<Room>, mut stream: UnixStream) {
    let id = room.new_client_id();
    let Ok(reading) = stream.try_clone() else { return };
    let mut lines = Lines::new(reading, LONGEST_REQUEST);
    match handshake(room, id, &mut stream, &mut lines) {
        Ok((Purpose::Ask, _)) => {
            // A client that asks and does not read is gone.
            let _ = write_news(&mut stream, &[ServerMessage::Standing(room.standing())]);
        }
        Ok((purpose, from)) => {
            room.join(id, purpose, from);
            let sending = Arc::clone(room);
            let sender = thread::Builder::new().name("teller".into()).spawn(move || send_news(&sending, id, stream));
            if sender.is_ok() {
                listen(room, id, &mut lines);
            } else {
                room.leave(id);
            }
        }
        Err(why) => {
            let why = format!("{why}; this is the run's engine, spartui {}", env!("CARGO_PKG_VERSION"));
            refuse(stream, &why);
        }
    }
}

/// Introduces the engine and reads the client's introduction.
fn handshake(
    room: &Room,
    id: ClientId,
    stream: &mut UnixStream,
    lines: &mut Lines<UnixStream>,
) -> Result<(Purpose, String), String> {
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let hello = ServerMessage::Hello { version: ATTACH_VERSION, program, client: id, seconds: room.seconds() };
    let patience = |time| lines.inner().set_read_timeout(time).map_err(|error| error.to_string());
    write_news(stream, &[hello]).map_err(|error| error.to_string())?;
    patience(Some(PATIENCE))?;
    let line = lines.next().map_err(|error| error.to_string())?.ok_or("nothing was said")?;
    let request = serde_json::from_slice(line).map_err(|_| "the first line is no greeting".to_owned())?;
    lines.inner().set_read_timeout(None).map_err(|error| error.to_string())?;
    match request {
        Request::Hello { version: ATTACH_VERSION, purpose, from } => {
            Ok((purpose, from.chars().filter(|c| !c.is_control()).take(LONGEST_FROM).collect()))
        }
        Request::Hello { version, .. } => Err(format!(
            "the run speaks version {ATTACH_VERSION} and this interface version {version}; use the same program"
        )),
        _ => Err("the first line is no greeting".into()),
    }
}

fn listen(room: &Room, id: ClientId, lines: &mut Lines<UnixStream>) {
    loop {
        match lines.next() {
            Ok(Some(line)) => match serde_json::from_slice(line) {
                Ok(Request::Command(command)) => room.ask(id, command),
                Ok(Request::TakeOver) => room.take_over(id),
                Ok(Request::Hello { .. }) => {}
                Err(_) => return room.refuse(id, "a line was no command of this run"),
            },
            Ok(None) => return room.leave(id),
            Err(error) => return room.refuse(id, &error.to_string()),
        }
    }
}

fn send_news(room: &Room, id: ClientId, mut stream: UnixStream) {
    while let Some(news) = room.next(id) {
        if write_news(&mut stream, &news).is_err() {
            break;
        }
        thread::sleep(PAUSE);
    }
    // This ends the thread that receives from the client, too.
    let _ = stream.shutdown(std::net::Shutdown::Both);
    room.leave(id);
}

fn write_news(stream: &mut UnixStream, news: &[ServerMessage]) -> io::Result<()> {
    let mut text = Vec::new();
    for news in news {
        serde_json::to_writer(&mut text, news)?;
        text.push(b'\n');
    }
    stream.write_all(&text)
}
