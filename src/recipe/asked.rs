//! What a recipe asked for, beside what was chosen for it.
//!
//! A run's recipe says what is done: numbers in place of `"auto"` and of shares. So a run resumes and replays with these, whatever a
//! later version would choose. A new run that begins from that recipe shall choose anew: what fits one method does not fit
//! another. So the recipe also keeps, in its table `[asked]`, what stood there before.

use std::collections::BTreeMap;

use super::{AUTO, Field, LearningRate, Recipe, Steps, Value};

/// Name of the table in the file.
pub(super) const TABLE: &str = "asked";

const RATE: &str = "optimizer.learning_rate";
const HEAD_RATE: &str = "optimizer.head_learning_rate";

impl Recipe {
    /// Puts the learning rate that was chosen in place of `"auto"`, and that of the head where one was chosen too.
    pub fn choose_rates(&mut self, rate: f64, head: Option<f64>) {
        self.optimizer.learning_rate = LearningRate::At(rate);
        self.asked.insert(RATE.into(), AUTO.into());
        if let Some(head) = head {
            self.optimizer.head_learning_rate = LearningRate::At(head);
            self.asked.insert(HEAD_RATE.into(), AUTO.into());
        }
    }

    /// Puts counts in place of what is given as a share of a run of so many steps.
    pub fn choose_steps(&mut self, total: u64) {
        let places: [(&str, &mut Steps); 3] = [
            ("schedule.warmup_steps", &mut self.schedule.warmup_steps),
            ("train.evaluate_every", &mut self.train.evaluate_every),
            ("train.checkpoint_every", &mut self.train.checkpoint_every),
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
            self.asked.insert("train.evaluate_every".into(), AUTO.into());
        }
    }

    /// Asks again for what was asked, in place of what was chosen for it.
    pub fn ask_again(&mut self) {
        for (name, value) in std::mem::take(&mut self.asked) {
            // It was checked when it came in.
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
        format!("\"{TABLE}\" is the table of what was asked where something else was chosen; take it out")
    })?;
    let checked = table.iter().map(|(name, value)| {
        let value = Field::find(name)?.check(name, value.clone())?;
        Ok((name.clone(), value))
    });
    checked.collect()
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
        run.ask_again();
        assert_eq!(run.optimizer.learning_rate, LearningRate::At(0.5));
        assert_eq!(run.schedule.warmup_steps, Steps::Share(0.1));
    }

    #[test]
    fn a_recipe_of_before_has_no_such_table_and_a_broken_one_is_refused() {
        let before = "[optimizer]\nlearning_rate = 0.004\n[schedule]\nwarmup_steps = 100\n";
        let recipe = Recipe::parse(before, Path::new(""), &[]).unwrap();
        assert_eq!(recipe.optimizer.learning_rate, LearningRate::At(0.004));
        assert_eq!(recipe.schedule.warmup_steps, Steps::Count(100));
        for broken in ["asked = 5\n", "[asked]\n\"optimizer.rate\" = 1\n", "[asked]\n\"train.seed\" = \"x\"\n"] {
            assert!(Recipe::parse(broken, Path::new(""), &[]).is_err(), "{broken}");
        }
    }
}
