//! Those who come through a run's socket: who is let in, and what is said to whom.

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
use crate::protocol::{ATTACH_VERSION, ClientId, News, Purpose, Request};

/// Connections at a time.
const CROWD: usize = 64;
/// How long a client may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two writes to a client that keeps up: what happens meanwhile goes out at once.
const PAUSE: Duration = Duration::from_millis(8);
/// Longest text of a client about itself, in characters.
const LONGEST_FROM: usize = 40;

/// A socket that is listened to until this is dropped.
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
        // Nobody else comes in before this either: whose process it is that connects is asked, too.
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
        let room = Arc::clone(room);
        let thread = thread::Builder::new().name("attach".into()).spawn(move || accept(&listener, &room))?;
        Ok(Self { run: run.to_owned(), socket, thread: Some(thread) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // The thread waits for somebody to come, and looks then whether the run is over.
        let woken = UnixStream::connect(&self.socket).is_ok();
        place::clear(&self.run, &self.socket);
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            // It has nothing to say.
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
            // Out of descriptors, most likely: some come back.
            thread::sleep(PAUSE);
            continue;
        };
        if !is_of_this_user(&stream) {
            turn_away(stream, "this run belongs to another user");
        } else if crowd.load(Ordering::Relaxed) >= CROWD {
            turn_away(stream, "too many interfaces are connected to this run; close one");
        } else {
            crowd.fetch_add(1, Ordering::Relaxed);
            let (room, crowd) = (Arc::clone(room), Arc::clone(&crowd));
            let begun = thread::Builder::new().name("client".into()).spawn(move || {
                welcome(&room, stream);
                crowd.fetch_sub(1, Ordering::Relaxed);
            });
            // Without a thread to be had, the client hears the end of the connection.
            drop(begun);
        }
    }
}

#[cfg(target_os = "linux")]
fn is_of_this_user(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// Elsewhere the mode of the socket has to do.
#[cfg(not(target_os = "linux"))]
fn is_of_this_user(_: &UnixStream) -> bool {
    true
}

fn turn_away(mut stream: UnixStream, why: &str) {
    // One line fits any buffer; who does not hear it has gone.
    let _ = stream.set_nonblocking(true).and_then(|()| say(&mut stream, &[News::Refused { why: why.into() }]));
}

/// Hears and serves a client until it goes. It is told all in a thread of its own.
pub fn welcome(room: &Arc<Room>, mut stream: UnixStream) {
    let id = room.name();
    let Ok(reading) = stream.try_clone() else { return };
    let mut lines = Lines::new(reading, LONGEST_REQUEST);
    match introduce(room, id, &mut stream, &mut lines) {
        Ok((Purpose::Ask, _)) => {
            // Who asks and does not listen has gone.
            let _ = say(&mut stream, &[News::Standing(room.standing())]);
        }
        Ok((purpose, from)) => {
            room.join(id, purpose, from);
            let telling = Arc::clone(room);
            let teller = thread::Builder::new().name("teller".into()).spawn(move || tell(&telling, id, stream));
            if teller.is_ok() {
                listen(room, id, &mut lines);
            } else {
                room.leave(id);
            }
        }
        Err(why) => {
            let why = format!("{why}; this is the run's engine, spartui {}", env!("CARGO_PKG_VERSION"));
            turn_away(stream, &why);
        }
    }
}

/// Says who we are and hears who the other one is.
fn introduce(
    room: &Room,
    id: ClientId,
    stream: &mut UnixStream,
    lines: &mut Lines<UnixStream>,
) -> Result<(Purpose, String), String> {
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let hello = News::Hello { version: ATTACH_VERSION, program, client: id, seconds: room.seconds() };
    let patience = |time| lines.inner().set_read_timeout(time).map_err(|error| error.to_string());
    say(stream, &[hello]).map_err(|error| error.to_string())?;
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

fn tell(room: &Room, id: ClientId, mut stream: UnixStream) {
    while let Some(news) = room.next(id) {
        if say(&mut stream, &news).is_err() {
            break;
        }
        thread::sleep(PAUSE);
    }
    // Whoever listens to the client hears its end, too.
    let _ = stream.shutdown(std::net::Shutdown::Both);
    room.leave(id);
}

fn say(stream: &mut UnixStream, news: &[News]) -> io::Result<()> {
    let mut text = Vec::new();
    for news in news {
        serde_json::to_writer(&mut text, news)?;
        text.push(b'\n');
    }
    stream.write_all(&text)
}
