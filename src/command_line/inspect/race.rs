//! The lanes of a race, the best first.

use crate::command_line::print_line;
use crate::command_line::printer::scored;
use spartui_facts::error::Result;
use spartui_facts::protocol::{Evaluation, Lane, Race, Step};
use spartui_facts::quote::one_line;
use spartui_run::{Metrics, RunFolder, Status};

/// A lane with the status and the metrics in its folder.
struct Shown {
    about: Lane,
    status: Option<Status>,
    last: Option<Step>,
    best: Option<Evaluation>,
}

impl Shown {
    fn read(about: Lane) -> Result<Self> {
        let run = RunFolder::open(&about.folder)?;
        let readings = Metrics::read(&run.metrics_path())?;
        let better = |best: Evaluation, next: Evaluation| if next.is_better_than(&best) { next } else { best };
        Ok(Self {
            status: run.status().ok(),
            last: readings.steps.last().copied(),
            best: readings.evaluations.into_iter().reduce(better),
            about,
        })
    }

    fn cells(&self) -> [String; 6] {
        let status = self.status.as_ref().map_or_else(|| "damaged".into(), |status| status.state.to_string());
        let status = if self.about.out { format!("{status} by itself") } else { status };
        let (taken, of) = (self.last.map(|step| step.step), self.status.as_ref().and_then(|status| status.total_steps));
        let steps = match (taken.unwrap_or(0), of) {
            (taken, Some(of)) => format!("{taken}/{of}"),
            (taken, None) => taken.to_string(),
        };
        let best = self.best.map_or_else(|| "not evaluated".into(), |best| scored(&best));
        let trainable = self.last.map_or_else(|| "-".into(), |step| step.trainable.to_string());
        [self.about.name.clone(), status, steps, trainable, best, self.about.label()]
    }
}

/// Prints the lanes of a race as a table.
///
/// # Errors
/// Refuses lanes that cannot be read.
pub(super) fn lanes(race: Race) -> Result<()> {
    let mut lanes = race.lanes.into_iter().map(Shown::read).collect::<Result<Vec<_>>>()?;
    lanes.sort_by(|one, other| {
        let before = |one: &Shown, other: &Shown| match (one.best, other.best) {
            (Some(one), Some(other)) => one.is_better_than(&other),
            (one, other) => one.is_some() && other.is_none(),
        };
        before(other, one).cmp(&before(one, other))
    });
    let head = ["lane", "status", "steps", "trainable", "best", "overrides"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(lanes.iter().map(Shown::cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    print_line("")?;
    rows.iter().try_for_each(|row| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{:<width$}", one_line(cell))).collect();
        print_line(cells.join("  ").trim_end())
    })
}
