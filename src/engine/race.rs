//! A race: lanes that train in turns on one copy of the base weights.
//!
//! Each lane is a run of its own, with its folder, journal and checkpoints, and gets the bits that it would have got alone:
//! between its turns, what it changed in the weights is away from them. The lane with the fewest steps comes next, so that
//! all are at about the same step.

mod begin;
mod clone;
mod halving;
mod router;

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

use super::training::{Company, Training};
use super::{Outbox, Resume};
use crate::error::{Error, Result};
use crate::protocol::{self, Command, Ending, Evaluation, Event, Summary};
use crate::run::{RunFolder, State, write_race};
use halving::Halving;
use router::{Order, Router};

/// A turn lasts so many times as long as coming and going take, so that these cost little.
const TURN: u32 = 40;

/// A race does not look longer than this for something to do, while no lane can step.
const SOON: Duration = Duration::from_millis(20);

/// One lane.
struct Lane {
    /// None when it has ended.
    training: Option<Training>,
    outbox: Outbox,
    told: Receiver<Event>,
    about: protocol::Lane,
    /// How it ended, if it did.
    summary: Option<Summary>,
    /// Steps that it had taken when the race went on without it.
    before: u64,
    /// Whether it waits until the others are as far.
    waiting: bool,
}

/// All lanes.
struct Race {
    name: String,
    folder: RunFolder,
    lanes: Vec<Lane>,
    router: Router,
    halving: Option<Halving>,
    attended: bool,
    started: Instant,
    peak: u64,
}

/// Runs a race to its end.
///
/// # Errors
/// Refuses lanes that cannot train beside each other; fails where every lane does.
pub fn run(race: super::Race, attended: bool, commands: Receiver<Command>, outbox: &mut Outbox) -> Result<Summary> {
    Race::prepare(race, attended, commands, outbox)?.finish(outbox)
}

/// Goes on with a race.
///
/// # Errors
/// As [`run`], and where its folder is damaged or not what it was.
pub fn go_on(resume: &Resume, attended: bool, commands: Receiver<Command>, outbox: &mut Outbox) -> Result<Summary> {
    Race::go_on(resume, attended, commands, outbox)?.finish(outbox)
}

impl Race {
    fn finish(mut self, outbox: &mut Outbox) -> Result<Summary> {
        self.hand_on(outbox);
        while self.lanes.iter().any(|lane| lane.training.is_some()) {
            self.serve(outbox);
            match self.next() {
                Some(lane) => self.turn(lane),
                None => self.halve_or_wait(outbox),
            }
            self.hand_on(outbox);
        }
        self.conclude()
    }

    /// The lane whose turn it is: of those that can step, the one that is least far.
    fn next(&self) -> Option<usize> {
        let can_step = |lane: &&(usize, u64)| {
            let lane = &self.lanes[lane.0];
            !lane.waiting && lane.training.as_ref().is_some_and(Training::has_something_to_do)
        };
        let steps: Vec<(usize, u64)> = self.lanes.iter().map(Lane::steps).enumerate().collect();
        steps.iter().filter(can_step).min_by_key(|(_, step)| *step).map(|(lane, _)| *lane)
    }

    /// Lets a lane train for a while.
    fn turn(&mut self, at: usize) {
        let others = self.lanes.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<u64> = others.filter_map(|(_, lane)| lane.training.as_ref()).map(Training::bytes).collect();
        let company =
            Company::Others { bytes: others.iter().sum(), lanes: u32::try_from(others.len()).unwrap_or(u32::MAX - 1) };
        let halving = self.halving.as_ref();
        let Lane { training: slot, outbox, waiting, .. } = &mut self.lanes[at];
        let Some(training) = slot else { return };
        let coming = Instant::now();
        training.session.enter();
        let turn = coming.elapsed() * TURN;
        training.company = company;
        let begun = Instant::now();
        let ended = loop {
            match training.settle(outbox) {
                Ok(false) => {}
                Ok(true) => break Some(Ok(())),
                Err(error) => break Some(Err(error)),
            }
            *waiting = halving.is_some_and(|halving| halving.stops(training.session.step));
            if training.is_paused() || *waiting {
                break None;
            }
            if let Err(error) = training.advance(outbox) {
                break Some(Err(error));
            }
            if begun.elapsed() >= turn {
                break None;
            }
        };
        if let Some(ended) = ended {
            let concluded = training.conclude(ended, outbox);
            self.peak = self.peak.max(training.peak());
            outbox.send(match &concluded {
                Ok(summary) => Event::Finished(Box::new(summary.clone())),
                Err(error) => {
                    Event::Fault { refused: matches!(error, Error::Refused(_)), message: error.message().to_owned() }
                }
            });
            training.session.leave();
            *slot = None;
            self.lanes[at].summary = concluded.ok();
        } else {
            training.session.leave();
        }
    }

