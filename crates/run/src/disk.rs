//! Every change that the run folder makes on the disk goes through here, so that a test can make each of them fail.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

pub fn create_dir(path: &Path) -> io::Result<()> {
    struck(path)?;
    fs::create_dir(path)
}

pub fn create_file(path: &Path) -> io::Result<File> {
    struck(path)?;
    File::create(path)
}

pub fn write_all(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    struck(path)?;
    file.write_all(bytes)
}

/// Writes as much as can be written; how much that is.
pub fn write(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
    struck(path)?;
    file.write(bytes)
}

/// Waits until a file, or the entries of a folder, are on the disk.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    struck(path)?;
    file.sync_all()
}

pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    struck(to)?;
    fs::rename(from, to)
}

static ASKED: OnceLock<fn(&Path) -> io::Result<()>> = OnceLock::new();

/// Has `ask` called before each change, with what is to change; the change fails with its error. Only tests do this. A
/// process has one such function: the first one set is kept.
pub fn ask_before_changes(ask: fn(&Path) -> io::Result<()>) {
    let _ = ASKED.set(ask);
}

/// What is written by a library: asked before it writes.
pub fn struck(path: &Path) -> io::Result<()> {
    ASKED.get().map_or(Ok(()), |ask| ask(path))
}

#[cfg(test)]
#[path = "../tests/support/faults.rs"]
pub mod faults;
