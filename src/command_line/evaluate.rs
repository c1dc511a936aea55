//! `spartui evaluate`

use std::path::PathBuf;

use super::loading::Source;
use super::predict::Columns;
use super::print_line;
use crate::data;
use crate::error::Result;
use crate::train::Scores;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Rows with labels: jsonl, json, csv or tsv.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column of the label.
    #[arg(long, default_value = "label", value_name = "NAME")]
    label: String,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    columns: Columns,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let classifier = arguments.source.load()?;
    let columns = &arguments.columns;
    let rows = data::read_for_evaluation(
        &arguments.data,
        &columns.text,
        &arguments.label,
        &columns.template,
        &classifier.labels,
    )?;
    let texts = rows.iter().map(|row| (row.line, row.text.as_str()));
    let examples = classifier.examples(&arguments.data, texts, columns)?;
    let labels: Vec<usize> = rows.iter().map(|row| row.label).collect();
    let Scores { loss, accuracy, mcc } = Scores::of(&classifier.logits(&examples)?, &labels);
    if arguments.json {
        let scores =
            serde_json::json!({ "eval_loss": loss, "accuracy": accuracy, "mcc": mcc, "examples": labels.len() });
        return print_line(&scores.to_string());
    }
    print_line(&format!("examples {}", labels.len()))?;
    print_line(&format!("loss     {loss:.4}"))?;
    print_line(&format!("accuracy {:.2} %", accuracy * 100.0))?;
    print_line(&format!("mcc      {mcc:.4}"))
}
