//! A run as far as a comparison goes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::setting::shown;
use crate::error::Result;
use crate::protocol::{Deed, Entry, Evaluation, Holds, What};
use crate::recipe::Recipe;
use crate::run::{Journal, Metrics, Predictions, RunFolder, State, full_name, race_of};

/// What a run can be given more of where it goes on.
const MORE: [&str; 3] = ["train.epochs", "train.max_steps", "train.early_stopping_patience"];
/// These, and the micro-batch, which shrinks where memory does not suffice and changes nothing that is learned: no key
/// changes them while a run trains.
const NOT_BY_HAND: [&str; 4] = [MORE[0], MORE[1], MORE[2], "train.micro_batch_size"];

/// What a run's folder says.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The run's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The recipe that it began with.
    pub recipe: Recipe,
    /// How it stands.
    pub state: Option<State>,
    /// What was done to it by hand that changed what it learned, a line for each.
    pub changes: Vec<String>,
    /// What it was given more of where it went on, such as `epochs 2 from step 40`.
    pub more: Vec<String>,
    /// Optimizer steps taken where it stands.
    pub steps: u64,
    /// The best evaluation on the way to there.
    pub best: Option<Evaluation>,
    /// The last one.
    pub last: Option<Evaluation>,
    /// Scalars that trained in the last step.
    pub trainable: Option<u64>,
    /// Share of all parameters that stayed frozen in the last step.
    pub sparsity: Option<f64>,
    /// The largest resident size, in bytes; none for a lane, whose process holds the whole race.
    pub peak_memory: Option<u64>,
    /// Median wall time of a step.
    pub step_seconds: Option<f64>,
    /// Size of its adapter, or of its model.
    pub result_bytes: Option<u64>,
    /// What it says of each validation row; else why that is not known.
    pub predictions: std::result::Result<Predictions, String>,
}

impl Subject {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// Refuses metrics and a journal that cannot be read.
    pub fn read(run: &RunFolder) -> Result<Self> {
        let entries = Journal::read(&run.journal_path())?;
        let readings = Metrics::read(&run.metrics_path())?;
        let lineage = Lineage::of(&entries);
        let mut evaluations: BTreeMap<u64, Evaluation> = BTreeMap::new();
        let on_the_way = readings.evaluations.iter().filter(|made| lineage.holds(made.branch, made.step));
        evaluations.extend(on_the_way.map(|made| (made.step, *made)));
        let better = |best: Option<Evaluation>, made: &Evaluation| {
            if best.is_none_or(|best| made.is_better_than(&best)) { Some(*made) } else { best }
        };
        let steps: Vec<_> = readings.steps.iter().filter(|step| lineage.holds(step.branch, step.step)).collect();
        let last_step = steps.iter().max_by_key(|step| step.step);
        let status = run.status().ok();
        let holds = status.as_ref().and_then(|status| status.holds);
        let taken = last_step.map_or(0, |step| step.step);
        Ok(Self {
            name: full_name(run.path()),
            folder: run.path().to_owned(),
            recipe: run.recipe().clone(),
            state: status.as_ref().map(|status| status.state),
            changes: entries.iter().filter(|entry| changes(entry)).map(told).collect(),
            more: entries.iter().filter_map(more).collect(),
            steps: taken,
            best: evaluations.values().fold(None, better),
            last: evaluations.values().next_back().copied(),
            trainable: last_step.map(|step| step.trainable),
            sparsity: last_step.map(|step| step.sparsity),
            // That of a lane's process is that of its whole race.
            peak_memory: status.and_then(|status| status.peak_memory).filter(|_| race_of(run.path()).is_none()),
            step_seconds: readings.median_step_seconds(|branch, step| lineage.holds(branch, step)),
            result_bytes: run.result_bytes(),
            predictions: predictions(run, (lineage.current, taken), holds),
        })
    }

    /// Its seeds.
    #[must_use]
    pub fn seeds(&self) -> (u64, u64) {
        (self.recipe.method.seed, self.recipe.train.seed)
    }
}

