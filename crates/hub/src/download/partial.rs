//! A partial download.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::disk;
use crate::client::{Answer, Client};
use crate::listing::RemoteFile;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

const CHUNK: usize = 1 << 18;

/// The downloaded part of a blob, with its checksum.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    held: u64,
    furthest: u64,
    size: u64,
    checksum: Option<Checksum>,
    chunk: Vec<u8>,
    name: String,
}

/// For large files the hub gives the SHA-256.
struct Checksum {
    running: Sha256,
    expected: String,
}

impl Partial {
    /// Continues from the downloaded part; `progress` gets the position while that is read.
    pub fn open(path: PathBuf, remote: &RemoteFile, mut progress: impl FnMut(u64)) -> Result<Self> {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.map_err(disk(&path))?;
        let checksum = is_sha256(&remote.etag)
            .then(|| Checksum { running: Sha256::new(), expected: remote.etag.to_ascii_lowercase() });
        let (size, name) = (remote.size, one_line(&remote.name));
        let mut partial = Self { path, file, held: 0, furthest: 0, size, checksum, chunk: vec![0; CHUNK], name };
        partial.read_again(&mut progress)?;
        if partial.held > size {
            partial.restart()?;
        }
        Ok(partial)
    }

    /// Bytes downloaded.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// The largest number of bytes so far: a server that starts over each time makes no progress.
    pub fn furthest(&self) -> u64 {
        self.furthest
    }

    pub fn is_whole(&self) -> bool {
        self.held == self.size
    }

    /// Discards the downloaded part.
    pub fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(disk(&self.path))?;
        self.held = 0;
        if let Some(checksum) = &mut self.checksum {
            checksum.running = Sha256::new();
        }
        Ok(())
    }

    /// Appends the body, at most up to the size; `progress` gets the position.
    pub fn append(&mut self, body: &mut impl Read, client: &Client, mut progress: impl FnMut(u64)) -> Answer<()> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(CHUNK, 0);
        while !self.is_whole() {
            let room = usize::try_from(self.size - self.held).map_or(CHUNK, |left| left.min(CHUNK));
            let count = body.read(&mut chunk[..room]).map_err(|error| client.broken_off(error))?;
            if count == 0 {
                break;
            }
            self.file.write_all(&chunk[..count]).map_err(disk(&self.path))?;
            self.count(&chunk[..count]);
            progress(self.held);
        }
        self.chunk = chunk;
        Ok(())
    }

    /// Verifies the whole file and moves it to its place; a file that fails the check is deleted.
    pub fn finish(self, blob: &Path) -> Result<()> {
        if let Some(Checksum { running, expected }) = self.checksum {
            let found = format!("{:x}", running.finalize());
            if found != expected {
                fs::remove_file(&self.path).map_err(disk(&self.path))?;
                return Err(Error::failed(format!(
                    "{} was damaged on the way to {} (its SHA-256 is {found}, not {expected}); it was thrown away; start again",
                    self.name,
                    place(blob)
                )));
            }
        }
        self.file.sync_all().and_then(|()| fs::rename(&self.path, blob)).map_err(disk(blob))
    }

    fn read_again(&mut self, progress: &mut impl FnMut(u64)) -> Result<()> {
        let length = self.file.metadata().map_err(disk(&self.path))?.len();
        if self.checksum.is_none() || length > self.size {
            self.held = self.file.seek(SeekFrom::End(0)).map_err(disk(&self.path))?;
            return Ok(());
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        loop {
            let count = self.file.read(&mut chunk).map_err(disk(&self.path))?;
            if count == 0 {
                break;
            }
            self.count(&chunk[..count]);
            progress(self.held);
        }
        self.chunk = chunk;
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) {
        self.held += bytes.len() as u64;
        self.furthest = self.furthest.max(self.held);
        if let Some(checksum) = &mut self.checksum {
            checksum.running.update(bytes);
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
