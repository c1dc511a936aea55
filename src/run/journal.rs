//! The changes that were made by hand, each at its step.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::files::failed;
use super::lines::{append_to, for_each_line};
use crate::data::{one_line, place};
use crate::error::{Error, Result};
use crate::protocol::Intervention;

/// `journal.jsonl`: a line is on the disk before the change is told to anyone.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens a journal for appending, and makes it if it is missing.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = append_to(path).map_err(failed("open the journal", path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Adds a change and waits until it is on the disk.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn append(&mut self, intervention: &Intervention) -> Result<()> {
        let mut line = serde_json::to_vec(intervention).map_err(|error| {
            Error::failed(format!("a change of {} cannot be journaled: {error}", intervention.field))
        })?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(failed("write the journal", &self.path))
    }

    /// The changes of a journal, in order. A last line that a crash cut off is no change: it was never told.
    ///
    /// # Errors
    /// Refuses a file that cannot be read, and a line that is no change, by its number.
    pub fn read(path: &Path) -> Result<Vec<Intervention>> {
        let mut changes = Vec::new();
        let mut broken = None;
        let read = for_each_line(path, |number, line, ended| match serde_json::from_slice(line) {
            Ok(change) => changes.push(change),
            Err(_) if !ended => {}
            Err(error) => {
                broken.get_or_insert_with(|| (number, one_line(&error.to_string())));
            }
        });
        read.map_err(|error| Error::refused(format!("cannot read the journal {}: {error}", place(path))))?;
        match broken {
            None => Ok(changes),
            Some((number, why)) => Err(Error::refused(format!(
                "{}, line {number} is no change of a run ({why}); restore the file or remove the line",
                place(path)
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Value;

    fn change(step: u64, to: Value) -> Intervention {
        Intervention { step, field: "method.sparsity".into(), from: Value::Float(0.99), to, id: step, time: 1.5 }
    }

    #[test]
    fn what_was_appended_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        assert_eq!(Journal::read(&path).unwrap(), []);
        let changes =
            [change(1, Value::Float(0.995)), change(2, Value::String("even".into())), change(3, Value::Integer(7))];
        for change in &changes {
            Journal::open(&path).unwrap().append(change).unwrap();
        }
        assert_eq!(Journal::read(&path).unwrap(), changes);
        let first = std::fs::read_to_string(&path).unwrap();
        let contract = r#"{"step":1,"field":"method.sparsity","from":0.99,"to":0.995,"id":1,"time":1.5}"#;
        assert_eq!(first.lines().next(), Some(contract));
    }

    #[test]
    fn a_torn_end_is_forgiven_and_a_broken_line_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        Journal::open(&path).unwrap().append(&change(1, Value::Float(0.5))).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
        assert_eq!(Journal::read(&path).unwrap().len(), 1);
        std::fs::write(&path, format!("{whole}{}\n{whole}", &whole[..20])).unwrap();
        assert!(Journal::read(&path).unwrap_err().message().contains("line 2 is no change"));
    }
}
