//! Reading a growing file of metrics.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::files::open_regular;
use super::metrics::{Reading, parse};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;

/// Longest line that is read, in bytes; those of a run are far shorter.
const LONGEST: u64 = 1 << 20;

/// Reads the metrics of a run piece by piece, and continues at the same place when the file has grown. A file that was
/// shortened or replaced, as when a run is resumed, is read from its beginning again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
    file: Option<Identity>,
}

/// Device and inode, by which a replaced file is recognized.
type Identity = (u64, u64);

/// Some consecutive lines of the metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// The steps and evaluations, in the order of the lines.
    pub readings: Vec<Reading>,
    /// Number of damaged lines.
    pub damaged: usize,
    /// Whether the file is read from its beginning again, so that earlier pieces are void.
    pub restarted: bool,
    /// Bytes read so far.
    pub at: u64,
    /// Size of the file in bytes.
    pub of: u64,
    /// Whether more lines can be read already.
    pub more: bool,
}

impl Tail {
    /// Reads the metrics in the folder of a run from their beginning.
    #[must_use]
    pub fn of_run(folder: &Path) -> Self {
        Self { path: folder.join("metrics.jsonl"), offset: 0, file: None }
    }

    /// Reads at most this many lines. A missing file has none; an incomplete last line is read once it is complete.
    ///
    /// # Errors
    /// Refuses a file that cannot be read.
    pub fn next(&mut self, most: usize) -> Result<Piece> {
        self.read(most).map_err(|error| {
            Error::refused(format!("cannot read the metrics {}: {error}; check the file", place(&self.path)))
        })
    }

    fn read(&mut self, most: usize) -> io::Result<Piece> {
        let mut file = match open_regular(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let restarted = self.file.take().is_some();
                self.offset = 0;
                return Ok(Piece { restarted, ..Piece::default() });
            }
            Err(error) => return Err(error),
        };
        let (identity, length) = identity(&file)?;
        let restarted = self.file.is_some_and(|known| known != identity) || length < self.offset;
        if restarted {
            self.offset = 0;
        }
        self.file = Some(identity);
        let mut piece = Piece { restarted, of: length, ..Piece::default() };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut line = Vec::new();
        for _ in 0..most {
            line.clear();
            let read = (&mut reader).take(LONGEST).read_until(b'\n', &mut line)? as u64;
            let ended = line.ends_with(b"\n");
            if read == LONGEST && !ended {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("a line has more than {LONGEST} bytes"),
                ));
            }
            let text = line.trim_ascii();
            let reading = if text.is_empty() { None } else { parse(text) };
            // A complete last line is read even without its line end.
            if !ended && reading.is_none() {
                break;
            }
            self.offset += read;
            match reading {
                Some(reading) => piece.readings.push(reading),
                None => piece.damaged += usize::from(!text.is_empty()),
            }
        }
        piece.at = self.offset;
        piece.more = piece.readings.len() + piece.damaged >= most && self.offset < length;
        Ok(piece)
    }
}

#[cfg(unix)]
fn identity(file: &File) -> io::Result<(Identity, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    Ok(((metadata.dev(), metadata.ino()), metadata.len()))
}

#[cfg(not(unix))]
fn identity(file: &File) -> io::Result<(Identity, u64)> {
    Ok(((0, 0), file.metadata()?.len()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn line(step: u64) -> String {
        format!(
            "{{\"step\": {step}, \"epoch\": 0.1, \"loss\": 1.5, \"learning_rate\": 1e-4, \"grad_norm\": null, \"examples\": 8, \
             \"tokens\": 99, \"seconds\": 0.1, \"trainable\": 7, \"sparsity\": 0.5, \"branch\": 0}}\n"
        )
    }

    fn steps(piece: &Piece) -> Vec<u64> {
        let steps = piece.readings.iter().map(|reading| match reading {
            Reading::Step(step) => step.step,
            Reading::Evaluation(evaluation) => evaluation.step,
        });
        steps.collect()
    }

    #[test]
    fn a_growing_file_is_read_as_it_grows_and_anew_when_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut tail = Tail::of_run(folder.path());
        assert_eq!(tail.next(9).unwrap(), Piece::default());
        let whole = format!("{}{}oops\n\n{}", line(1), line(2), line(3));
        std::fs::write(&path, format!("{whole}{{\"step\": 4, \"ep")).unwrap();
        let piece = tail.next(2).unwrap();
        assert_eq!((steps(&piece), piece.more, piece.restarted), (vec![1, 2], true, false));
        let piece = tail.next(9).unwrap();
        assert_eq!((steps(&piece), piece.damaged, piece.more), (vec![3], 1, false));
        assert_eq!(piece.at, whole.len() as u64);
        assert_eq!(tail.next(9).unwrap().readings, []);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(line(4).strip_prefix("{\"step\": 4, \"ep").unwrap().as_bytes()).unwrap();
        file.write_all(line(5).trim_end().as_bytes()).unwrap();
        assert_eq!(steps(&tail.next(9).unwrap()), [4, 5]);
        file.write_all(b"\n").unwrap();
        assert_eq!(tail.next(9).unwrap().readings, []);
        std::fs::write(&path, line(1)).unwrap();
        let piece = tail.next(9).unwrap();
        assert_eq!((steps(&piece), piece.restarted), (vec![1], true));
        // As a resumed run does: another file in its place.
        std::fs::write(folder.path().join("new"), format!("{}{}", line(1), line(2))).unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        let piece = tail.next(9).unwrap();
        assert_eq!((steps(&piece), piece.restarted), (vec![1, 2], true));
        std::fs::remove_file(&path).unwrap();
        assert!(tail.next(9).unwrap().restarted);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_for_ever(bytes in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..400)) {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("metrics.jsonl"), &bytes).unwrap();
            let mut tail = Tail::of_run(folder.path());
            for _ in 0..500 {
                if !tail.next(3).unwrap().more {
                    return Ok(());
                }
            }
            prop_assert!(false, "it does not end");
        }
    }
}
