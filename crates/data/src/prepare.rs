//! Converts a recipe's files to examples.

use std::path::Path;

use rayon::prelude::*;

use super::checks;
use super::columns::{Row, Wanted, read};
use super::encode::{Purpose, RowEncoder};
use super::example::Example;
use super::fingerprint::Fingerprint;
use super::labels::Labels;
use super::left_out::LeftOut;
use super::preview::{Preview, preview};
use super::tokenizer::Tokenizer;
use spartui_facts::error::{Error, Result};
use spartui_facts::permutation::{Permutation, derive_key};
use spartui_facts::quote::{one_line, place};
use spartui_facts::recipe::{BadRows, Data, KeepState, Recipe, TaskKind, TooLong, Validation};

/// Rows tokenized between two progress reports.
const CHUNK: usize = 512;

/// Examples in the order of their file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The examples.
    pub examples: Vec<Example>,
    /// The line of each in its file.
    pub lines: Vec<usize>,
    /// Rows of the file that are not examples.
    pub left_out: LeftOut,
    /// What was guessed about the file in one sentence, if anything.
    pub read_as: Option<String>,
    /// A hash of the examples: runs evaluated on the same ones have the same hash.
    pub fingerprint: String,
}

/// Training and validation data of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Training data.
    pub train: Dataset,
    /// Validation data.
    pub validation: Dataset,
    /// Labels in the order of the logits; none for token targets.
    pub labels: Vec<String>,
    /// The first training example.
    pub preview: Option<Preview>,
    /// Likely mistakes in the rows, a sentence each.
    pub findings: Vec<String>,
}

/// Reads, labels, splits and tokenizes a recipe's data. `progress` gets the current activity, and the share that is
/// done if known.
///
/// # Errors
/// Refuses files that cannot be used, and settings that leave nothing to train or validate on.
pub fn prepare(
    recipe: &Recipe,
    tokenizer: &Tokenizer,
    progress: &mut dyn FnMut(&str, Option<f32>),
) -> Result<Prepared> {
    let data = &recipe.data;
    if data.train.as_os_str().is_empty() {
        return Err(Error::refused("the recipe names no training rows; set data.train to a file"));
    }
    if data.validation == Validation::Share(0.0) && recipe.train.early_stopping_patience > 0 {
        return Err(Error::refused(
            "train.early_stopping_patience counts evaluations, and with data.validation = 0 there are none; give validation \
             rows, or set it to 0",
        ));
    }
    if data.validation == Validation::Share(0.0) && recipe.train.keep == KeepState::Best {
        return Err(Error::refused(
            "train.keep = \"best\" goes by evaluations, and with data.validation = 0 there are none; give validation rows, or \
             set it to \"last\"",
        ));
    }
    let mut files = Reader { data, kind: recipe.task.kind, progress };
    let given = match (recipe.task.kind, recipe.task.labels.as_slice()) {
        (TaskKind::CausalLm, _) | (_, []) => None,
        (TaskKind::SequenceClassification, names) => Some(Labels::new(names.to_vec(), "task.labels")?),
    };
    let mut train = files.read(&data.train, given.as_ref())?;
    let labels = match (recipe.task.kind, given) {
        (TaskKind::CausalLm, _) => None,
        (_, Some(labels)) => Some(labels),
        (_, None) => {
            let names = Labels::sorted(train.good.iter().map(|row| row.label.as_str()));
            let labels = Labels::new(names, &place(&data.train));
            Some(labels.map_err(|error| train.with_left_out(error))?)
        }
    };
    let validation = match &data.validation {
        Validation::File(path) => files.read(path, labels.as_ref()).map_err(|error| train.with_swap_hint(error))?,
        Validation::Share(0.0) => Rows::none(data),
        Validation::Share(share) => split(&mut train, *share, recipe.train.seed)?,
    };
    let split = matches!(data.validation, Validation::Share(_));
    let purpose = labels.as_ref().map_or(Purpose::Tokens, Purpose::Labels);
    let (train, learned) = files.tokenize(train, purpose, tokenizer)?;
    let (validation, measured) = match validation.good.as_slice() {
        [] => Default::default(),
        _ => files.tokenize(validation, purpose, tokenizer)?,
    };
    // Only now are the remaining rows known: the checks apply to the rows of the run.
    let parts = checks::Parts {
        train: checks::Part { name: "training", file: &train.left_out.file, rows: &learned },
        validation: checks::Part { name: "validation", file: &validation.left_out.file, rows: &measured },
        split,
        labels: labels.as_ref(),
    };
    let findings = files.check(&parts);
    drop((learned, measured));
    let labels = labels.map(Labels::into_names).unwrap_or_default();
    let preview = train.examples.first().map(|example| preview(tokenizer, example, &labels));
    Ok(Prepared { train, validation, labels, preview, findings })
}

