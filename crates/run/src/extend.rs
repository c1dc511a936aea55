//! The field that ended a run, and a larger value for it with which the run continues.

use std::path::Path;

use super::{Journal, RunFolder, State, read_race};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Entry;
use spartui_facts::quote::place;
use spartui_facts::recipe::{Value, number};

const EPOCHS: &str = "train.epochs";
const MAX_STEPS: &str = "train.max_steps";
const PATIENCE: &str = "train.early_stopping_patience";

/// The field of the recipe whose limit ended a run, and its value: with a larger value, the run can continue.
///
/// # Errors
/// Refuses what is no run folder, and a race, whose lanes are runs.
pub fn limiting_field(path: &Path) -> Result<(&'static str, f64)> {
    let run = RunFolder::open(path)?;
    if read_race(path)?.is_some() {
        return Err(Error::refused(format!("{} is a race; give one of its lanes more steps", place(path))));
    }
    let mut recipe = run.recipe().clone();
    for entry in Journal::read(&run.journal_path())? {
        if let Entry::Set(change) = entry
            && [EPOCHS, MAX_STEPS, PATIENCE].contains(&change.field.as_str())
        {
            recipe.set(&change.field, change.to).map_err(Error::refused)?;
        }
    }
    let status = run.status()?;
    let is_bounded = recipe.train.max_steps > 0 && status.total_steps == Some(recipe.train.max_steps);
    let name = match status.state {
        State::StoppedEarly => PATIENCE,
        _ if is_bounded => MAX_STEPS,
        _ => EPOCHS,
    };
    let value = recipe.get(name).as_ref().and_then(number);
    Ok((name, value.unwrap_or(0.0)))
}

/// A first proposal for the field that ended a run: one more epoch, or twice the number of steps or evaluations.
#[must_use]
pub fn proposed_extension(name: &str, now: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "steps and evaluations are far below 2^53")]
    match name {
        EPOCHS => Value::Float(now.floor() + 1.0),
        _ => Value::Integer((now as i64).saturating_mul(2).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::protocol::Intervention;
    use spartui_facts::recipe::Recipe;

    #[test]
    fn the_limit_that_ended_the_run_is_found() {
        let runs = tempfile::tempdir().unwrap();
        let ended = |name: &str, state: State, total: u64, settings: &[(&str, i64)]| {
            let mut recipe = Recipe::default();
            for (name, value) in settings {
                recipe.set(name, Value::Integer(*value)).unwrap();
            }
            let run = RunFolder::create(runs.path(), Some(name), &recipe, "").unwrap();
            run.set_total_steps(total).unwrap();
            run.end(state, total, None, None).unwrap();
            run
        };
        let whole = ended("a", State::Completed, 30, &[(EPOCHS, 3)]);
        assert_eq!(limiting_field(whole.path()).unwrap(), (EPOCHS, 3.0));
        let (step, from, to) = (30, Value::Integer(3), Value::Integer(5));
        let more = Entry::Set(Intervention { step, field: EPOCHS.into(), from, to, id: 1, time: 0.0 });
        Journal::open(&whole.journal_path()).unwrap().append(&more).unwrap();
        assert_eq!(limiting_field(whole.path()).unwrap(), (EPOCHS, 5.0));
        let bounded = ended("b", State::Completed, 20, &[(EPOCHS, 3), (MAX_STEPS, 20)]);
        assert_eq!(limiting_field(bounded.path()).unwrap(), (MAX_STEPS, 20.0));
        let early = ended("c", State::StoppedEarly, 20, &[(PATIENCE, 4)]);
        assert_eq!(limiting_field(early.path()).unwrap(), (PATIENCE, 4.0));
        assert!(limiting_field(runs.path()).is_err());
        let proposals =
            [proposed_extension(EPOCHS, 2.5), proposed_extension(MAX_STEPS, 20.0), proposed_extension(PATIENCE, 4.0)];
        assert_eq!(proposals, [Value::Float(3.0), Value::Integer(40), Value::Integer(8)]);
    }
}
