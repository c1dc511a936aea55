//! `learning_rate = "race"`: before the first step, some learning rates around that of the rule train for a few steps
//! each, one after the other on the same model, and the best one is chosen. Each begins at the run's start and goes
//! through the same batches, under the run's schedule drawn together to those steps. The worse ones are stopped early.
//! All in all they take at most a tenth of the run's steps. What is left is the run's start, to the bit.
//!
//! A few steps flatter high rates (arXiv 1803.02021): they come down fast, and stay where a lower rate would have got
//! further, or fail later. So a rate above that of the rule has to make half as much progress again, and one below it to be
//! better by a hundredth; where nothing learns in these steps, the rule's rate stays.

use super::session::Timing;
use super::{Attempt, Session, Snapshot};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{LearningRate, Recipe, Steps, two_digits};

/// Half a decade.
const STEP: f64 = 3.162_277_660_168_379_5;
/// The fewest steps that tell two rates apart.
const FEWEST: u64 = 6;
/// The most steps of a rate before the worse ones are stopped; those that are left take as many again.
const MOST: u64 = 24;
/// The progress of a higher rate, relative to that of a lower one, from which it is preferred.
const CLEARLY: f64 = 1.5;
/// The least progress of a rate that is preferred to a lower one, as a share of the loss before training.
const LEAST: f64 = 0.1;
/// By how much a lower rate has to be better than a higher one, as a share of the loss before training.
const LOWER: f64 = 0.01;
/// The highest rate that a recipe takes.
const HIGHEST: f64 = 10.0;

/// A rate that took part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateTrial {
    /// The learning rate at the schedule's peak.
    pub rate: f64,
    /// That of the classification head.
    pub head: f64,
    /// Steps that were taken.
    pub steps: u64,
    /// The mean loss of the last half of them; infinite where a loss was not finite.
    pub loss: f64,
}

/// The result of a race of learning rates.
#[derive(Debug, Clone, PartialEq)]
pub struct RateRace {
    /// The rates, in the order in which they began; those of the head last.
    pub trials: Vec<RateTrial>,
    /// The place of the chosen one.
    pub chosen: usize,
    /// Whether there is a classification head with a rate of its own.
    pub has_head: bool,
}

impl RateRace {
    /// The result in one sentence without a full stop.
    #[must_use]
    pub fn remark(&self) -> String {
        let RateTrial { rate, head, .. } = self.trials[self.chosen];
        let shown: Vec<String> = self
            .trials
            .iter()
            .map(|trial| {
                let of_head = if trial.head == head { String::new() } else { format!(" (head {:e})", trial.head) };
                format!("{:e}{of_head} {:.4} after {}", trial.rate, trial.loss, trial.steps)
            })
            .collect();
        let of_head = if self.has_head { format!(", the head's {head:e}") } else { String::new() };
        format!("the race of learning rates chose {rate:e}{of_head}; losses after steps: {}", shown.join(", "))
    }
}

/// A trial under way.
struct Runner {
    trial: RateTrial,
    losses: Vec<f64>,
    state: Option<Snapshot>,
}

impl Session {
    /// Chooses the learning rate, and that of the head, by a race, where the recipe asks for one; the session is at its
    /// first step before and after. `progress` receives what is done and its share, and says whether to go on: where it
    /// says no, the rule's rates stay. None where there is no race: the recipe asks for none, or the run is so short that
    /// a tenth of its steps tells nothing.
    ///
    /// # Errors
    /// Where the computation fails.
    pub fn race_rates(&mut self, progress: &mut dyn FnMut(&str, f32) -> bool) -> Result<Option<RateRace>> {
        if !self.races_rates() {
            return Ok(None);
        }
        let Some(scheme) =
            Scheme::of(self.total_steps(), self.head.head.parameters() > 0 && self.method.trainable() > 0)
        else {
            return Ok(None);
        };
        let recipe = self.recipe.clone();
        let start = self.snapshot(0);
        let done = self.run_trials(&recipe, &start, &scheme, progress);
        self.restore(&start)?;
        self.recipe = recipe;
        self.timing = Timing::default();
        self.race_is_due = false;
        let Some(race) = done? else { return Ok(None) };
        let RateTrial { rate, head, .. } = race.trials[race.chosen];
        let has_head = self.head.head.parameters() > 0;
        self.recipe.choose_raced_rates(rate, has_head.then_some(head));
        self.forget_chosen_rate();
        Ok(Some(race))
    }