/// Good rows of a file.
struct Rows<'p> {
    path: &'p Path,
    good: Vec<Row>,
    left_out: LeftOut,
    read_as: Option<String>,
}

impl Rows<'_> {
    /// Adds the rows left out to an error.
    fn with_left_out(&self, error: Error) -> Error {
        self.left_out.with_left_out(error)
    }

    /// Adds to an error of another file that columns may be swapped in both.
    fn with_swap_hint(&self, error: Error) -> Error {
        match (error, checks::swapped(&self.good)) {
            (Error::Refused(why), Some(swapped)) if self.good.iter().any(|row| !row.label.is_empty()) => {
                Error::refused(format!("{why}; {swapped}"))
            }
            (error, _) => error,
        }
    }
}

impl<'p> Rows<'p> {
    /// No rows, if none are wanted.
    fn none(data: &'p Data) -> Self {
        Self { path: &data.train, good: Vec::new(), left_out: LeftOut::default(), read_as: None }
    }
}

/// Moves the validation rows out of the training rows.
fn split<'a>(train: &mut Rows<'a>, share: f64, seed: u64) -> Result<Rows<'a>> {
    let rows = train.good.len();
    if rows < 2 {
        return Err(train.with_left_out(Error::refused(format!(
            "{} has one good row, too few to take validation rows from; set data.validation to a file",
            place(train.path)
        ))));
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped, and rows are below 2^53"
    )]
    let wanted = ((rows as f64 * share).round() as usize).clamp(1, rows - 1);
    let order = Permutation::new(derive_key(seed, "validation", ""), rows as u64);
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    for (at, row) in std::mem::take(&mut train.good).into_iter().enumerate() {
        if order.rank_of(at as u64) < wanted as u64 { taken.push(row) } else { kept.push(row) }
    }
    let left_out = LeftOut {
        file: train.left_out.file.clone(),
        rows: taken.len(),
        drawn: true,
        max_length: train.left_out.max_length,
        ..LeftOut::default()
    };
    train.good = kept;
    Ok(Rows { path: train.path, good: taken, left_out, read_as: None })
}

/// Reads the files of a recipe.
struct Reader<'a> {
    data: &'a Data,
    kind: TaskKind,
    progress: &'a mut dyn FnMut(&str, Option<f32>),
}

