//! The journal: changes and actions by hand, each with its step.

use std::path::Path;

use serde_json::Value;

use super::files::failed;
use super::lines::{Lines, for_each_line};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Entry;
use spartui_facts::quote::{one_line, place};

/// `journal.jsonl`: a line is on the disk before the change is reported, unless the disk fails.
#[derive(Debug)]
pub struct Journal {
    lines: Lines,
}

impl Journal {
    /// Opens a journal for appending, and creates it if it is missing.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { lines: Lines::open(path).map_err(failed("open the journal", path))? })
    }

    /// Adds an entry and waits until it is on the disk.
    ///
    /// # Errors
    /// Fails where the file cannot be written; the entry then waits in memory and is written before the next one.
    pub fn append(&mut self, entry: &Entry) -> Result<()> {
        self.lines.add(entry).map_err(|error| Error::failed(format!("an entry cannot be journaled: {error}")))?;
        self.sync()
    }

    /// Writes the entries that wait in memory.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn sync(&mut self) -> Result<()> {
        if self.lines.is_written() {
            return Ok(());
        }
        let path = self.lines.path().to_owned();
        self.lines.sync().map_err(failed("write the journal", &path))
    }

    /// The entries of a journal, in order. An incomplete last line, cut off by a crash, is left out: it was never
    /// reported.
    ///
    /// # Errors
    /// Refuses a file that cannot be read, and a line that is no entry, by its number.
    pub fn read(path: &Path) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut broken = None;
        let read = for_each_line(path, |number, line, ended| match parse(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if !ended => {}
            Err(error) => {
                broken.get_or_insert_with(|| (number, one_line(&error.to_string())));
            }
        });
        read.map_err(|error| {
            Error::refused(format!("cannot read the journal {}: {error}; restore the file", place(path)))
        })?;
        match broken {
            None => Ok(entries),
            Some((number, why)) => Err(Error::refused(format!(
                "{}, line {number} is no change of a run ({why}); restore the file or remove the line",
                place(path)
            ))),
        }
    }
}

/// Parses a line: one with a `kind` is an action, any other a changed setting.
fn parse(line: &[u8]) -> serde_json::Result<Entry> {
    let value: Value = serde_json::from_slice(line)?;
    if value.get("kind").is_some() {
        serde_json::from_value(value).map(Entry::Action)
    } else {
        serde_json::from_value(value).map(Entry::Set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::protocol::{ActionKind, Intervention, JournalAction};
    use spartui_facts::recipe::Value;

    fn change(step: u64, to: Value) -> Entry {
        let (field, from) = ("method.sparsity".into(), Value::Float(0.99));
        Entry::Set(Intervention { step, field, from, to, id: step, time: 1.5 })
    }

    fn action(step: u64, what: ActionKind) -> Entry {
        Entry::Action(JournalAction { step, what, id: 9, time: 2.5 })
    }

    #[test]
    fn what_was_appended_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        assert_eq!(Journal::read(&path).unwrap(), []);
        let entries = [
            change(1, Value::Float(0.995)),
            change(2, Value::String("even".into())),
            change(3, Value::Integer(7)),
            action(3, ActionKind::Evaluate),
            action(4, ActionKind::Rewind { to: 2, branch: 1 }),
            action(4, ActionKind::Undo { to: 1, branch: 2, changes: 1 }),
            action(4, ActionKind::Undo { to: 1, branch: 3, changes: 3 }),
            action(5, ActionKind::SwitchBranch { branch: 0 }),
            action(6, ActionKind::Pin { branch: 0, at: 4, pinned: true }),
            action(7, ActionKind::Stop),
            action(7, ActionKind::Resume),
        ];
        for entry in &entries {
            Journal::open(&path).unwrap().append(entry).unwrap();
        }
        assert_eq!(Journal::read(&path).unwrap(), entries);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let contract = r#"{"step":1,"field":"method.sparsity","from":0.99,"to":0.995,"id":1,"time":1.5}"#;
        assert_eq!(lines[0], contract);
        assert_eq!(lines[4], r#"{"step":4,"kind":"rewind","to":2,"branch":1,"id":9,"time":2.5}"#);
        assert_eq!(lines[5], r#"{"step":4,"kind":"undo","to":1,"branch":2,"id":9,"time":2.5}"#);
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
