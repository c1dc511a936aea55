//! `spartui runs`

use std::path::Path;

use super::print_line;
use crate::error::Result;
use crate::run::list_runs;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// One JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let listed = list_runs(runs)?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&listed);
        return print_line(&json.unwrap_or_else(|error| unreachable!("a list of runs is JSON: {error}")));
    }
    if listed.is_empty() {
        return print_line(&format!(
            "no runs in {}; `spartui demo` or `spartui train RECIPE` makes one",
            runs.display()
        ));
    }
    let rows = listed.iter().map(|run| {
        let steps = match (run.steps, run.total_steps) {
            (Some(steps), Some(total)) => format!("{steps}/{total}"),
            (Some(steps), None) => steps.to_string(),
            _ => "-".into(),
        };
        let accuracy = run.best_accuracy.map_or("-".into(), |accuracy| format!("{:.2} %", accuracy * 100.0));
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let status = run.state.map_or_else(|| "damaged".into(), |state| state.to_string());
        [run.name.escape_debug().to_string(), status, steps, accuracy, or_dash(&run.method), or_dash(&run.model)]
    });
    let head = ["run", "status", "steps", "best accuracy", "method", "model"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    rows.iter().try_for_each(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        print_line(cells.collect::<Vec<_>>().join("  ").trim_end())
    })
}
