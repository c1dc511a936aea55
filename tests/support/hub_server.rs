//! A hub on this machine: one server for the repository, and one on another port for the large files, as in the world.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What a server was asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// Bytes of the body that were sent in answer.
    pub sent: usize,
}

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another status, with the hub's word for it.
    Status(u16, &'static str),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing comes any more after so many bytes of the body.
    Stall(usize),
    /// The body comes in small pieces, so long after each other.
    Slow(Duration),
    /// The file comes from its start whatever was asked for, and is cut after so many bytes.
    RangeIgnored(usize),
    /// One byte is another.
    Flip,
    /// There is more than there should be.
    Extra,
    /// A redirect to there.
    Redirect(&'static str),
}

/// A fault, of which answers, how often.
struct Planned {
    path: &'static str,
    times: usize,
    fault: Fault,
}

pub struct File {
    pub bytes: Vec<u8>,
    /// Whether it is kept at the other server.
    large: bool,
    etag: String,
}

impl File {
    pub fn small(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let etag = sha256(&bytes)[..40].to_owned();
        Self { bytes, large: false, etag }
    }

    pub fn large(bytes: Vec<u8>) -> Self {
        let etag = sha256(&bytes);
        Self { bytes, large: true, etag }
    }

    /// The name of its blob.
    pub fn etag(&self) -> &str {
        &self.etag
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[derive(Default)]
struct World {
    files: BTreeMap<String, File>,
    faults: Mutex<Vec<Planned>>,
    /// Without sizes and checksums in the listing, as some mirrors do it.
    names_only: bool,
    hub_asked: Mutex<Vec<Request>>,
    store_asked: Mutex<Vec<Request>>,
    store: Mutex<String>,
}

/// The hub with one model, `owner/model`, for as long as the test runs.
pub struct HubServer {
    pub endpoint: String,
    world: Arc<World>,
}

impl HubServer {
    pub fn new(files: Vec<(&str, File)>) -> Self {
        Self::start(World { files: named(files), ..World::default() })
    }

    pub fn with_names_only(files: Vec<(&str, File)>) -> Self {
        Self::start(World { files: named(files), names_only: true, ..World::default() })
    }

    fn start(world: World) -> Self {
        let world = Arc::new(world);
        *world.store.lock().unwrap() = serve(&world, false);
        Self { endpoint: serve(&world, true), world }
    }

    /// The next `times` answers to paths that contain `path` go wrong.
    pub fn plan(&self, path: &'static str, times: usize, fault: Fault) {
        self.world.faults.lock().unwrap().push(Planned { path, times, fault });
    }

    pub fn forget_plans(&self) {
        self.world.faults.lock().unwrap().clear();
    }

    pub fn file(&self, name: &str) -> &File {
        &self.world.files[name]
    }

    /// What was asked for since the last time: from the hub, and from where large files are.
    pub fn asked(&self) -> (Vec<Request>, Vec<Request>) {
        let take = |log: &Mutex<Vec<Request>>| std::mem::take(&mut *log.lock().unwrap());
        (take(&self.world.hub_asked), take(&self.world.store_asked))
    }
}

fn named(files: Vec<(&str, File)>) -> BTreeMap<String, File> {
    files.into_iter().map(|(name, file)| (name.to_owned(), file)).collect()
}

/// An answer, before a fault is laid over it.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn serve(world: &Arc<World>, is_hub: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let world = Arc::clone(world);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                // A client that hangs up is part of the tests.
                let _ = answer(&world, &stream.unwrap(), is_hub);
            });
        }
    });
    address
}

fn answer(world: &World, stream: &TcpStream, is_hub: bool) -> std::io::Result<()> {
    let Some(mut request) = read(stream)? else { return Ok(()) };
    let fault = next_fault(world, &request.path);
    if matches!(fault, Some(Fault::RangeIgnored(_))) {
        request.headers.remove("range");
    }
    let reply = if is_hub { from_hub(world, &request) } else { from_store(world, &request) };
    let log = if is_hub { &world.hub_asked } else { &world.store_asked };
    let place = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    let sent = send(stream, &request, reply, fault)?;
    if let Some(entry) = log.lock().unwrap().get_mut(place) {
        entry.sent = sent;
    }
    stream.shutdown(Shutdown::Both)
}

