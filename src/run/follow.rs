//! Metrics that grow while they are read.

use std::fs::Metadata;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::files::open_regular;
use super::metrics::{Reading, parse};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 16;
/// Longest line in bytes; ours are far shorter.
const LONGEST: usize = 1 << 20;

/// Reads the metrics of a run again and again, each time what is new.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// What file it was, and how far it was read.
    file: Option<u64>,
    at: u64,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Followed {
    /// The file was cut, or another one is in its place: what was read before counts no more.
    Anew,
    /// A line.
    Reading(Reading),
}

impl Follower {
    /// Of the metrics in this file, which need not be there yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, at: 0, rest: Vec::new() }
    }

    /// Hears what is new; lines that cannot be understood are passed over.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&mut self, mut each: impl FnMut(Followed)) -> io::Result<()> {
        let mut file = match open_regular(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let identity = identity(&metadata);
        if self.file.is_some_and(|known| known != identity) || metadata.len() < self.at {
            (self.at, self.rest) = (0, Vec::new());
            each(Followed::Anew);
        }
        self.file = Some(identity);
        if metadata.len() == self.at {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.at))?;
        let mut piece = vec![0; PIECE];
        loop {
            let count = match file.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.at += count as u64;
            for part in piece[..count].split_inclusive(|&byte| byte == b'\n') {
                if self.rest.len() + part.len() <= LONGEST {
                    self.rest.extend_from_slice(part);
                }
                if part.ends_with(b"\n") {
                    if let Some(reading) = parse(self.rest.trim_ascii()) {
                        each(Followed::Reading(reading));
                    }
                    self.rest.clear();
                }
            }
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.ino()
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const STEP: &str = r#"{"step":1,"epoch":0.1,"loss":0.5,"learning_rate":0.1,"grad_norm":1.0,"examples":1,"tokens":2,"seconds":0.1,"trainable":3,"sparsity":0.9,"branch":0}"#;

    fn steps(follower: &mut Follower) -> (usize, bool) {
        let (mut steps, mut anew) = (0, false);
        follower
            .read(|followed| match followed {
                Followed::Anew => anew = true,
                Followed::Reading(_) => steps += 1,
            })
            .unwrap();
        (steps, anew)
    }

    #[test]
    fn only_what_is_new_and_whole_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut follower = Follower::new(&path);
        assert_eq!(steps(&mut follower), (0, false));
        let mut file = std::fs::File::create(&path).unwrap();
        let (head, tail) = STEP.split_at(20);
        write!(file, "{STEP}\nrubble\n{head}").unwrap();
        assert_eq!(steps(&mut follower), (1, false));
        assert_eq!(steps(&mut follower), (0, false));
        write!(file, "{tail}\n{STEP}\n").unwrap();
        assert_eq!(steps(&mut follower), (2, false));
        std::fs::write(&path, format!("{STEP}\n")).unwrap();
        assert_eq!(steps(&mut follower), (1, true));
    }
}
