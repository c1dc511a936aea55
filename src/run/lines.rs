//! Files of JSON lines that grow at their end, and that a crash may have cut there.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::files::open_regular;

/// Opens a file for appending. A last line without its end is finished where it is whole, and cut off where not.
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

/// Hears every line that is not blank with its number, and whether it has its end. A missing file has no lines.
pub(super) fn for_each_line(path: &Path, mut each: impl FnMut(usize, &[u8], bool)) -> io::Result<()> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            each(number, text, line.ends_with(b"\n"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_end_is_cut_and_a_whole_one_finished() {
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
}