    /// Does what is asked of the race itself.
    fn serve(&mut self, outbox: &mut Outbox) {
        while let Some(order) = self.router.next() {
            self.obey(order, outbox);
        }
    }

    fn obey(&mut self, order: Order, outbox: &mut Outbox) {
        if let Order::Clone { id, lane, set } = order {
            let step = self.lanes.get(lane as usize).map_or(0, Lane::steps);
            let status = match self.clone_lane(lane, set, outbox) {
                Ok(()) => protocol::CommandStatus::Applied { step },
                Err(error) => protocol::CommandStatus::Rejected { why: error.message().to_owned() },
            };
            outbox.send(Event::CommandStatus { id, status });
        }
    }

    /// No lane can step: either all have come to where the worse half goes, or all stand still.
    fn halve_or_wait(&mut self, outbox: &mut Outbox) {
        let still_to_come = |lane: &Lane| lane.training.is_some() && !lane.waiting;
        if self.lanes.iter().any(still_to_come) || !self.lanes.iter().any(|lane| lane.waiting) {
            if let Some(order) = self.router.wait(SOON) {
                self.obey(order, outbox);
            }
            return;
        }
        self.halve(outbox);
    }

    /// Passes on what the lanes told.
    fn hand_on(&mut self, outbox: &mut Outbox) {
        for (number, lane) in (0..).zip(&mut self.lanes) {
            lane.outbox.flush();
            for event in lane.told.try_iter() {
                outbox.send(Event::Lane { lane: number, told: Box::new(event) });
            }
        }
    }

    fn conclude(self) -> Result<Summary> {
        let ended = self.lanes.iter().filter_map(|lane| lane.summary.as_ref());
        let best = ended.clone().reduce(|best, other| if is_better(other, best) { other } else { best });
        let endings: Vec<Ending> = ended.clone().map(|summary| summary.ending).collect();
        let ending = [Ending::Aborted, Ending::Terminated].into_iter().find(|ending| endings.contains(ending));
        let ending =
            ending.unwrap_or(if endings.contains(&Ending::Completed) { Ending::Completed } else { Ending::Stopped });
        let steps = ended.clone().map(|summary| summary.steps).sum();
        let Some(best) = best else {
            let why = "no lane came to its end; the log of each says why";
            // The failure itself is reported; that its note could not be written adds nothing.
            let _ = self.folder.end(State::Failed, 0, None, Some(why));
            return Err(Error::failed(format!("{}: {why}", self.name)));
        };
        let accuracy = best.best.map(|best| best.accuracy);
        // A folder that cannot be written was told of by each lane.
        let _ = self.folder.end(State::from(ending), steps, accuracy, None);
        Ok(Summary {
            ending,
            folder: self.folder.path().to_owned(),
            steps,
            seconds: self.started.elapsed().as_secs_f64(),
            peak_memory: self.peak,
            predicted_memory: None,
            ..best.clone()
        })
    }

    /// Tells who is in the race, and notes it in its folder.
    fn announce(&self, outbox: &mut Outbox) {
        let race = protocol::Race {
            name: self.name.clone(),
            folder: self.folder.path().to_owned(),
            lanes: self.lanes.iter().map(|lane| lane.about.clone()).collect(),
            halve_every: self.halving.as_ref().map(Halving::every),
        };
        if let Err(error) = write_race(&race) {
            let message = format!("{}; the race goes on", error.message());
            outbox.send(Event::Note { level: protocol::Level::Warning, message });
        }
        outbox.send(Event::Race(Box::new(race)));
    }
}

impl Lane {
    fn new(about: protocol::Lane, make: impl FnOnce(&mut Outbox) -> Training) -> Self {
        let (channel, told) = unbounded();
        let mut outbox = Outbox::new(channel);
        Self { training: Some(make(&mut outbox)), outbox, told, about, summary: None, before: 0, waiting: false }
    }

    /// One that had ended before the race went on.
    fn over(about: protocol::Lane, state: State, steps: u64) -> Self {
        let (channel, told) = unbounded();
        let mut outbox = Outbox::new(channel);
        let message = format!("this lane has ended before ({state} after {steps} steps)");
        outbox.send(Event::Fault { message, refused: false });
        Self { training: None, outbox, told, about, summary: None, before: steps, waiting: false }
    }

    /// Optimizer steps that it has taken.
    fn steps(&self) -> u64 {
        let ended = || self.summary.as_ref().map_or(self.before, |summary| summary.steps);
        self.training.as_ref().map_or_else(ended, |training| training.session.step)
    }

    fn last_evaluation(&self) -> Option<Evaluation> {
        self.training.as_ref().and_then(|training| training.session.progress.last)
    }
}

/// Whether the best evaluation of one run is better than that of another.
fn is_better(one: &Summary, other: &Summary) -> bool {
    match (one.best, other.best) {
        (Some(one), Some(other)) => one.is_better_than(&other),
        (one, _) => one.is_some(),
    }
}

#[cfg(test)]
mod tests;
