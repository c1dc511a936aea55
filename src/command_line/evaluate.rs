//! `spartui evaluate`

mod answers;
mod report;

use std::path::{Path, PathBuf};

use super::columns::{Answers, Columns, note_long_rows};
use super::loading::Source;
use super::predict::{BATCH, cancelled, end_progress, progress};
use super::print_line;
use spartui_data::{self as data, Target};
use spartui_facts::error::Result;
use spartui_facts::recipe::TaskKind;
use spartui_model::Outputs;
use spartui_train::{Scores, confusion, language_scores};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Rows with labels, or with the target texts of a language model: jsonl, json, csv, tsv or parquet.
    #[arg(long, visible_alias = "input", value_name = "FILE")]
    data: PathBuf,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    answers: Answers,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let loaded = arguments.source.load(runs)?;
    let mut data = arguments.answers.add_to(arguments.columns.data(&loaded.model, loaded.recipe.as_ref())?);
    let task = loaded.model.task;
    if loaded.recipe.is_none() {
        arguments.columns.guess(&mut data, &arguments.data, task, Some(&arguments.answers))?;
    }
    if task == TaskKind::SequenceClassification && loaded.outputs != Outputs::OneLabel {
        return answers::run(arguments, &loaded, &data);
    }
    let examples = data::read_for_evaluation(&arguments.data, &data, task, &loaded.labels, &loaded.tokenizer)?;
    note_long_rows(&examples, loaded.recipe.as_ref(), &loaded.model);
    let mut by_label = None;
    let scores = match task {
        TaskKind::CausalLm => language_scores(&loaded.model, &examples, BATCH, progress(examples.len())),
        TaskKind::SequenceClassification => {
            let label = |example: &data::Example| match example.target {
                Target::Label(label) => Some(label),
                Target::Tokens(_) => None,
            };
            let labels: Vec<usize> = examples.iter().filter_map(label).collect();
            let logits = loaded.logits(&examples)?;
            by_label = Some(confusion(&logits, &labels, &loaded.labels));
            Some(Scores::of(&logits, &labels))
        }
    };
    end_progress();
    let Scores { loss, accuracy, mcc } = scores.ok_or_else(cancelled)?;
    if !loss.is_finite() {
        return Err(loaded.nonfinite_output());
    }
    if arguments.json {
        let mut json = serde_json::json!({ "eval_loss": loss, "accuracy": accuracy });
        match mcc {
            Some(mcc) => json["mcc"] = mcc.into(),
            None => json["perplexity"] = loss.exp().into(),
        }
        json["examples"] = examples.len().into();
        if let Some(confusion) = &by_label {
            report::add_to(&mut json, confusion);
        }
        return print_line(&json.to_string());
    }
    print_line(&format!("examples   {}", examples.len()))?;
    print_line(&format!("loss       {loss:.4}"))?;
    print_line(&format!("accuracy   {:.2} %{}", accuracy * 100.0, if mcc.is_some() { "" } else { " of tokens" }))?;
    match mcc {
        Some(mcc) => print_line(&format!("mcc        {mcc:.4}"))?,
        None => print_line(&format!("perplexity {:.4}", loss.exp()))?,
    }
    by_label.as_ref().map_or(Ok(()), report::print)
}
