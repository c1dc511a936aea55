//! Reading files of which every row counts: to predict on, to evaluate on.

use std::path::Path;

use rayon::prelude::*;

use super::columns::{Row, Wanted, read};
use super::encode::{Purpose, RowEncoder};
use super::example::Example;
use super::labels::Labels;
use super::quote::place;
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::recipe::{Data, TaskKind};

/// Reads the rows to predict on, in order, each cut to `data.max_length`: for classification texts or pairs (every label
/// is 0), for a causal model texts as they are, without an end token, all tokens but the first marked. Of `data` the
/// columns, the template and the length count.
///
/// # Errors
/// Refuses the file for any bad row, since each row of the input gets a row of the output.
pub fn read_for_prediction(path: &Path, data: &Data, kind: TaskKind, tokenizer: &Tokenizer) -> Result<Vec<Example>> {
    let rows = read_all(path, Wanted::to_answer(data, kind), None)?;
    let purpose = match kind {
        TaskKind::SequenceClassification => Purpose::NoLabels,
        TaskKind::CausalLm => Purpose::AllTokens,
    };
    encode_all(path, &rows, &RowEncoder::new(tokenizer, purpose, data, true, &rows)?)
}

/// Reads the rows to evaluate on, in order, each cut to `data.max_length`: for classification with labels among `labels`,
/// for a causal model in any format, as [`super::prepare`] would make them. Of `data` the columns, the format, the
/// template, `append_end` and the length count.
///
/// # Errors
/// Refuses the file for any bad row: a score over some of the rows would be another score.
pub fn read_for_evaluation(
    path: &Path,
    data: &Data,
    kind: TaskKind,
    labels: &[String],
    tokenizer: &Tokenizer,
) -> Result<Vec<Example>> {
    let labels = match kind {
        TaskKind::SequenceClassification => Some(Labels::new(labels.to_vec(), "the model")?),
        TaskKind::CausalLm => None,
    };
    let rows = read_all(path, Wanted::to_learn(data, kind)?, labels.as_ref())?;
    let purpose = labels.as_ref().map_or(Purpose::Tokens, Purpose::Labels);
    encode_all(path, &rows, &RowEncoder::new(tokenizer, purpose, data, true, &rows)?)
}

fn read_all(path: &Path, wanted: Wanted<'_>, labels: Option<&Labels>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    read(path, wanted, &mut |line, row| {
        let known = |row: Row| labels.map_or(Ok(0), |labels| labels.place(&row.label)).map(|_| row);
        rows.push(row.and_then(known).map_err(|why| bad(path, line, &why))?);
        Ok(())
    })?;
    if rows.is_empty() {
        return Err(Error::refused(format!("{} holds no rows; give a file with some", place(path))));
    }
    Ok(rows)
}

fn encode_all(path: &Path, rows: &[Row], encoder: &RowEncoder<'_>) -> Result<Vec<Example>> {
    let encode = |row: &Row| encoder.encode(row).map(|(example, _)| example).map_err(|why| bad(path, row.line, &why));
    rows.par_iter().map(encode).collect()
}

fn bad(path: &Path, line: usize, why: &str) -> Error {
    Error::refused(format!("{}, line {line} {why}; fix or remove the row", place(path)))
}