    fn run_trials(
        &mut self,
        recipe: &Recipe,
        start: &Snapshot,
        scheme: &Scheme,
        progress: &mut dyn FnMut(&str, f32) -> bool,
    ) -> Result<Option<RateRace>> {
        let (rule, head) = (self.learning_rate(), self.head_learning_rate());
        let runner = |rate: f64, head: f64| Runner {
            trial: RateTrial {
                rate: two_digits(rate.min(HIGHEST)),
                head: two_digits(head.min(HIGHEST)),
                steps: 0,
                loss: f64::INFINITY,
            },
            losses: Vec::new(),
            state: None,
        };
        // Where only the head trains, its rate is the learning rate.
        let head_alone = self.method.trainable() == 0;
        let has_head = self.head.head.parameters() > 0 && !head_alone;
        let with = |rate: f64| runner(rate, if head_alone { rate } else { head });
        let mut runners: Vec<Runner> = scheme.exponents().map(|exponent| with(rule * STEP.powi(exponent))).collect();
        let mut taken = 0;
        let mut report = |runner: &Runner, taken: u64, is_over: bool| {
            #[expect(clippy::cast_precision_loss, reason = "for display only")]
            let share = taken as f32 / scheme.total().max(1) as f32;
            let RateTrial { rate, head, loss, .. } = runner.trial;
            let rates = if has_head { format!("{rate:e}, head {head:e}") } else { format!("{rate:e}") };
            let what = if is_over { format!("{rates}: loss {loss:.4}") } else { rates };
            progress(&format!("learning rate {what}"), share)
        };
        let mut advance = |session: &mut Self, runner: &mut Runner, until: u64| -> Result<bool> {
            session.begin_trial(recipe, runner, start, scheme)?;
            while runner.trial.steps < until && runner.trial.loss.is_finite() | runner.losses.is_empty() {
                match session.attempt_step()? {
                    Attempt::Taken(step) => runner.losses.push(step.loss),
                    Attempt::NotFinite(_) => runner.losses.push(f64::INFINITY),
                    Attempt::OutOfMemory(why) => return Err(Error::failed(why)),
                }
                runner.trial.steps += 1;
                taken += 1;
                let half = runner.losses.len().div_ceil(2);
                let last = &runner.losses[runner.losses.len() - half..];
                #[expect(clippy::cast_precision_loss, reason = "few steps")]
                let mean = last.iter().sum::<f64>() / last.len() as f64;
                runner.trial.loss = mean;
                if !report(runner, taken, false) {
                    return Ok(false);
                }
            }
            report(runner, taken, true);
            runner.state = Some(session.snapshot(0));
            Ok(true)
        };
        for runner in &mut runners {
            if !advance(self, runner, scheme.first)? {
                return Ok(None);
            }
        }
        for place in best(&runners, scheme.kept, by_rate, two_digits(rule)) {
            if !advance(self, &mut runners[place], scheme.steps)? {
                return Ok(None);
            }
        }
        let chosen = best(&runners, 1, by_rate, two_digits(rule))[0];
        let rate = runners[chosen].trial.rate;
        for exponent in scheme.head.iter().filter(|_| !head_alone) {
            let mut other = runner(rate, head * STEP.powi(*exponent));
            if !advance(self, &mut other, scheme.steps)? {
                return Ok(None);
            }
            runners.push(other);
        }
        let of_rate: Vec<usize> = (0..runners.len()).filter(|place| runners[*place].trial.rate == rate).collect();
        let of_head: Vec<&Runner> = of_rate.iter().map(|place| &runners[*place]).collect();
        let chosen = of_rate[best(&of_head, 1, by_head, two_digits(head))[0]];
        Ok(Some(RateRace { trials: runners.into_iter().map(|runner| runner.trial).collect(), chosen, has_head }))
    }

    /// Puts the session where a trial has come to.
    fn begin_trial(&mut self, recipe: &Recipe, runner: &Runner, start: &Snapshot, scheme: &Scheme) -> Result<()> {
        self.restore(runner.state.as_ref().unwrap_or(start))?;
        let total = self.total_steps();
        self.recipe = recipe.clone();
        let optimizer = &mut self.recipe.optimizer;
        optimizer.learning_rate = LearningRate::At(runner.trial.rate);
        optimizer.head_learning_rate = LearningRate::At(runner.trial.head);
        let warmup = recipe.schedule.warmup_steps.of(total.max(1));
        self.recipe.schedule.warmup_steps = Steps::Count(warmup * scheme.steps / total.max(1));
        self.recipe.train.max_steps = scheme.steps;
        Ok(())
    }
}

fn by_rate(trial: &RateTrial) -> f64 {
    trial.rate
}

fn by_head(trial: &RateTrial) -> f64 {
    trial.head
}

/// The places of the best trials of those with the most steps, the best one first. `rate` is the rate in which they
/// differ, and `rule` that of the rule.
fn best<R: std::borrow::Borrow<Runner>>(
    runners: &[R],
    count: usize,
    rate: fn(&RateTrial) -> f64,
    rule: f64,
) -> Vec<usize> {
    let trial = |place: &usize| &runners[*place].borrow().trial;
    let before = runners.iter().find_map(|runner| runner.borrow().losses.first().copied()).unwrap_or(f64::INFINITY);
    let mut left: Vec<usize> = (0..runners.len()).collect();
    left.sort_by(|one, other| rate(trial(one)).total_cmp(&rate(trial(other))));
    let most = left.iter().map(|place| trial(place).steps).max().unwrap_or(0);
    left.retain(|place| trial(place).steps == most);
    let mut places = Vec::new();
    while places.len() < count && !left.is_empty() {
        let start = left.partition_point(|place| rate(trial(place)) < rule).min(left.len() - 1);
        let losses: Vec<f64> = left.iter().map(|place| trial(place).loss).collect();
        places.push(left.remove(preferred(before, &losses, start)));
    }
    places
}