impl Reader<'_> {
    fn read<'p>(&mut self, path: &'p Path, labels: Option<&Labels>) -> Result<Rows<'p>> {
        let file = one_line(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
        (self.progress)(&format!("reading {file}"), None);
        let mut left_out = LeftOut { file, max_length: self.data.max_length, ..LeftOut::default() };
        let mut rows = Vec::new();
        let read_as = read(path, Wanted::to_learn(self.data, self.kind)?, &mut |line, row| {
            left_out.rows += 1;
            let known = |row: Row| labels.map_or(Ok(0), |labels| labels.place(&row.label)).map(|_| row);
            match row.and_then(known) {
                Ok(row) => rows.push(row),
                Err(why) => self.refuse_or_note(path, &mut left_out, line, why)?,
            }
            Ok(())
        })?;
        if left_out.rows == 0 {
            return Err(Error::refused(format!("{} holds no rows; give a file with some", place(path))));
        }
        if rows.is_empty() {
            return Err(self.no_good_row(path, &left_out));
        }
        Ok(Rows { path, good: rows, left_out, read_as })
    }

    fn check(&mut self, parts: &checks::Parts<'_>) -> Vec<String> {
        parts.check(&mut |share| {
            // Immediate work needs no progress report.
            if share > 0.0 {
                (self.progress)("checking the rows", Some(share));
            }
        })
    }

    /// The examples, and the rows that they were made from.
    fn tokenize(&mut self, rows: Rows<'_>, purpose: Purpose<'_>, tokenizer: &Tokenizer) -> Result<(Dataset, Vec<Row>)> {
        let Rows { path, good: mut rows, mut left_out, read_as } = rows;
        let encoder = RowEncoder::new(tokenizer, purpose, self.data, self.data.too_long == TooLong::Truncate, &rows)?;
        let what = format!("tokenizing {}", left_out.file);
        let mut examples = Vec::with_capacity(rows.len());
        let mut lines = Vec::with_capacity(rows.len());
        let mut taken = Vec::with_capacity(rows.len());
        let mut shortest = usize::MAX;
        let mut fingerprint = Fingerprint::default();
        for (chunk, part) in rows.chunks(CHUNK).enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "for a progress bar")]
            (self.progress)(&what, Some((chunk * CHUNK) as f32 / rows.len() as f32));
            let outcomes: Vec<_> = part.par_iter().map(|row| encoder.encode(row)).collect();
            for (row, outcome) in part.iter().zip(outcomes) {
                let before = examples.len();
                match outcome {
                    Ok((example, cut)) if example.tokens.len() <= self.data.max_length => {
                        left_out.truncated += usize::from(cut);
                        fingerprint.add(row, &example);
                        examples.push(example);
                        lines.push(row.line);
                    }
                    Ok((example, _)) => {
                        left_out.add_too_long(row.line);
                        shortest = shortest.min(example.tokens.len());
                    }
                    Err(why) => self.refuse_or_note(path, &mut left_out, row.line, why)?,
                }
                taken.push(examples.len() > before);
            }
        }
        let mut taken = taken.into_iter();
        rows.retain(|_| taken.next().unwrap_or(false));
        if examples.is_empty() && left_out.too_long > 0 {
            let every = if left_out.bad > 0 { "every good row" } else { "every row" };
            let why = Error::refused(format!(
                "{every} of {} is longer than data.max_length = {} tokens, the shortest has {shortest}; raise it, or \
                 set data.too_long = \"truncate\"",
                place(path),
                self.data.max_length
            ));
            return Err(if left_out.bad > 0 { left_out.with_left_out(why) } else { why });
        }
        if examples.is_empty() {
            return Err(self.no_good_row(path, &left_out));
        }
        Ok((Dataset { examples, lines, left_out, read_as, fingerprint: fingerprint.finish() }, rows))
    }

    fn refuse_or_note(&self, path: &Path, left_out: &mut LeftOut, line: usize, why: String) -> Result<()> {
        if self.data.bad_rows == BadRows::Fail {
            return Err(Error::refused(format!(
                "{}, line {line} {why}; fix the row, or leave such rows out with data.bad_rows = \"report\"",
                place(path)
            )));
        }
        left_out.add_bad(line, why);
        Ok(())
    }

    fn no_good_row(&self, path: &Path, left_out: &LeftOut) -> Error {
        let first = left_out.reasons();
        let first = if first.is_empty() { String::new() } else { format!(" ({first})") };
        let all =
            if left_out.rows == 1 { "the only row".into() } else { format!("each of the {} rows", left_out.rows) };
        if left_out.drawn {
            return Error::refused(format!(
                "{all} that data.validation draws from {} is bad{first}; draw a larger share, give a file of validation \
                 rows, or fix the rows",
                place(path)
            ));
        }
        let fields = match self.kind {
            TaskKind::SequenceClassification => "data.text, data.label, data.template and task.labels",
            TaskKind::CausalLm => "data.format, the columns of data and data.max_length",
        };
        Error::refused(format!("{all} of {} is bad{first}; fix the file, or set {fields} to fit it", place(path)))
    }
}

#[cfg(test)]
mod causal_tests;
#[cfg(test)]
mod tests;
