//! What a run says of each validation row at its end.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{failed, replace};
use super::lines::for_each_line;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Confusion;
use spartui_facts::quote::{one_line, place};

/// Of the layout of the file.
const FORMAT: u32 = 1;
/// Most rows that are read; ours come from a file that fitted into memory.
const MOST: usize = 1 << 26;

/// `predictions.jsonl`: a line about all of them, then a line for each validation row, in the order in which they were
/// read.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Optimizer steps that had been taken.
    pub step: u64,
    /// The branch of that step.
    pub branch: u32,
    /// Hash of the rows: only predictions on the same rows can be compared.
    pub rows: String,
    /// The rows.
    pub each: Each,
}

/// The rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Each {
    /// Of a classifier.
    Labels {
        /// The labels that there are.
        names: Vec<String>,
        /// The rows.
        rows: Vec<Labelled>,
    },
    /// Of a language model.
    Tokens(Vec<Told>),
}

/// What a classifier says of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// Line of its file.
    pub line: usize,
    /// Its label, by its place among the names.
    pub label: usize,
    /// The likeliest label.
    pub predicted: usize,
    /// Natural logarithm of the probability that its label was given.
    pub logprob: f32,
}

/// How well a language model tells a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Line of its file.
    pub line: usize,
    /// Sum of the losses of its target tokens, in nats.
    #[serde(deserialize_with = "number_or_none")]
    pub loss: f64,
    /// Its target tokens.
    pub tokens: usize,
    /// Those of them that were found the likeliest.
    pub right: usize,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
    step: u64,
    branch: u32,
    rows: String,
    examples: usize,
    /// Empty for a language model.
    labels: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LabelledLine {
    line: usize,
    label: String,
    predicted: String,
    #[serde(deserialize_with = "number_or_none")]
    logprob: f32,
}

/// JSON has no way to write a number that is none but null.
fn number_or_none<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + From<f32>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(|| T::from(f32::NAN)))
}

impl Predictions {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.each {
            Each::Labels { rows, .. } => rows.len(),
            Each::Tokens(rows) => rows.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is taken for what; none of a language model.
    #[must_use]
    pub fn confusion(&self) -> Option<Confusion> {
        let Each::Labels { names, rows } = &self.each else { return None };
        let pairs = rows.iter().map(|row| (row.label, row.predicted));
        Some(Confusion { step: self.step, branch: self.branch, ..Confusion::of(names, pairs) })
    }

    /// Writes a file, which at each moment is whole, the old or the new one.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = self.to_lines().map_err(|error| Error::failed(format!("predictions cannot be written: {error}")))?;
        replace(path, &text).map_err(failed("write the predictions", path))
    }

    fn to_lines(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut add = |line: String| {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        };
        let labels = if let Each::Labels { names, .. } = &self.each { names.clone() } else { Vec::new() };
        let Self { step, branch, rows, .. } = self;
        let (format, step, branch, rows) = (FORMAT, *step, *branch, rows.clone());
        add(serde_json::to_string(&Head { format, step, branch, rows, examples: self.len(), labels })?);
        match &self.each {
            Each::Labels { names, rows } => {
                let name = |label: usize| names.get(label).cloned().unwrap_or_default();
                for &Labelled { line, label, predicted, logprob } in rows {
                    let line = LabelledLine { line, label: name(label), predicted: name(predicted), logprob };
                    add(serde_json::to_string(&line)?);
                }
            }
            Each::Tokens(rows) => {
                for told in rows {
                    add(serde_json::to_string(told)?);
                }
            }
        }
        Ok(text)
    }

    /// Reads a file; none where there is none.
    ///
    /// # Errors
    /// Refuses a file that cannot be read or is not whole.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let mut reading = Reading::default();
        let read = for_each_line(path, |number, line, _| reading.take(number, line));
        let refuse = |why: String| {
            Error::refused(format!("the predictions {} cannot be used: {why}; remove the file", place(path)))
        };
        read.map_err(|error| refuse(error.to_string()))?;
        reading.finish().map_err(refuse)
    }
}

/// A file that is being read.
#[derive(Debug, Default)]
struct Reading {
    head: Option<Head>,
    labelled: Vec<Labelled>,
    told: Vec<Told>,
    wrong: Option<String>,
}

impl Reading {
    fn take(&mut self, number: usize, line: &[u8]) {
        if self.wrong.is_none()
            && let Err(why) = self.take_line(line)
        {
            self.wrong = Some(format!("line {number}: {}", one_line(&why)));
        }
    }

