//! Reading files of which every row counts: to predict on, to evaluate on.

use std::path::Path;

use rayon::prelude::*;

use super::columns::{Row, Wanted, read};
use super::labels::Labels;
use super::quote::place;
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};

/// A text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow {
    /// Line in its file.
    pub line: usize,
    /// The text, after the template if there is one.
    pub text: String,
}

/// A text with its label and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledRow {
    /// Line in its file.
    pub line: usize,
    /// The text, after the template if there is one.
    pub text: String,
    /// Place of its label among the given ones.
    pub label: usize,
}

/// Reads the rows to predict on, in order. An empty template is the text column.
///
/// # Errors
/// Refuses the file for any bad row, since each row of the input gets a row of the output.
pub fn read_for_prediction(path: &Path, text: &str, template: &str) -> Result<Vec<TextRow>> {
    let rows = read_all(path, Wanted { text, label: None, template }, Ok)?;
    Ok(rows.into_iter().map(|row| TextRow { line: row.line, text: row.text }).collect())
}

/// Reads the rows to evaluate on, in order, with labels among `labels`. An empty template is the text column.
///
/// # Errors
/// Refuses the file for any bad row: a score over some of the rows would be another score.
pub fn read_for_evaluation(
    path: &Path,
    text: &str,
    label: &str,
    template: &str,
    labels: &[String],
) -> Result<Vec<LabelledRow>> {
    let labels = Labels::new(labels.to_vec(), "the adapter")?;
    read_all(path, Wanted { text, label: Some(label), template }, |row| {
        let label = labels.place(&row.label)?;
        Ok(LabelledRow { line: row.line, text: row.text, label })
    })
}

fn read_all<T>(
    path: &Path,
    wanted: Wanted<'_>,
    finish: impl Fn(Row) -> std::result::Result<T, String>,
) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    read(path, wanted, &mut |line, row| {
        let row = row
            .and_then(&finish)
            .map_err(|why| Error::refused(format!("{}, line {line} {why}; mend or remove the row", place(path))))?;
        rows.push(row);
        Ok(())
    })?;
    if rows.is_empty() {
        return Err(Error::refused(format!("{} holds no rows; give a file with some", place(path))));
    }
    Ok(rows)
}

/// Token ids of texts, each cut to `max_length`, in order.
///
/// # Errors
/// Refuses a text that cannot be tokenized, by its line.
pub fn tokenize<'a>(
    tokenizer: &Tokenizer,
    path: &Path,
    rows: impl IntoIterator<Item = (usize, &'a str)>,
    max_length: usize,
) -> Result<Vec<Vec<u32>>> {
    let rows: Vec<(usize, &str)> = rows.into_iter().collect();
    rows.into_par_iter()
        .map(|(line, text)| {
            let refuse =
                |why: &str| Error::refused(format!("{}, line {line} {why}; mend or remove the row", place(path)));
            let (tokens, _) = tokenizer
                .encode_within(text, max_length)
                .map_err(|error| refuse(&format!("cannot be tokenized: {}", error.message())))?;
            if tokens.is_empty() { Err(refuse("has a text without a single token")) } else { Ok(tokens) }
        })
        .collect()
}
