//! The data of a run that a comparison needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::setting::shown;
use spartui_facts::error::Result;
use spartui_facts::protocol::{ActionKind, Entry, Evaluation, Holds, JournalAction};
use spartui_facts::recipe::Recipe;
use spartui_run::{Journal, Metrics, Predictions, RunFolder, State, full_name, race_of};

/// Fields by which a resumed run can be extended.
const MORE: [&str; 3] = ["train.epochs", "train.max_steps", "train.early_stopping_patience"];
/// These, and the micro-batch, which is halved when memory runs out and does not change what is learned: none can be
/// changed by hand while a run trains.
const NOT_BY_HAND: [&str; 4] = [MORE[0], MORE[1], MORE[2], "train.micro_batch_size"];

/// The data read from a run's folder.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The run's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The recipe at the start of the run.
    pub recipe: Recipe,
    /// Its status.
    pub state: Option<State>,
    /// The changes by hand that affected what it learned, a line each.
    pub changes: Vec<String>,
    /// The extensions on resuming, such as `epochs 2 from step 40`.
    pub more: Vec<String>,
    /// Optimizer steps up to its current state.
    pub steps: u64,
    /// The best evaluation on the path to its current state.
    pub best: Option<Evaluation>,
    /// The last evaluation on that path.
    pub last: Option<Evaluation>,
    /// Trainable scalars in the last step.
    pub trainable: Option<u64>,
    /// Sparsity in the last step.
    pub sparsity: Option<f64>,
    /// The peak resident size in bytes; none for a lane, whose process holds the whole race.
    pub peak_memory: Option<u64>,
    /// Median wall time of a step.
    pub step_seconds: Option<f64>,
    /// Size in bytes of its adapter, or of its model.
    pub result_bytes: Option<u64>,
    /// Its predictions for the validation rows, or why there are none.
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
            changes: entries.iter().filter(|entry| changes(entry)).map(line_of).collect(),
            more: entries.iter().filter_map(more).collect(),
            steps: taken,
            best: evaluations.values().fold(None, better),
            last: evaluations.values().next_back().copied(),
            trainable: last_step.map(|step| step.trainable),
            sparsity: last_step.map(|step| step.sparsity),
            // A lane's process holds its whole race.
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

/// The predictions in the state in which the run ended, or in that of its adapter.
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

/// Whether an entry is a change by hand that affected what the run learned.
fn changes(entry: &Entry) -> bool {
    if let Entry::Set(change) = entry {
        return !NOT_BY_HAND.contains(&change.field.as_str());
    }
    !matches!(
        entry,
        Entry::Action(JournalAction {
            what: ActionKind::Evaluate | ActionKind::Pin { .. } | ActionKind::Stop | ActionKind::Resume,
            ..
        })
    )
}

/// The extension in an entry.
fn more(entry: &Entry) -> Option<String> {
    let Entry::Set(change) = entry else { return None };
    let name = MORE.contains(&change.field.as_str()).then(|| change.field.rsplit('.').next())??;
    Some(format!("{} {} from step {}", name.replace('_', " "), shown(&change.to), change.step))
}

/// An entry as text, without time and number.
fn line_of(entry: &Entry) -> String {
    format!("step {}: {}", entry.step(), entry.describe())
}

/// The path of branches to a run's current state, each with its last step on the path.
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
            let Entry::Action(action) = entry else { continue };
            match action.what {
                ActionKind::Rewind { to, branch } | ActionKind::Undo { to, branch, .. } => {
                    let way = lineage.ways.get(&lineage.current).cloned().unwrap_or_default();
                    let mut way: Vec<(u32, u64)> = way.into_iter().map(|(branch, end)| (branch, end.min(to))).collect();
                    way.push((branch, u64::MAX));
                    lineage.ways.insert(branch, way);
                    lineage.current = branch;
                }
                ActionKind::SwitchBranch { branch } => lineage.current = branch,
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
    fn the_path_leads_over_the_branches_that_were_not_left() {
        let action = |step, what| Entry::Action(JournalAction { step, what, id: 1, time: 0.0 });
        let entries = [
            action(10, ActionKind::Rewind { to: 4, branch: 1 }),
            action(9, ActionKind::Rewind { to: 2, branch: 2 }),
            action(5, ActionKind::Evaluate),
        ];
        let lineage = Lineage::of(&entries);
        let held = [(0, 2), (0, 3), (1, 5), (2, 3), (2, 90)].map(|(branch, step)| lineage.holds(branch, step));
        assert_eq!(held, [true, false, false, true, true]);
        let back = [&entries[..], &[action(20, ActionKind::SwitchBranch { branch: 1 })]].concat();
        let lineage = Lineage::of(&back);
        let held = [(0, 4), (0, 5), (1, 5), (2, 3)].map(|(branch, step)| lineage.holds(branch, step));
        assert_eq!(held, [true, false, true, false]);
        assert_eq!(entries.iter().filter(|entry| changes(entry)).count(), 2);
    }
}
