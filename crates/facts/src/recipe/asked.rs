//! The table `[asked]`: the values that a recipe asked for, where the launch chose a number instead.
//!
//! The recipe of a run has numbers in place of `"auto"` and of shares, so that the run is resumed and replayed with the
//! same numbers by any later version. A new run from that recipe has to choose again: a number that suits one method
//! does not suit another. So the recipe also keeps the original values, in its table `[asked]`.

use std::collections::BTreeMap;

use super::{AUTO, Field, LearningRate, RACE, Recipe, Steps, Value};

/// Name of the table in the file.
pub(super) const TABLE: &str = "asked";

const RATE: &str = "optimizer.learning_rate";
const HEAD_RATE: &str = "optimizer.head_learning_rate";
const WARMUP: &str = "schedule.warmup_steps";
const EVALUATE: &str = "train.evaluate_every";
const CHECKPOINT: &str = "train.checkpoint_every";

/// The fields for which the launch may choose a number.
const CHOSEN: [&str; 5] = [RATE, HEAD_RATE, WARMUP, EVALUATE, CHECKPOINT];

impl Recipe {
    /// Replaces `"auto"` by the learning rate that was chosen, and by that of the head if one was chosen.
    pub fn choose_rates(&mut self, rate: f64, head: Option<f64>) {
        self.optimizer.learning_rate = LearningRate::At(rate);
        self.asked.insert(RATE.into(), AUTO.into());
        if let Some(head) = head {
            self.optimizer.head_learning_rate = LearningRate::At(head);
            self.asked.insert(HEAD_RATE.into(), AUTO.into());
        }
    }

    /// Replaces `"race"` by the learning rate that the race chose, and by that of the head if it chose one.
    pub fn choose_raced_rates(&mut self, rate: f64, head: Option<f64>) {
        let is_asked = self.asked.contains_key(HEAD_RATE) || self.optimizer.head_learning_rate == LearningRate::Auto;
        self.choose_rates(rate, head.filter(|_| is_asked));
        self.asked.insert(RATE.into(), RACE.into());
    }

    /// Replaces shares and `"auto"` by numbers of steps, for a run of `total` steps.
    pub fn choose_steps(&mut self, total: u64) {
        let places: [(&str, &mut Steps); 3] = [
            (WARMUP, &mut self.schedule.warmup_steps),
            (EVALUATE, &mut self.train.evaluate_every),
            (CHECKPOINT, &mut self.train.checkpoint_every),
        ];
        for (name, steps) in places {
            let asked = match *steps {
                Steps::Count(_) => continue,
                Steps::Auto => AUTO.into(),
                Steps::Share(share) => Value::Float(share),
            };
            *steps = Steps::Count(steps.of(total));
            self.asked.insert(name.into(), asked);
        }
    }

    /// Evaluates after so many steps where as many as suit the run were asked for.
    pub fn choose_evaluations(&mut self, every: u64) {
        if self.train.evaluate_every == Steps::Auto {
            self.train.evaluate_every = Steps::Count(every);
            self.asked.insert(EVALUATE.into(), AUTO.into());
        }
    }

    /// Restores the values that were asked for, in place of the numbers that were chosen.
    pub fn restore_asked(&mut self) {
        for (name, value) in std::mem::take(&mut self.asked) {
            // The value was checked when it was read.
            let _ = self.set(&name, value);
        }
    }
}

/// Reads the table of a file.
///
/// # Errors
/// One sentence, where it holds anything but values that its fields take.
pub(super) fn read(table: &Value) -> Result<BTreeMap<String, Value>, String> {
    let table = table.as_table().ok_or_else(|| {
        format!("\"{TABLE}\" is the table of the values asked for before the launch chose numbers; remove it")
    })?;
    let checked = table.iter().map(|(name, value)| {
        let checked = Field::find(name).and_then(|field| field.check(name, value.clone()));
        let value = checked.map_err(|why| format!("[{TABLE}]: {why}"))?;
        if !CHOSEN.contains(&name.as_str()) {
            return Err(format!(
                "[{TABLE}] holds the values asked for before the launch chose numbers, and {name} is never chosen; remove it there"
            ));
        }
        if !matches!(value, Value::String(_) | Value::Float(_)) || (is_rate(name) && value.as_str().is_none()) {
            let or_share = if is_rate(name) { "" } else { ", or a share of the run" };
            return Err(format!("[{TABLE}]: {name} cannot be {value}, for which nothing is chosen; it takes \"{AUTO}\"{or_share}"));
        }
        Ok((name.clone(), value))
    });
    checked.collect()
}

fn is_rate(name: &str) -> bool {
    [RATE, HEAD_RATE].contains(&name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn chosen() -> Recipe {
        let mut recipe = Recipe::default();
        recipe.choose_rates(4e-3, Some(0.02));
        recipe.choose_steps(30);
        recipe
    }

    #[test]
    fn a_run_keeps_what_was_chosen_and_a_new_one_asks_again() {
        let text = chosen().to_toml();
        let run = Recipe::parse_run(&text, Path::new("")).unwrap();
        assert_eq!(run, chosen());
        assert_eq!(run.optimizer.learning_rate, LearningRate::At(4e-3));
        assert_eq!(run.schedule.warmup_steps, Steps::Count(3));
        assert_eq!(run.train.evaluate_every, Steps::Count(3));
        assert_eq!(Recipe::parse(&text, Path::new(""), &[]).unwrap(), Recipe::default());
    }

    #[test]
    fn what_is_given_is_no_longer_asked() {
        let recipe =
            Recipe::parse(&chosen().to_toml(), Path::new(""), &["optimizer.learning_rate=0.5".into()]).unwrap();
        assert_eq!(recipe.optimizer.learning_rate, LearningRate::At(0.5));
        assert_eq!(recipe.optimizer.head_learning_rate, LearningRate::Auto);
        let mut run = chosen();
        run.set(RATE, Value::Float(0.5)).unwrap();
        run.restore_asked();
        assert_eq!(run.optimizer.learning_rate, LearningRate::At(0.5));
        assert_eq!(run.schedule.warmup_steps, Steps::Share(0.1));
    }

    #[test]
    fn a_recipe_of_an_earlier_version_has_no_such_table_and_a_broken_one_is_refused() {
        let before = "[optimizer]\nlearning_rate = 0.004\n[schedule]\nwarmup_steps = 100\n";
        let recipe = Recipe::parse(before, Path::new(""), &[]).unwrap();
        assert_eq!(recipe.optimizer.learning_rate, LearningRate::At(0.004));
        assert_eq!(recipe.schedule.warmup_steps, Steps::Count(100));
        for (broken, expected) in [
            ("asked = 5", "is the table of the values asked for"),
            ("[asked]\n\"optimizer.rate\" = 1", "[asked]: the recipe has no field \"optimizer.rate\"; did you mean"),
            ("[asked.optimizer]\nlearning_rate = \"auto\"", "[asked]: the recipe has no field \"optimizer\""),
            ("[asked]\n\"train.seed\" = \"x\"", "[asked]: train.seed takes a whole number"),
            ("[asked]\n\"train.seed\" = 5", "train.seed is never chosen; remove it there"),
            ("[asked]\n\"optimizer.learning_rate\" = 0.5", "it takes \"auto\""),
            ("[asked]\n\"train.evaluate_every\" = 5", "it takes \"auto\", or a share of the run"),
        ] {
            let why = Recipe::parse(broken, Path::new(""), &[]).unwrap_err();
            assert!(why.message().contains(expected), "{why}");
        }
    }
}
