//! Tags and a note that a user gave a run, stored in its folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RunFolder;
use super::files::{failed, read_bounded, remove, replace};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

const FILE: &str = "notes.json";
const LARGEST: u64 = 1 << 20;
/// Most tags of a run.
const MOST_TAGS: usize = 32;
/// Most characters of a tag, and of a note.
const LONGEST_TAG: usize = 40;
const LONGEST_NOTE: usize = 2000;

/// Tags and a note that a user gave a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Tags: words to find the run by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The note: free text.
    #[serde(default)]
    pub note: String,
}

impl Notes {
    /// Reads the notes of a run; they are empty if the file is missing.
    ///
    /// # Errors
    /// Refuses a file that cannot be read.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run.join(FILE);
        if !path.is_file() {
            return Ok(Self::default());
        }
        let refuse = |why: String| {
            Error::refused(format!("{} cannot be read: {}; fix or delete the file", place(&path), one_line(&why)))
        };
        let bytes = read_bounded(&path, LARGEST).map_err(|error| refuse(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))
    }

    /// Writes the notes into the folder of a run; empty notes delete the file.
    ///
    /// # Errors
    /// Refuses a folder that is no run, and too many or too long texts; fails where the folder cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        RunFolder::open(run)?;
        self.check()?;
        let path = run.join(FILE);
        let written = if *self == Self::default() {
            remove(&path)
        } else {
            let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
            text.and_then(|text| replace(&path, &text))
        };
        written.map_err(failed("write tags and note to", &path))
    }

    fn check(&self) -> Result<()> {
        let is_longer = |text: &str, most: usize| text.chars().count() > most;
        if self.tags.len() > MOST_TAGS {
            return Err(Error::refused(format!("a run has at most {MOST_TAGS} tags; remove some")));
        }
        if let Some(tag) = self.tags.iter().find(|tag| is_longer(tag, LONGEST_TAG)) {
            return Err(Error::refused(format!(
                "the tag {} is longer than {LONGEST_TAG} characters; shorten it",
                spartui_facts::quote::quoted(tag)
            )));
        }
        if is_longer(&self.note, LONGEST_NOTE) {
            return Err(Error::refused(format!("the note is longer than {LONGEST_NOTE} characters; shorten it")));
        }
        Ok(())
    }

    /// The tags in a line of text: words, with or without `#` and commas, each once.
    #[must_use]
    pub fn tags_of(line: &str) -> Vec<String> {
        let words = line.split(|c: char| c.is_whitespace() || c == ',').map(|word| word.trim_start_matches('#'));
        let mut tags: Vec<String> = Vec::new();
        for word in words.filter(|word| !word.is_empty()) {
            if !tags.iter().any(|tag| tag == word) {
                tags.push(word.to_owned());
            }
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::recipe::Recipe;

    #[test]
    fn tags_and_a_note_are_kept_in_the_runs_folder() {
        let root = tempfile::tempdir().unwrap();
        let run = RunFolder::create(root.path(), Some("first"), &Recipe::default(), "").unwrap();
        assert_eq!(Notes::read(run.path()).unwrap(), Notes::default());
        let notes = Notes { tags: Notes::tags_of("#good, baseline good"), note: "the one to beat".into() };
        assert_eq!(notes.tags, ["good", "baseline"]);
        notes.write(run.path()).unwrap();
        assert_eq!(Notes::read(run.path()).unwrap(), notes);
        Notes::default().write(run.path()).unwrap();
        assert!(!run.path().join(FILE).exists(), "nothing to say leaves no file");
        std::fs::write(run.path().join(FILE), "{").unwrap();
        assert!(Notes::read(run.path()).unwrap_err().message().contains("notes.json"));
        assert!(notes.write(root.path()).is_err(), "no run folder");
        let long = Notes { tags: vec!["x".repeat(41)], note: String::new() };
        assert!(long.write(run.path()).unwrap_err().message().contains("40 characters"));
    }
}
