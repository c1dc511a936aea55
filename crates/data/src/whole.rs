//! Reads files for prediction and evaluation, in which every row counts.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::columns::{Wanted, read};
use super::encode::{Purpose, RowEncoder};
use super::example::Example;
use super::labels::Labels;
use super::tokenizer::Tokenizer;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_facts::recipe::{Data, TaskKind};

/// Reads the rows to predict on, in order, each truncated to `data.max_length`: for classification texts or pairs
/// (every label is 0), for a causal model texts as they are, without an end token, all tokens but the first marked as
/// targets. Of `data`, the columns, the template and the length matter.
///
/// # Errors
/// Refuses the file for any bad row, since each row of the input gets a row of the output; names the first ones and
/// their number.
pub fn read_for_prediction(path: &Path, data: &Data, kind: TaskKind, tokenizer: &Tokenizer) -> Result<Vec<Example>> {
    let (examples, bad) = read_to_answer(path, data, kind, tokenizer)?;
    bad.refuse(path)?;
    Ok(examples)
}

/// As [`read_for_prediction`], with the bad rows, to which others may be added. If there are any, examples are
/// missing.
pub(super) fn read_to_answer(
    path: &Path,
    data: &Data,
    kind: TaskKind,
    tokenizer: &Tokenizer,
) -> Result<(Vec<Example>, Bad)> {
    let purpose = match kind {
        TaskKind::SequenceClassification => Purpose::NoLabels,
        TaskKind::CausalLm => Purpose::AllTokens,
    };
    read_all(path, data, Wanted::to_answer(data, kind), purpose, tokenizer)
}

/// Reads the rows to evaluate on, in order, each truncated to `data.max_length`: for classification with labels among
/// `labels`, for a causal model in any format, as [`super::prepare`] does. Of `data`, the columns, the format, the
/// template, `append_end` and the length matter.
///
/// # Errors
/// Refuses the file for any bad row, as [`read_for_prediction`]: a score over some of the rows would be a different
/// score.
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
    let purpose = labels.as_ref().map_or(Purpose::Tokens, Purpose::Labels);
    let (examples, bad) = read_all(path, data, Wanted::to_learn(data, kind)?, purpose, tokenizer)?;
    bad.refuse(path)?;
    Ok(examples)
}

fn read_all(
    path: &Path,
    data: &Data,
    wanted: Wanted<'_>,
    purpose: Purpose<'_>,
    tokenizer: &Tokenizer,
) -> Result<(Vec<Example>, Bad)> {
    let (mut good, mut numbers, mut bad) = (Vec::new(), Vec::new(), Bad::default());
    read(path, wanted, &mut |line, row| {
        bad.of += 1;
        match row {
            Ok(row) => {
                good.push(row);
                numbers.push(bad.of);
            }
            Err(why) => bad.add(bad.of, line, why),
        }
        Ok(())
    })?;
    if bad.of == 0 {
        return Err(Error::refused(format!("{} holds no rows; give a file with some", place(path))));
    }
    if good.is_empty() {
        return Ok((Vec::new(), bad));
    }
    let encoder = RowEncoder::new(tokenizer, purpose, data, true, &good)?;
    let outcomes: Vec<_> = good.par_iter().map(|row| encoder.encode(row)).collect();
    let mut examples = Vec::with_capacity(outcomes.len());
    for ((row, number), outcome) in good.iter().zip(numbers).zip(outcomes) {
        match outcome {
            Ok((example, _)) => examples.push(example),
            Err(why) => bad.add(number, row.line, why),
        }
    }
    Ok((examples, bad))
}

/// The most rows named in an error.
const NAMED: usize = 5;

/// The bad rows of a file.
#[derive(Debug, Default)]
pub(super) struct Bad {
    /// Rows of the file, including good ones.
    of: usize,
    /// Line and error of each by its number, from 1 on: several rows may be on one line.
    rows: BTreeMap<usize, (usize, String)>,
}

impl Bad {
    /// Adds one. Of several errors of a row, the first one counts.
    pub fn add(&mut self, number: usize, line: usize, why: String) {
        self.rows.entry(number).or_insert((line, why));
    }

    /// # Errors
    /// Refuses the file if there is any, so that all of them can be corrected at once.
    pub fn refuse(&self, path: &Path) -> Result<()> {
        let (place, count) = (place(path), self.rows.len());
        let shown: Vec<&(usize, String)> = self.rows.values().take(NAMED).collect();
        match shown.as_slice() {
            [] => return Ok(()),
            [(line, why)] => return Err(Error::refused(format!("{place}, line {line} {why}; fix or remove the row"))),
            _ => {}
        }
        let mut named: Vec<String> = Vec::new();
        for (at, (line, why)) in shown.iter().enumerate() {
            let same = |other: &&&(usize, String)| other.1 == *why;
            // An error shared by several rows is named once.
            if shown[..at].iter().any(|other| same(&other)) {
                continue;
            }
            let others: Vec<String> = shown[at + 1..].iter().filter(same).map(|other| other.0.to_string()).collect();
            let too = match others.as_slice() {
                [] => String::new(),
                [one] => format!(" (line {one} too)"),
                many => format!(" (lines {} too)", many.join(", ")),
            };
            named.push(format!("line {line} {why}{too}"));
        }
        if count > shown.len() {
            named.push(format!("and {} more", count - shown.len()));
        }
        Err(Error::refused(format!(
            "{count} of the {} rows of {place} cannot be used: {}; fix or remove them",
            self.of,
            named.join("; ")
        )))
    }
}
