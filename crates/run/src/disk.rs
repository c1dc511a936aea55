//! All changes of the run folder on the disk, so that a test can make each of them fail.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

pub fn create_dir(path: &Path) -> io::Result<()> {
    before_change(path)?;
    fs::create_dir(path)
}

pub fn create_file(path: &Path) -> io::Result<File> {
    before_change(path)?;
    File::create(path)
}

pub fn write_all(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    before_change(path)?;
    file.write_all(bytes)
}

/// Writes a part of the bytes, and gives its length.
pub fn write(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
    before_change(path)?;
    file.write(bytes)
}

/// Waits until a file, or the entries of a folder, are on the disk.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    before_change(path)?;
    file.sync_all()
}

pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    before_change(to)?;
    fs::rename(from, to)
}

static CHANGE_HOOK: OnceLock<fn(&Path) -> io::Result<()>> = OnceLock::new();

/// Sets a function that is called before each change, with its path; if it fails, the change fails with its error. For
/// tests only. A process has one such function: the first one stays.
pub fn set_change_hook(hook: fn(&Path) -> io::Result<()>) {
    let _ = CHANGE_HOOK.set(hook);
}

/// Calls the hook; also called directly, before a library writes.
pub fn before_change(path: &Path) -> io::Result<()> {
    CHANGE_HOOK.get().map_or(Ok(()), |hook| hook(path))
}

#[cfg(test)]
#[path = "../tests/support/faults.rs"]
pub mod faults;
