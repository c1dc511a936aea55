//! `spartui runs`

use std::path::Path;

use serde::Serialize;

use super::print_line;
use spartui_engine::socket::ask;
use spartui_facts::error::Result;
use spartui_facts::protocol::Standing;
use spartui_interface::text::from_here;
use spartui_run::{ListedRun, State, list_runs};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print one JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

/// A run, with its live status if a process trains it.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    run: ListedRun,
    /// Whether a process trains it.
    alive: bool,
    /// The answer of that process; none if it does not answer.
    live: Option<Standing>,
}

impl Shown {
    fn new(run: ListedRun) -> Self {
        let alive = run.state == Some(State::Running);
        let live = if alive { ask(&run.folder) } else { None };
        let steps = live.as_ref().map(|live| live.step).or(run.steps);
        Self { run: ListedRun { steps, ..run }, alive, live }
    }

    fn status(&self) -> String {
        let Some(state) = self.run.state else { return "damaged".into() };
        let Some(live) = &self.live else { return state.to_string() };
        let status = if live.paused { "paused".into() } else { state.to_string() };
        match live.watching {
            0 => status,
            watching => format!("{status}, {watching} watching"),
        }
    }
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let listed: Vec<Shown> = list_runs(runs)?.into_iter().map(Shown::new).collect();
    if arguments.json {
        let json = serde_json::to_string_pretty(&listed);
        return print_line(&json.unwrap_or_else(|error| unreachable!("a list of runs is JSON: {error}")));
    }
    if listed.is_empty() {
        return print_line(&format!(
            "no runs in {} yet; `spartui demo` or `spartui train RECIPE` makes one",
            from_here(runs.display().to_string())
        ));
    }
    let rows = listed.iter().map(|shown| {
        let run = &shown.run;
        let steps = match (run.steps, run.total_steps) {
            (Some(steps), Some(total)) => format!("{steps}/{total}"),
            (Some(steps), None) => steps.to_string(),
            _ => "-".into(),
        };
        let percent = |accuracy: f64| format!("{:.2} %", accuracy * 100.0);
        // The same metric as in the run's own summary.
        let best = match &run.best {
            Some(best) if best.mcc.is_none() => format!("perplexity {:.3}", best.perplexity()),
            _ => run.best_accuracy.map_or("-".into(), percent),
        };
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        [run.name.escape_debug().to_string(), shown.status(), steps, best, or_dash(&run.method), or_dash(&run.model)]
    });
    let head = ["run", "status", "steps", "best", "method", "model"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    rows.iter().try_for_each(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        print_line(cells.collect::<Vec<_>>().join("  ").trim_end())
    })
}