    fn take_line(&mut self, line: &[u8]) -> std::result::Result<(), String> {
        let why = |error: serde_json::Error| error.to_string();
        let Some(head) = &self.head else {
            let head: Head = serde_json::from_slice(line).map_err(why)?;
            if head.format != FORMAT {
                return Err(format!("it is of format {}, and {FORMAT} is understood", head.format));
            }
            self.head = Some(head);
            return Ok(());
        };
        if self.labelled.len() + self.told.len() >= head.examples.min(MOST) {
            return Err("there are more rows than the first line says".into());
        }
        if head.labels.is_empty() {
            let told: Told = serde_json::from_slice(line).map_err(why)?;
            if told.right > told.tokens {
                return Err("more tokens are right than there are".into());
            }
            self.told.push(told);
        } else {
            let LabelledLine { line, label, predicted, logprob } = serde_json::from_slice(line).map_err(why)?;
            let place = |name: &str| {
                let place = head.labels.iter().position(|known| known == name);
                place.ok_or_else(|| "a label that the first line does not name".to_owned())
            };
            self.labelled.push(Labelled { line, label: place(&label)?, predicted: place(&predicted)?, logprob });
        }
        Ok(())
    }

    fn finish(self) -> std::result::Result<Option<Predictions>, String> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let Some(Head { step, branch, rows, examples, labels, .. }) = self.head else { return Ok(None) };
        if self.labelled.len() + self.told.len() != examples {
            return Err("it is cut off".into());
        }
        let each = if labels.is_empty() {
            Each::Tokens(self.told)
        } else {
            Each::Labels { names: labels, rows: self.labelled }
        };
        Ok(Some(Predictions { step, branch, rows, each }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn classifier() -> Predictions {
        let names = vec!["a \"b\"".to_owned(), "c\nd".to_owned()];
        let row = |line, label, predicted, logprob| Labelled { line, label, predicted, logprob };
        let rows = vec![row(1, 0, 0, -0.25), row(3, 1, 0, -2.5)];
        Predictions { step: 30, branch: 1, rows: "ab".into(), each: Each::Labels { names, rows } }
    }

    fn model() -> Predictions {
        let rows =
            vec![Told { line: 1, loss: 2.5, tokens: 4, right: 1 }, Told { line: 2, loss: 0.5, tokens: 1, right: 1 }];
        Predictions { step: 3, branch: 0, rows: "cd".into(), each: Each::Tokens(rows) }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.jsonl");
        assert_eq!(Predictions::read(&path).unwrap(), None);
        for predictions in [classifier(), model()] {
            predictions.write(&path).unwrap();
            assert_eq!(Predictions::read(&path).unwrap(), Some(predictions));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"format":1,"step":3,"branch":0,"rows":"cd","examples":2,"labels":[]}"#);
        assert_eq!(lines[1], r#"{"line":1,"loss":2.5,"tokens":4,"right":1}"#);
        classifier().write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = r#"{"line":1,"label":"a \"b\"","predicted":"a \"b\"","logprob":-0.25}"#;
        assert_eq!(text.lines().nth(1), Some(expected));
    }

    #[test]
    fn what_is_not_whole_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.jsonl");
        classifier().write(&path).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        let cut = whole.split_inclusive('\n').take(2).collect::<String>();
        let last = whole.lines().last().unwrap();
        for (text, why) in [
            (cut, "it is cut off"),
            (format!("{whole}{last}\n"), "line 4: there are more rows"),
            (whole.replace("\"format\":1", "\"format\":9"), "format 9"),
            (
                whole.replace("\"predicted\":\"a", "\"predicted\":\"z"),
                "line 2: a label that the first line does not name",
            ),
            ("{}\n".into(), "line 1: missing field"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Predictions::read(&path).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_read_back_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.jsonl");
        let mut predictions = model();
        predictions.each = Each::Tokens(vec![Told { line: 1, loss: f64::NAN, tokens: 1, right: 0 }]);
        predictions.write(&path).unwrap();
        let Some(Predictions { each: Each::Tokens(rows), .. }) = Predictions::read(&path).unwrap() else { panic!() };
        assert!(rows[0].loss.is_nan());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("predictions.jsonl");
            let head = br#"{"format":1,"step":3,"branch":0,"rows":"cd","examples":99999999999,"labels":[]}"#.to_vec();
            std::fs::write(&path, [vec![head], lines].concat().join(&b'\n')).unwrap();
            let _ = Predictions::read(&path);
        }
    }
}