/// The predictions of the state that the run ended in, or of the one that its adapter holds.
fn predictions(
    run: &RunFolder,
    (branch, steps): (u32, u64),
    holds: Option<Holds>,
) -> std::result::Result<Predictions, String> {
    let is_held =
        |found: &Predictions| holds.is_some_and(|holds| (holds.branch, holds.step) == (found.branch, found.step));
    match Predictions::read(&run.predictions_path()) {
        Err(error) => Err(error.message().to_owned()),
        Ok(None) => Err("has no predictions.jsonl: it has not ended yet, or an earlier version made it".into()),
        Ok(Some(found)) if (found.branch, found.step) != (branch, steps) && !is_held(&found) => {
            Err(format!("has predictions of step {}, and stands at step {steps}", found.step))
        }
        Ok(Some(found)) => Ok(found),
    }
}

/// Whether an entry changed what the run learned, by hand.
fn changes(entry: &Entry) -> bool {
    if let Entry::Set(change) = entry {
        return !NOT_BY_HAND.contains(&change.field.as_str());
    }
    !matches!(entry, Entry::Deed(Deed { what: What::Evaluate | What::Pin { .. } | What::Stop | What::Resume, .. }))
}

/// What an entry gives a run more of.
fn more(entry: &Entry) -> Option<String> {
    let Entry::Set(change) = entry else { return None };
    let name = MORE.contains(&change.field.as_str()).then(|| change.field.rsplit('.').next())??;
    Some(format!("{} {} from step {}", name.replace('_', " "), shown(&change.to), change.step))
}

/// An entry without its time and number.
fn told(entry: &Entry) -> String {
    format!("step {}: {}", entry.step(), entry.told())
}

/// The branches on the way to where a run stands, each with the last of its steps that belongs to it.
#[derive(Debug, Default)]
struct Lineage {
    current: u32,
    ways: BTreeMap<u32, Vec<(u32, u64)>>,
}

impl Lineage {
    fn of(entries: &[Entry]) -> Self {
        let mut lineage = Self::default();
        lineage.ways.insert(0, vec![(0, u64::MAX)]);
        for entry in entries {
            let Entry::Deed(deed) = entry else { continue };
            match deed.what {
                What::Rewind { to, branch } | What::Undo { to, branch, .. } => {
                    let way = lineage.ways.get(&lineage.current).cloned().unwrap_or_default();
                    let mut way: Vec<(u32, u64)> = way.into_iter().map(|(branch, end)| (branch, end.min(to))).collect();
                    way.push((branch, u64::MAX));
                    lineage.ways.insert(branch, way);
                    lineage.current = branch;
                }
                What::SwitchBranch { branch } => lineage.current = branch,
                _ => {}
            }
        }
        lineage
    }

    fn holds(&self, branch: u32, step: u64) -> bool {
        let way = self.ways.get(&self.current);
        way.is_some_and(|way| way.iter().any(|&(other, end)| other == branch && step <= end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_over_the_branches_that_were_not_left() {
        let deed = |step, what| Entry::Deed(Deed { step, what, id: 1, time: 0.0 });
        let entries = [
            deed(10, What::Rewind { to: 4, branch: 1 }),
            deed(9, What::Rewind { to: 2, branch: 2 }),
            deed(5, What::Evaluate),
        ];
        let lineage = Lineage::of(&entries);
        let held = [(0, 2), (0, 3), (1, 5), (2, 3), (2, 90)].map(|(branch, step)| lineage.holds(branch, step));
        assert_eq!(held, [true, false, false, true, true]);
        let back = [&entries[..], &[deed(20, What::SwitchBranch { branch: 1 })]].concat();
        let lineage = Lineage::of(&back);
        let held = [(0, 4), (0, 5), (1, 5), (2, 3)].map(|(branch, step)| lineage.holds(branch, step));
        assert_eq!(held, [true, false, true, false]);
        assert_eq!(entries.iter().filter(|entry| changes(entry)).count(), 2);
    }
}
