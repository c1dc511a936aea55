//! Compares two states: step, loss, evaluation and settings.

use std::collections::BTreeMap;

use super::{Place, Row};
use crate::cockpit::{BranchPath, State};
use crate::text;
use spartui_facts::protocol::Evaluation;
use spartui_facts::recipe::Value;

/// Number of losses in the mean.
const LOSSES: usize = 20;

/// A line of the comparison: the name, and the value in each state.
pub type Compared = [String; 3];

impl Row<'_> {
    /// The state of this row.
    #[must_use]
    pub fn place(&self, state: &State) -> Place {
        match self {
            Row::Branch(branch) => {
                let step = if branch.current { state.step() } else { branch.tip };
                Place { branch: branch.id, step, tip: true }
            }
            Row::State(kept) => Place { branch: kept.branch, step: kept.step, tip: false },
        }
    }
}

/// The differences of two states: steps, loss and evaluation of both, and the settings that differ.
#[must_use]
pub fn compare(state: &State, a: Place, b: Place) -> Vec<Compared> {
    let line = |name: &str, [a, b]: [String; 2]| [name.to_owned(), a, b];
    let both = |of: &dyn Fn(Place) -> String| [of(a), of(b)];
    let mut lines = vec![
        line("state", both(&|at| format!("step {} of {}", at.step, at.branch))),
        line("loss", both(&|at| loss(state, at).map_or_else(|| "–".into(), text::number))),
    ];
    let evaluations = [a, b].map(|at| evaluation(state, at));
    let show =
        |of: &dyn Fn(&Evaluation) -> String| evaluations.map(|found| found.as_ref().map_or_else(|| "–".into(), of));
    if evaluations.iter().any(Option::is_some) {
        lines.push(line("valid loss", show(&|one| format!("{} at {}", text::number(one.eval_loss), one.step))));
        if evaluations.iter().flatten().any(|one| one.mcc.is_some()) {
            lines.push(line("accuracy", show(&|one| text::percent(one.accuracy))));
        } else {
            lines.push(line("perplexity", show(&|one| text::number(one.perplexity()))));
        }
    }
    let [mine, other] = [a, b].map(|at| settings(state, at));
    for (field, value) in &mine {
        if other.get(field) != Some(value) {
            let values = [Some(value), other.get(field)].map(|value| value.map_or_else(|| "–".into(), text::value));
            lines.push(line(field.split_once('.').map_or(field.as_str(), |(_, name)| name), values));
        }
    }
    lines
}

fn path_to(state: &State, at: Place) -> BranchPath {
    state.history.tree.path_to(at.branch)
}

/// Mean of the newest losses on the path to a state.
fn loss(state: &State, at: Place) -> Option<f64> {
    let path = path_to(state, at);
    let losses = state.history.tree.along(0, &path).filter(|(_, step, loss)| *step <= at.step && loss.is_finite());
    let losses: Vec<f64> = losses.map(|(.., loss)| loss).collect();
    let newest = &losses[losses.len().saturating_sub(LOSSES)..];
    (!newest.is_empty()).then(|| newest.iter().sum::<f64>() / newest.len() as f64)
}

/// The newest evaluation on the path to a state.
fn evaluation(state: &State, at: Place) -> Option<Evaluation> {
    let path = path_to(state, at);
    let on_the_way =
        state.history.all_evaluations().iter().filter(|one| one.step <= at.step && path.holds(one.branch, one.step));
    on_the_way.max_by_key(|one| one.step).copied()
}

/// The settings at a state, of those ever changed by hand.
fn settings(state: &State, at: Place) -> BTreeMap<String, Value> {
    let path = path_to(state, at);
    let mut settings = BTreeMap::new();
    let changes = state.history.all_interventions();
    for (_, change) in changes.iter().rev() {
        settings.insert(change.field.clone(), change.from.clone());
    }
    let made = |step: u64| step < at.step || (at.tip && step == at.step);
    let mut mine: Vec<_> = changes
        .iter()
        .filter(|(branch, change)| path.holds_change(*branch, change.step) && made(change.step))
        .map(|(_, change)| change)
        .collect();
    mine.sort_by_key(|change| change.step);
    for change in mine {
        settings.insert(change.field.clone(), change.to.clone());
    }
    settings
}
