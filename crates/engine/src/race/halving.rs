//! Successive halving: every so many steps the worse half of the lanes is stopped.

use super::Race;
use crate::Outbox;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Command, Evaluation, Event};
use spartui_facts::recipe::{Recipe, Steps, Validation};

/// The schedule of halvings.
#[derive(Debug)]
pub struct Halving {
    every: u64,
    /// The step of the next halving.
    next: u64,
    /// Whether more than one lane is left.
    goes_on: bool,
}

impl Halving {
    /// Halves the lanes every so many steps.
    ///
    /// # Errors
    /// Refuses lanes that are not evaluated at those steps.
    pub fn new<'a>(every: u64, lanes: impl IntoIterator<Item = &'a Recipe>) -> Result<Self> {
        if every == 0 {
            return Err(Error::refused("--halve-every takes a number of steps above 0; leave it out for no halving"));
        }
        for recipe in lanes {
            if recipe.data.validation == Validation::Share(0.0) {
                return Err(Error::refused(
                    "lanes are halved by their evaluations, and with data.validation = 0 there are none; give data.validation \
                     rows, or leave --halve-every out",
                ));
            }
            let evaluate_every = recipe.train.evaluate_every;
            if !matches!(evaluate_every, Steps::Count(steps @ 1..) if every.is_multiple_of(steps)) {
                return Err(Error::refused(format!(
                    "lanes are halved by their evaluations, and a lane evaluates every {evaluate_every} steps, of which \
                     {every} is no multiple; set train.evaluate_every to {every} or to a divisor of it"
                )));
            }
        }
        Ok(Self { every, next: every, goes_on: true })
    }

    /// The default number of steps between evaluations of a lane with this halving interval: the usual one or fewer,
    /// such that it divides the interval.
    #[must_use]
    pub fn evaluations(every: u64) -> u64 {
        let most = Steps::Auto.of(u64::MAX);
        if every > most && every.is_multiple_of(most) { most } else { every }
    }

    /// Steps between two halvings.
    #[must_use]
    pub fn every(&self) -> u64 {
        self.every
    }

    /// Skips the halvings up to this step.
    #[must_use]
    pub fn after(mut self, step: u64) -> Self {
        self.next = step.next_multiple_of(self.every).max(self.every);
        self
    }

    /// Whether a lane waits at this step for the others.
    #[must_use]
    pub fn stops(&self, step: u64) -> bool {
        self.goes_on && step >= self.next
    }
}

impl Race {
    /// Stops the worse half of the lanes that have reached the step of the halving.
    pub(super) fn halve(&mut self, outbox: &mut Outbox) {
        let waiting = (0..).zip(&self.lanes).filter(|(_, lane)| lane.waiting && lane.training.is_some());
        let standing: Vec<(u32, Option<Evaluation>)> =
            waiting.map(|(number, lane)| (number, lane.last_evaluation())).collect();
        let order = ranked(standing);
        let (kept, stopped) = order.split_at(order.len().div_ceil(2));
        for &lane in stopped {
            self.router.pass_on(Command::Lane { lane, asked: Box::new(Command::Stop) });
        }
        self.lanes.iter_mut().for_each(|lane| lane.waiting = false);
        if let Some(halving) = &mut self.halving {
            outbox.send(Event::Halved { step: halving.next, kept: kept.to_vec(), stopped: stopped.to_vec() });
            halving.next += halving.every;
            halving.goes_on = kept.len() > 1;
        }
    }
}

/// The lanes, best first; of equal ones the lower number first. Lanes without an evaluation come last.
fn ranked(mut lanes: Vec<(u32, Option<Evaluation>)>) -> Vec<u32> {
    lanes.sort_by(|(_, one), (_, other)| {
        let before = match (one, other) {
            (Some(one), Some(other)) => (one.is_better_than(other), other.is_better_than(one)),
            (one, other) => (one.is_some() && other.is_none(), other.is_some() && one.is_none()),
        };
        before.1.cmp(&before.0)
    });
    lanes.into_iter().map(|(lane, _)| lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(accuracy: f64) -> Evaluation {
        Evaluation { step: 1, eval_loss: 1.0, accuracy, mcc: Some(0.0), examples: 1, seconds: 0.0, branch: 0 }
    }

    #[test]
    fn the_best_come_first_and_equals_keep_their_order() {
        let lanes = vec![(0, Some(0.5)), (1, None), (2, Some(0.9)), (3, Some(0.5)), (4, Some(0.7))];
        let lanes = lanes.into_iter().map(|(lane, accuracy)| (lane, accuracy.map(scored))).collect();
        assert_eq!(ranked(lanes), [2, 4, 0, 3, 1]);
    }

    #[test]
    fn lanes_have_to_be_evaluated_where_they_are_halved() {
        let mut recipe = Recipe::default();
        recipe.train.evaluate_every = Steps::Count(30);
        assert!(Halving::new(60, [&recipe]).is_ok());
        assert!(Halving::new(50, [&recipe]).unwrap_err().message().contains("train.evaluate_every"));
        assert!(Halving::new(0, [&recipe]).is_err());
        for open in [Steps::Auto, Steps::Share(0.1), Steps::Count(0)] {
            recipe.train.evaluate_every = open;
            assert!(Halving::new(60, [&recipe]).is_err());
        }
        for every in [7, 60, 100, 101, 300] {
            recipe.train.evaluate_every = Steps::Auto;
            recipe.choose_evaluations(Halving::evaluations(every));
            assert!(Halving::new(every, [&recipe]).is_ok(), "{every}");
        }
        assert_eq!([50, 300, 301].map(Halving::evaluations), [50, 100, 301]);
        recipe.data.validation = Validation::Share(0.0);
        assert!(Halving::new(100, [&recipe]).unwrap_err().message().contains("data.validation = 0"));
    }
}
