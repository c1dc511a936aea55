//! `spartui predict`

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::json;
use tch::{Kind, Tensor};

use super::loading::{Classifier, Source};
use crate::data::{self, Example};
use crate::error::{Error, Result};
use crate::train::predict_logits;

/// Rows that are computed at once.
pub const BATCH: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Rows: jsonl, json, csv or tsv.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where the predictions go, one JSON object for each row; - for standard output.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    columns: Columns,
}

/// Where a row's text is.
#[derive(Debug, clap::Args)]
pub struct Columns {
    /// Column of the text.
    #[arg(long, default_value = "text", value_name = "NAME")]
    pub text: String,
    /// minijinja template over the row that makes the text.
    #[arg(long, default_value = "", value_name = "TEMPLATE")]
    pub template: String,
    /// Longest text in tokens; longer ones are cut. 0: what the model can take.
    #[arg(long, default_value_t = 0, value_name = "N")]
    max_length: usize,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let classifier = arguments.source.load()?;
    let rows = data::read_for_prediction(&arguments.input, &arguments.columns.text, &arguments.columns.template)?;
    let texts = rows.iter().map(|row| (row.line, row.text.as_str()));
    let examples = classifier.examples(&arguments.input, texts, &arguments.columns)?;
    let logits = classifier.logits(&examples)?;
    let probabilities = logits.softmax(-1, Kind::Float);
    let mut lines = Vec::new();
    for row in 0..logits.size()[0] {
        let numbers = |tensor: &Tensor| -> Vec<f32> { Vec::try_from(tensor.get(row)).unwrap_or_default() };
        let best = usize::try_from(logits.get(row).argmax(0, false).int64_value(&[])).unwrap_or(0);
        let line = json!({
            "logits": numbers(&logits),
            "probabilities": numbers(&probabilities),
            "label": classifier.labels[best],
        });
        lines.extend_from_slice(line.to_string().as_bytes());
        lines.push(b'\n');
    }
    write(&arguments.output, &lines)
}

impl Classifier {
    /// Tokenized rows without labels.
    pub fn examples<'a>(
        &self,
        path: &Path,
        rows: impl Iterator<Item = (usize, &'a str)>,
        columns: &Columns,
    ) -> Result<Vec<Example>> {
        let most = usize::try_from(self.model.config.max_positions).unwrap_or(usize::MAX);
        let max_length = match columns.max_length {
            0 => most,
            length if length <= most => length,
            length => {
                return Err(Error::refused(format!(
                    "--max-length {length} is more than the model's {most} positions; take {most} or less"
                )));
            }
        };
        let tokens = data::tokenize(&self.tokenizer, path, rows, max_length)?;
        Ok(tokens.into_iter().map(|tokens| Example { tokens, label: 0 }).collect())
    }

    /// Logits of all rows, `[rows, labels]`, with a line of progress on a terminal.
    pub fn logits(&self, examples: &[Example]) -> Result<Tensor> {
        use std::io::IsTerminal;
        let shown = std::io::stderr().is_terminal();
        let logits = predict_logits(&self.model, &self.head, examples, BATCH, |done| {
            if shown {
                eprint!("\r{done} of {} rows", examples.len());
            }
            ControlFlow::Continue(())
        });
        if shown {
            eprintln!();
        }
        logits.ok_or_else(|| Error::failed("the prediction was broken off"))
    }
}

/// Writes a file that is whole or not there.
fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let refuse =
        |error: std::io::Error| Error::refused(format!("{}: {error}; give --output another file", path.display()));
    if path == Path::new("-") {
        return std::io::stdout().lock().write_all(contents).map_err(refuse);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(refuse)?;
    file.write_all(contents).map_err(refuse)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).map_err(refuse)?;
    file.persist(path).map_err(|error| refuse(error.error))?;
    Ok(())
}
