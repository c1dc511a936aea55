//! Remarks on unusual values in a recipe, before the launch.

use super::{LearningRate, Recipe, SuggestedRate};

/// A rate that differs from the rule's by more than this factor gets a remark. The rule was fitted to short runs of
/// small models, so that a smaller factor might remark on good rates elsewhere.
const FAR: f64 = 50.0;

impl Recipe {
    /// The remarks on a run of so many steps, one sentence each; `suggested` is the learning rate of the rule, if
    /// known.
    #[must_use]
    pub fn remarks(&self, steps: u64, suggested: Option<&SuggestedRate>) -> Vec<String> {
        let of_head = match self.optimizer.head_learning_rate {
            LearningRate::At(rate) => too_high("optimizer.head_learning_rate", rate),
            LearningRate::Auto | LearningRate::Race => None,
        };
        [self.of_warmup(steps), self.of_rate(suggested), of_head].into_iter().flatten().collect()
    }

    fn of_warmup(&self, steps: u64) -> Option<String> {
        let warmup = self.schedule.warmup_steps.of(steps);
        if warmup < steps || steps < 2 {
            return None;
        }
        let what = if warmup > steps {
            format!(
                "the warm-up of {warmup} steps is longer than the run, which has {steps}: the rate never reaches its peak"
            )
        } else {
            format!(
                "the warm-up of {warmup} steps takes the whole run: the rate reaches its peak at the last step only"
            )
        };
        let limit = if self.train.max_steps > 0 { "train.max_steps" } else { "train.epochs" };
        Some(format!("{what}; lower schedule.warmup_steps or raise {limit}"))
    }

    fn of_rate(&self, suggested: Option<&SuggestedRate>) -> Option<String> {
        let LearningRate::At(rate) = self.optimizer.learning_rate else { return None };
        let name = "optimizer.learning_rate";
        let Some(suggested) = suggested else { return too_high(name, rate) };
        let times = rate / suggested.rate;
        let by_rule = format!("the {} of the rule ({})", formatted(suggested.rate), suggested.basis());
        let is = if rate == 0.0 {
            format!("is 0, not {by_rule}: nothing is learned")
        } else if times > FAR {
            format!("is {} times {by_rule}", short(times))
        } else if times < 1.0 / FAR {
            format!("is one part in {} of {by_rule}", short(1.0 / times))
        } else {
            return too_high(name, rate);
        };
        Some(format!("{name} {} {is}; \"auto\" takes the rate of the rule", formatted(rate)))
    }
}

fn too_high(name: &str, rate: f64) -> Option<String> {
    (rate > 1.0).then(|| {
        format!(
            "{name} {} is above 1, with which nearly every run diverges; \"auto\" chooses a suitable rate",
            formatted(rate)
        )
    })
}

/// A rate in decimal notation, or with an exponent if it is small.
fn formatted(rate: f64) -> String {
    if rate != 0.0 && rate < 1e-3 { format!("{rate:e}") } else { rate.to_string() }
}

/// A number above 1 with about two digits.
fn short(number: f64) -> String {
    format!("{:.0}", super::two_digits(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Method, MethodKind, Steps, Value};

    fn with(field: &str, value: impl Into<Value>) -> Recipe {
        let mut recipe = Recipe::default();
        recipe.set(field, value.into()).unwrap();
        recipe
    }

    /// Remarks for a run in which one scalar in a hundred trains: the rule gives 4e-3 for SpaRTA, 2e-4 for full
    /// fine-tuning.
    fn remarks(recipe: &Recipe) -> Vec<String> {
        recipe.remarks(40, Some(&recipe.method.learning_rate(10_000, 1_000_000, None)))
    }

    #[test]
    fn defaults_are_not_remarked_upon_whatever_the_length() {
        for steps in [1, 2, 12, 30, 400, 20_000] {
            let recipe = Recipe::default();
            assert_eq!(recipe.remarks(steps, None), [""; 0], "{steps}");
        }
    }

    #[test]
    fn a_warm_up_as_long_as_the_run_gets_a_remark() {
        let of = |steps: i64| remarks(&with("schedule.warmup_steps", steps)).pop().unwrap_or_default();
        assert_eq!(of(39), "");
        assert!(
            of(40).starts_with("the warm-up of 40 steps takes the whole run: the rate reaches its peak at the last")
        );
        assert_eq!(
            of(i64::MAX),
            "the warm-up of 9223372036854775807 steps is longer than the run, which has 40: the rate never reaches its peak; \
             lower schedule.warmup_steps or raise train.epochs"
        );
    }

    #[test]
    fn rates_far_from_the_rule_get_a_remark_and_others_do_not() {
        let of = |rate: f64| remarks(&with("optimizer.learning_rate", rate)).pop().unwrap_or_default();
        for fine in [1e-4, 1e-3, 4e-3, 0.03, 0.1] {
            assert_eq!(of(fine), "", "{fine}");
        }
        assert_eq!(
            of(1.0),
            "optimizer.learning_rate 1 is 250 times the 0.004 of the rule (sparta, 1 % trains); \"auto\" takes the rate of the rule"
        );
        assert!(
            of(5e-5).contains("5e-5 is one part in 80 of the 0.004 of the rule (sparta, 1 % trains);"),
            "{}",
            of(5e-5)
        );
        assert!(of(0.0).contains("nothing is learned"));
        let mut full = with("optimizer.learning_rate", 0.05);
        full.method = Method { kind: MethodKind::Full, ..Method::default() };
        assert!(
            remarks(&full)[0].contains("is 250 times the 2e-4 of the rule (full fine-tuning)"),
            "{:?}",
            remarks(&full)
        );
        assert!(with("optimizer.learning_rate", 5.0).remarks(40, None)[0].contains("is above 1"));
        assert!(remarks(&with("optimizer.head_learning_rate", 2.0))[0].contains("head_learning_rate 2 is above 1"));
    }

    #[test]
    fn a_share_never_takes_the_whole_run() {
        let mut recipe = Recipe::default();
        recipe.schedule.warmup_steps = Steps::Share(0.5);
        assert_eq!(recipe.remarks(3, None), [""; 0]);
    }
}
