//! What a run that has ended is to be given more of, to go on.

use std::path::Path;

use super::{Journal, RunFolder, State, read_race};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Entry;
use spartui_facts::quote::place;
use spartui_facts::recipe::{Value, number};

const EPOCHS: &str = "train.epochs";
const MAX_STEPS: &str = "train.max_steps";
const PATIENCE: &str = "train.early_stopping_patience";

/// The field of the recipe at which a run ended, and its value: with more of it, the run goes on.
///
/// # Errors
/// Refuses what is no run folder, and a race, whose lanes are runs.
pub fn ended_at(path: &Path) -> Result<(&'static str, f64)> {
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

/// The field at which a run ended with as much more of it as the run had, as a first proposal; an epoch more, of epochs.
#[must_use]
pub fn proposal(name: &str, now: f64) -> Value {
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
    fn it_is_what_bound_the_run_that_last_said_so() {
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
        assert_eq!(ended_at(whole.path()).unwrap(), (EPOCHS, 3.0));
        let (step, from, to) = (30, Value::Integer(3), Value::Integer(5));
        let more = Entry::Set(Intervention { step, field: EPOCHS.into(), from, to, id: 1, time: 0.0 });
        Journal::open(&whole.journal_path()).unwrap().append(&more).unwrap();
        assert_eq!(ended_at(whole.path()).unwrap(), (EPOCHS, 5.0));
        let bounded = ended("b", State::Completed, 20, &[(EPOCHS, 3), (MAX_STEPS, 20)]);
        assert_eq!(ended_at(bounded.path()).unwrap(), (MAX_STEPS, 20.0));
        let early = ended("c", State::StoppedEarly, 20, &[(PATIENCE, 4)]);
        assert_eq!(ended_at(early.path()).unwrap(), (PATIENCE, 4.0));
        assert!(ended_at(runs.path()).is_err());
        let proposals = [proposal(EPOCHS, 2.5), proposal(MAX_STEPS, 20.0), proposal(PATIENCE, 4.0)];
        assert_eq!(proposals, [Value::Float(3.0), Value::Integer(40), Value::Integer(8)]);
    }
}
