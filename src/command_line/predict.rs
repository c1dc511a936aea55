//! `spartui predict`

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::Tensor;

use super::columns::{Columns, note_long_rows};
use super::loading::{Loaded, Source};
use super::output;
use spartui_data::{self as data, Example};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_facts::recipe::TaskKind;
use spartui_model::Outputs;
use spartui_train::{check_token_types, padding_warning, predict_logits, probabilities, token_logprobs};

/// Rows per batch.
pub const BATCH: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Rows: jsonl, json, csv, tsv or parquet.
    #[arg(long, visible_alias = "data", value_name = "FILE")]
    input: PathBuf,
    /// File for the predictions, one JSON object for each row; - for standard output. Links are followed; pipes and
    /// devices are written to directly.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    columns: Columns,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    output::check(&arguments.output)?;
    output::check_apart(&arguments.output, &arguments.input)?;
    let loaded = arguments.source.load(runs)?;
    let mut data = arguments.columns.data(&loaded.model, loaded.recipe.as_ref())?;
    if loaded.recipe.is_none() {
        arguments.columns.guess(&mut data, &arguments.input, loaded.model.task, None)?;
    }
    let examples = data::read_for_prediction(&arguments.input, &data, loaded.model.task, &loaded.tokenizer)?;
    note_long_rows(&examples, loaded.recipe.as_ref(), &loaded.model);
    let predictions = match loaded.model.task {
        TaskKind::SequenceClassification => loaded.labels_of(&examples)?,
        TaskKind::CausalLm => loaded.logprobs_of(&examples)?,
    };
    let lines: Vec<String> = predictions.iter().map(Value::to_string).collect();
    output::write(&arguments.output, (lines.join("\n") + "\n").as_bytes())
}

impl Loaded {
    fn labels_of(&self, examples: &[Example]) -> Result<Vec<Value>> {
        let logits = self.logits(examples)?;
        let probabilities = probabilities(&logits, self.outputs);
        let rows = (0..logits.size()[0]).map(|row| {
            let numbers = |tensor: &Tensor| -> Vec<f32> { Vec::try_from(tensor.get(row)).unwrap_or_default() };
            let probabilities = probabilities.as_ref().map(numbers);
            self.prediction(&numbers(&logits), probabilities.as_deref())
        });
        Ok(rows.collect())
    }

    /// The prediction for a row, as JSON. `label` is the most likely label; if several labels may hold, `labels` are
    /// those with a probability of at least 0.5. Without probabilities the logits themselves are the prediction.
    fn prediction(&self, logits: &[f32], probabilities: Option<&[f32]>) -> Value {
        let mut prediction = json!({ "logits": logits });
        let Some(probabilities) = probabilities else {
            match logits {
                [value] => prediction["value"] = json!(value),
                values => prediction["values"] = json!(values),
            }
            return prediction;
        };
        let best = (0..logits.len()).reduce(|best, next| if logits[next] > logits[best] { next } else { best });
        prediction["probabilities"] = json!(probabilities);
        prediction["label"] = json!(best.and_then(|best| self.labels.get(best)));
        if self.outputs == Outputs::AnyLabels {
            let likely = self.labels.iter().zip(probabilities).filter(|(_, probability)| **probability >= 0.5);
            prediction["labels"] = likely.map(|(label, _)| label.as_str()).collect();
        }
        prediction
    }

    fn logprobs_of(&self, examples: &[Example]) -> Result<Vec<Value>> {
        let rows: Vec<Vec<u32>> = examples.iter().map(|example| example.tokens.clone()).collect();
        let logprobs = token_logprobs(&self.model, &rows, BATCH, progress(rows.len())).ok_or_else(cancelled)?;
        end_progress();
        if logprobs.iter().flatten().any(|logprob| logprob.is_nan()) {
            return Err(self.nonfinite_output());
        }
        Ok(rows
            .iter()
            .zip(logprobs)
            .map(|(tokens, logprobs)| json!({"tokens": tokens, "logprobs": logprobs}))
            .collect())
    }

    /// The error for damaged weights, or weights too large for their data type.
    pub fn nonfinite_output(&self) -> Error {
        Error::refused(format!(
            "{}: the model's output is not a number; download its files again, or use --dtype float32",
            place(&self.folder)
        ))
    }

    /// Logits of all rows, `[rows, labels]`, with a line of progress on a terminal.
    pub fn logits(&self, examples: &[Example]) -> Result<Tensor> {
        check_token_types(&self.model, examples)?;
        if let Some(remark) = padding_warning(&self.model, &self.tokenizer, examples) {
            super::print_note("warning", &remark);
        }
        let logits = predict_logits(&self.model, &self.head, examples, BATCH, progress(examples.len()));
        end_progress();
        let logits = logits.ok_or_else(cancelled)?;
        if logits.isfinite().all().int64_value(&[]) == 0 { Err(self.nonfinite_output()) } else { Ok(logits) }
    }
}

pub fn cancelled() -> Error {
    Error::failed("the prediction was cancelled")
}

/// A callback that shows the number of rows done, on a terminal.
pub fn progress(of: usize) -> impl FnMut(usize) -> ControlFlow<()> {
    #[expect(clippy::cast_precision_loss, reason = "for a progress line")]
    move |done| {
        super::show_progress("predicting", Some(done as f32 / of.max(1) as f32));
        ControlFlow::Continue(())
    }
}

pub fn end_progress() {
    super::end_progress();
}