/// The place of the preferred one of these losses, which are in the order of rising rates; `before` is the loss before
/// training, and `start` the place of the rule's rate.
fn preferred(before: f64, losses: &[f64], start: usize) -> usize {
    let progress = |place: usize| before - losses[place];
    let lower = (0..start).rev().fold(start, |chosen, place| {
        let is_better = !losses[chosen].is_finite() || progress(place) > progress(chosen) + LOWER * before;
        if is_better { place } else { chosen }
    });
    (start + 1..losses.len()).fold(lower, |chosen, place| {
        let is_clear = progress(place) > CLEARLY * progress(chosen) && progress(place) > LEAST * before;
        if is_clear || !losses[chosen].is_finite() { place } else { chosen }
    })
}

/// How many rates take part, and for how long.
#[derive(Debug, PartialEq)]
struct Scheme {
    /// Half decades on either side of the rule's rate.
    around: i32,
    /// Steps of every rate.
    first: u64,
    /// Rates that go on after them.
    kept: usize,
    /// Steps of those.
    steps: u64,
    /// Half decades of the head's rates beside that of the rule.
    head: Vec<i32>,
}

impl Scheme {
    /// For a run of so many steps; none where a tenth of them is too few.
    fn of(total: u64, has_head: bool) -> Option<Self> {
        let budget = total / 10;
        // Five rates for m steps, two of them for m more, and two rates of the head for 2 m.
        let large = |head: Vec<i32>| Self { around: 2, first: 1, kept: 2, steps: 2, head };
        let large = large(if has_head { vec![-1, 1] } else { Vec::new() });
        let small = Self { around: 1, first: 1, kept: 0, steps: 1, head: Vec::new() };
        let scheme = [large, small].into_iter().find(|scheme| budget / scheme.total() >= FEWEST)?;
        let each = (budget / scheme.total()).min(MOST);
        Some(Self { first: scheme.first * each, steps: scheme.steps * each, ..scheme })
    }

    fn exponents(&self) -> impl Iterator<Item = i32> + use<> {
        -self.around..=self.around
    }

    /// The number of steps of all rates together.
    fn total(&self) -> u64 {
        let lanes = u64::from(self.around.unsigned_abs()) * 2 + 1;
        lanes * self.first + self.kept as u64 * (self.steps - self.first) + self.head.len() as u64 * self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses of races of eight steps in the study, in the order of the rates, and the place of the preferred one.
    #[test]
    fn a_higher_rate_has_to_be_clearly_better() {
        for (method, before, losses, wanted) in [
            ("lora, rank 4", 12.1, [10.2936, 8.0919, 7.8548], 1),
            ("lorta", 12.1, [11.9469, 9.6717, 8.5756], 1),
            ("vera", 12.1, [10.3682, 8.0592, 8.4664], 1),
            ("id3", 12.1, [7.8295, 8.3477, 9.4723], 0),
            ("adamix", 12.1, [11.8950, 12.0408, 13.1804], 0),
            ("melora on a classifier, where nothing is learned yet", 2.49, [2.5097, 2.5067, 2.4853], 1),
            ("a rate at which the loss is no number", 12.1, [9.0, 8.5, f64::INFINITY], 1),
            ("the rule's is no number", 12.1, [9.0, f64::INFINITY, f64::INFINITY], 0),
            ("only the highest learns", 12.1, [12.0, 11.9, 8.0], 2),
            ("all but the highest are no numbers", 12.1, [f64::INFINITY, f64::INFINITY, 8.4], 2),
        ] {
            assert_eq!(preferred(before, &losses, 1), wanted, "{method}");
        }
    }

    #[test]
    fn it_takes_a_tenth_of_the_run_at_most_and_nothing_of_a_short_one() {
        for (total, has_head) in (0..4000).flat_map(|total| [(total, false), (total, true)]) {
            match Scheme::of(total, has_head) {
                None => assert!(total < 180, "{total}"),
                Some(scheme) => {
                    assert!(scheme.total() <= total / 10, "{total}: {scheme:?}");
                    assert!(scheme.first >= FEWEST && scheme.first <= MOST, "{total}: {scheme:?}");
                }
            }
        }
        assert_eq!(Scheme::of(660, true).unwrap().exponents().count(), 5);
        assert_eq!(Scheme::of(240, true).unwrap().exponents().count(), 3);
    }
}
