//! The predictions for each validation row at the end of a run.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{failed, replace};
use super::lines::for_each_line;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Confusion;
use spartui_facts::quote::{one_line, place};

/// Version of the layout of `predictions.jsonl`.
const FORMAT: u32 = 1;
/// Most rows that are read; those of a run come from a file that fitted into memory.
const MOST: usize = 1 << 26;

/// `predictions.jsonl`: a header line, then a line for each validation row, in the order of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Optimizer steps taken before the predictions.
    pub step: u64,
    /// The branch of that step.
    pub branch: u32,
    /// Hash of the validation rows: only predictions on the same rows can be compared.
    pub rows_hash: String,
    /// The predictions, one for each validation row.
    pub rows: PredictedRows,
}

/// The predictions for the validation rows.
#[derive(Debug, Clone, PartialEq)]
pub enum PredictedRows {
    /// Predictions of a classifier.
    Labels {
        /// The labels, in the order of the logits.
        names: Vec<String>,
        /// One prediction for each row.
        rows: Vec<LabelRow>,
    },
    /// Predictions of a language model.
    Tokens(Vec<TokenRow>),
}

/// The prediction of a classifier for a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelRow {
    /// Line of the row in its file.
    pub line: usize,
    /// Index of the row's own label among the names.
    pub label: usize,
    /// Index of the most likely label among the names.
    pub predicted: usize,
    /// Natural logarithm of the predicted probability of the row's own label.
    pub logprob: f32,
}

/// How well a language model predicts the target tokens of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Line of the row in its file.
    pub line: usize,
    /// Sum of the losses of its target tokens, in nats.
    #[serde(deserialize_with = "number_or_none")]
    pub loss: f64,
    /// Number of its target tokens.
    pub tokens: usize,
    /// Number of its target tokens that were the most likely ones.
    pub right: usize,
}

/// The header, which is the first line.
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

/// A row of a classifier as a line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct LabelLine {
    line: usize,
    label: String,
    predicted: String,
    #[serde(deserialize_with = "number_or_none")]
    logprob: f32,
}

/// Reads null as NaN: JSON has no other way to write it.
fn number_or_none<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + From<f32>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(|| T::from(f32::NAN)))
}

impl Predictions {
    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.rows {
            PredictedRows::Labels { rows, .. } => rows.len(),
            PredictedRows::Tokens(rows) => rows.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The confusion matrix; none for a language model.
    #[must_use]
    pub fn confusion(&self) -> Option<Confusion> {
        let PredictedRows::Labels { names, rows } = &self.rows else { return None };
        let pairs = rows.iter().map(|row| (row.label, row.predicted));
        Some(Confusion { step: self.step, branch: self.branch, ..Confusion::of(names, pairs) })
    }

    /// Replaces the file at once: a reader sees the old or the new file, complete.
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
        let labels = if let PredictedRows::Labels { names, .. } = &self.rows { names.clone() } else { Vec::new() };
        let Self { step, branch, rows_hash, .. } = self;
        let (format, step, branch, rows) = (FORMAT, *step, *branch, rows_hash.clone());
        add(serde_json::to_string(&Head { format, step, branch, rows, examples: self.len(), labels })?);
        match &self.rows {
            PredictedRows::Labels { names, rows } => {
                let name = |label: usize| names.get(label).cloned().unwrap_or_default();
                for &LabelRow { line, label, predicted, logprob } in rows {
                    let line = LabelLine { line, label: name(label), predicted: name(predicted), logprob };
                    add(serde_json::to_string(&line)?);
                }
            }
            PredictedRows::Tokens(rows) => {
                for row in rows {
                    add(serde_json::to_string(row)?);
                }
            }
        }
        Ok(text)
    }

    /// Reads a file; none if it does not exist.
    ///
    /// # Errors
    /// Refuses a file that cannot be read or is not whole.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let mut parser = Parser::default();
        let read = for_each_line(path, |number, line, _| parser.add_line(number, line));
        let refuse = |why: String| {
            Error::refused(format!("the predictions {} cannot be used: {why}; remove the file", place(path)))
        };
        read.map_err(|error| refuse(error.to_string()))?;
        parser.finish().map_err(refuse)
    }
}

/// The parser of a file, fed line by line.
#[derive(Debug, Default)]
struct Parser {
    head: Option<Head>,
    label_rows: Vec<LabelRow>,
    token_rows: Vec<TokenRow>,
    /// The first error, with its line.
    problem: Option<String>,
}

impl Parser {
    fn add_line(&mut self, number: usize, line: &[u8]) {
        if self.problem.is_none()
            && let Err(why) = self.parse_line(line)
        {
            self.problem = Some(format!("line {number}: {}", one_line(&why)));
        }
    }

    fn parse_line(&mut self, line: &[u8]) -> std::result::Result<(), String> {
        let why = |error: serde_json::Error| error.to_string();
        let Some(head) = &self.head else {
            let head: Head = serde_json::from_slice(line).map_err(why)?;
            if head.format != FORMAT {
                return Err(format!("it is of format {}, and {FORMAT} is understood", head.format));
            }
            self.head = Some(head);
            return Ok(());
        };
        if self.label_rows.len() + self.token_rows.len() >= head.examples.min(MOST) {
            return Err("there are more rows than the first line says".into());
        }
        if head.labels.is_empty() {
            let row: TokenRow = serde_json::from_slice(line).map_err(why)?;
            if row.right > row.tokens {
                return Err("more tokens are right than there are".into());
            }
            self.token_rows.push(row);
        } else {
            let LabelLine { line, label, predicted, logprob } = serde_json::from_slice(line).map_err(why)?;
            let index_of = |name: &str| {
                let index = head.labels.iter().position(|known| known == name);
                index.ok_or_else(|| "a label that the first line does not name".to_owned())
            };
            self.label_rows.push(LabelRow {
                line,
                label: index_of(&label)?,
                predicted: index_of(&predicted)?,
                logprob,
            });
        }
        Ok(())
    }

    fn finish(self) -> std::result::Result<Option<Predictions>, String> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let Some(Head { step, branch, rows: rows_hash, examples, labels, .. }) = self.head else { return Ok(None) };
        if self.label_rows.len() + self.token_rows.len() != examples {
            return Err("it is cut off".into());
        }
        let rows = if labels.is_empty() {
            PredictedRows::Tokens(self.token_rows)
        } else {
            PredictedRows::Labels { names: labels, rows: self.label_rows }
        };
        Ok(Some(Predictions { step, branch, rows_hash, rows }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn classifier() -> Predictions {
        let names = vec!["a \"b\"".to_owned(), "c\nd".to_owned()];
        let row = |line, label, predicted, logprob| LabelRow { line, label, predicted, logprob };
        let rows = vec![row(1, 0, 0, -0.25), row(3, 1, 0, -2.5)];
        Predictions { step: 30, branch: 1, rows_hash: "ab".into(), rows: PredictedRows::Labels { names, rows } }
    }

    fn model() -> Predictions {
        let rows = vec![
            TokenRow { line: 1, loss: 2.5, tokens: 4, right: 1 },
            TokenRow { line: 2, loss: 0.5, tokens: 1, right: 1 },
        ];
        Predictions { step: 3, branch: 0, rows_hash: "cd".into(), rows: PredictedRows::Tokens(rows) }
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
        predictions.rows = PredictedRows::Tokens(vec![TokenRow { line: 1, loss: f64::NAN, tokens: 1, right: 0 }]);
        predictions.write(&path).unwrap();
        let Some(Predictions { rows: PredictedRows::Tokens(rows), .. }) = Predictions::read(&path).unwrap() else {
            panic!()
        };
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
