//! Files of JSON lines that are appended to, and whose last line a crash may have cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::disk;
use super::files::{open_regular, replace};

/// Opens a file for appending. If the last line has no line end, it gets one if it is valid JSON, and is removed if
/// not.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let tail = unfinished_tail(&mut file)?;
    if !tail.is_empty() {
        if serde_json::from_slice::<serde_json::Value>(&tail).is_ok() {
            file.write_all(b"\n")?;
        } else {
            file.set_len(file.metadata()?.len() - tail.len() as u64)?;
        }
        file.sync_all()?;
    }
    Ok(file)
}

fn unfinished_tail(file: &mut File) -> io::Result<Vec<u8>> {
    const PIECE: u64 = 4096;
    let mut start = file.metadata()?.len();
    let mut tail = Vec::new();
    while start > 0 {
        let length = start.min(PIECE);
        start -= length;
        file.seek(SeekFrom::Start(start))?;
        let mut piece = Vec::new();
        Read::by_ref(file).take(length).read_to_end(&mut piece)?;
        let line_end = piece.iter().rposition(|&byte| byte == b'\n');
        tail.splice(0..0, piece.drain(line_end.map_or(0, |at| at + 1)..));
        if line_end.is_some() {
            break;
        }
    }
    Ok(tail)
}

/// Longest line that is read, in bytes; those of a run are far shorter.
const LONGEST: u64 = 1 << 20;
/// Largest file that is read, in bytes.
const LARGEST: u64 = 4 << 30;

/// Calls `each` for every line that is not blank, with its number, its text and whether it ends with a line end. A
/// missing file has no lines.
pub(super) fn for_each_line(path: &Path, mut each: impl FnMut(usize, &[u8], bool)) -> io::Result<()> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let too_large = |what: String| Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    if file.metadata()?.len() > LARGEST {
        return too_large(format!("it has more than {LARGEST} bytes"));
    }
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if (&mut reader).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
            return too_large(format!("line {number} has more than {LONGEST} bytes"));
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            each(number, text, line.ends_with(b"\n"));
        }
    }
    Ok(())
}

/// A file to which lines are appended. Lines that cannot be written wait in memory and are tried again.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    path: PathBuf,
    waiting: Vec<u8>,
}

impl Lines {
    /// Opens a file as [`append_to`] does.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: append_to(path)?, path: path.to_owned(), waiting: Vec::new() })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line in memory.
    pub fn add(&mut self, line: &impl Serialize) -> serde_json::Result<()> {
        serde_json::to_writer(&mut self.waiting, line)?;
        self.waiting.push(b'\n');
        Ok(())
    }

    /// Whether no line waits in memory.
    pub fn is_written(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands all lines to the operating system. If that fails, the lines that were not written wait.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.check_in_place()?;
        while !self.waiting.is_empty() {
            match disk::write(&mut self.file, &self.path, &self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// As [`Lines::flush`], and waits until all lines are on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        disk::sync(&self.file, &self.path)
    }

    /// Another handle to the open file, with which another thread can wait for the disk.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Fails if the path no longer names the open file: further lines would be lost unnoticed.
    fn check_in_place(&self) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let (open, named) = (self.file.metadata()?, std::fs::symlink_metadata(&self.path)?);
            if (open.dev(), open.ino()) != (named.dev(), named.ino()) {
                return Err(io::Error::new(io::ErrorKind::NotFound, "another file is in its place"));
            }
        }
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Errors are ignored here: who needs them calls `flush` or `sync` before.
        let _ = self.flush();
    }
}

/// Removes the lines of a file for which `keep` is false; a missing file stays missing.
pub(super) fn retain(path: &Path, mut keep: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let (mut retained, mut changed) = (Vec::new(), false);
    for_each_line(path, |_, line, _| {
        if keep(line) {
            retained.extend_from_slice(line);
            retained.push(b'\n');
        } else {
            changed = true;
        }
    })?;
    if changed { replace(path, &retained) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_last_line_is_removed_and_a_complete_one_gets_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let long = format!("\"{}", "x".repeat(10_000));
        for (before, after) in [
            ("", ""),
            ("1\n", "1\n"),
            ("1\n{\"a\":", "1\n"),
            ("1\n{}", "1\n{}\n"),
            ("{\"a", ""),
            (&format!("1\n{long}"), "1\n"),
            (&format!("{long}\"\n{long}\""), &format!("{long}\"\n{long}\"\n")),
        ] {
            std::fs::write(&path, before).unwrap();
            append_to(&path).unwrap().write_all(b"9\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{after}9\n"));
        }
    }

    #[test]
    fn what_cannot_be_written_waits_and_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut lines = Lines::open(&path).unwrap();
        let faults = disk::faults::Faults::at(folder.path(), 1..3, 28);
        for (number, written) in [(1, true), (2, false), (3, false), (4, true)] {
            lines.add(&number).unwrap();
            assert_eq!((lines.flush().is_ok(), lines.is_written()), (written, written), "{number}");
        }
        assert_eq!(faults.changes(), vec![path.clone(); 4]);
        drop(faults);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n4\n");
        std::fs::remove_file(&path).unwrap();
        lines.add(&5).unwrap();
        assert_eq!(lines.flush().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(&path, "").unwrap();
        assert!(lines.flush().unwrap_err().to_string().contains("another file"));
    }

    #[test]
    fn a_line_without_end_is_not_read_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "x".repeat(3 << 20)).unwrap();
        assert_eq!(for_each_line(&path, |_, _, _| {}).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn lines_are_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        retain(&path, |_| true).unwrap();
        std::fs::write(&path, "1\n2\n3").unwrap();
        retain(&path, |line| line != b"2").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n3\n");
    }
}