fn read(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next() else { return Ok(None) };
    let first = first?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some(Request { method, path, headers, sent: 0 }))
}

fn next_fault(world: &World, path: &str) -> Option<Fault> {
    let mut faults = world.faults.lock().unwrap();
    let planned = faults.iter_mut().find(|planned| planned.times > 0 && path.contains(planned.path))?;
    planned.times -= 1;
    Some(planned.fault)
}

fn send(mut stream: &TcpStream, request: &Request, mut reply: Reply, fault: Option<Fault>) -> std::io::Result<usize> {
    match fault {
        Some(Fault::Status(status, code)) => reply = Reply::new(status, "no").with("X-Error-Code", code),
        Some(Fault::Redirect(location)) => reply = Reply::new(302, "").with("Location", location),
        Some(Fault::Flip) => reply.body[0] ^= 1,
        Some(Fault::Extra) => reply.body.extend(b"more"),
        _ => {}
    }
    let mut head =
        format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "HEAD" {
        return Ok(0);
    }
    match fault {
        Some(Fault::Cut(after) | Fault::RangeIgnored(after)) => reply.body.truncate(after),
        Some(Fault::Stall(after)) => {
            stream.write_all(&reply.body[..after])?;
            thread::sleep(Duration::from_secs(3));
            return Ok(after);
        }
        Some(Fault::Slow(pause)) => {
            for piece in reply.body.chunks(reply.body.len().div_ceil(8)) {
                stream.write_all(piece)?;
                thread::sleep(pause);
            }
            return Ok(reply.body.len());
        }
        _ => {}
    }
    stream.write_all(&reply.body)?;
    Ok(reply.body.len())
}

fn from_hub(world: &World, request: &Request) -> Reply {
    let path = request.path.as_str();
    if path.starts_with("/api/models/owner/model/revision/") {
        return Reply::new(200, listing(world).to_string());
    }
    let Some(name) = path.strip_prefix(&format!("/owner/model/resolve/{COMMIT}/")) else { return Reply::new(404, "") };
    let Some(file) = world.files.get(name) else { return Reply::new(404, "").with("X-Error-Code", "EntryNotFound") };
    if !file.large {
        return part(request, &file.bytes).with("ETag", format!("\"{}\"", file.etag())).with("X-Repo-Commit", COMMIT);
    }
    Reply::new(302, "")
        .with("Location", format!("{}/{}?signature=s3cret", world.store.lock().unwrap(), file.etag()))
        .with("X-Linked-Etag", format!("\"{}\"", file.etag()))
        .with("X-Linked-Size", file.bytes.len().to_string())
}

fn from_store(world: &World, request: &Request) -> Reply {
    let path = request.path.trim_start_matches('/');
    match world.files.values().find(|file| path.starts_with(file.etag())) {
        Some(file) => part(request, &file.bytes),
        None => Reply::new(404, ""),
    }
}

fn part(request: &Request, bytes: &[u8]) -> Reply {
    let Some(range) = request.headers.get("range") else { return Reply::new(200, bytes) };
    let start: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
    Reply::new(206, &bytes[start..]).with("Content-Range", range)
}

fn listing(world: &World) -> Value {
    let sibling = |(name, file): (&String, &File)| match (world.names_only, file.large) {
        (true, _) => json!({"rfilename": name}),
        (_, false) => json!({"rfilename": name, "size": file.bytes.len(), "blobId": file.etag()}),
        (_, true) => json!({
            "rfilename": name, "size": file.bytes.len(), "blobId": "the pointer's",
            "lfs": {"sha256": file.etag(), "size": file.bytes.len(), "pointerSize": 134},
        }),
    };
    json!({"id": "owner/model", "sha": COMMIT, "siblings": world.files.iter().map(sibling).collect::<Vec<_>>()})
}
