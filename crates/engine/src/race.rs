//! A race: lanes that train in turns on one copy of the base weights.
//!
//! Each lane is a run of its own, with its folder, journal and checkpoints, and is bit-identical to the same run
//! alone: between its turns, its changes to the weights are removed. The lane with the fewest steps is next, so that
//! all are at about the same step.

mod begin;
mod clone;
mod halving;
mod router;

use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

use super::training::{Peers, Training};
use super::{Outbox, Resume};
use halving::Halving;
use router::{Order, Router};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{self, Command, Ending, Evaluation, Event, Summary};
use spartui_run::{Metrics, RunFolder, State, write_race};

/// A turn lasts this many times as long as the switch of lanes, to keep its cost low.
const TURN: u32 = 40;

/// The longest wait for an order while no lane can step.
const SOON: Duration = Duration::from_millis(20);

/// One lane.
struct Lane {
    /// None after the end.
    training: Option<Training>,
    outbox: Outbox,
    events: Receiver<Event>,
    about: protocol::Lane,
    /// The summary after the end.
    summary: Option<Summary>,
    /// Whether it waits for the other lanes to catch up.
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
/// Refuses lanes that cannot train together; fails if every lane fails.
pub fn run(race: super::Race, attended: bool, commands: Receiver<Command>, outbox: &mut Outbox) -> Result<Summary> {
    Race::prepare(race, attended, commands, outbox)?.finish(outbox)
}

/// Resumes a race.
///
/// # Errors
/// As [`run`], and if its folder is damaged or has changed.
pub fn go_on(resume: &Resume, attended: bool, commands: Receiver<Command>, outbox: &mut Outbox) -> Result<Summary> {
    Race::go_on(resume, attended, commands, outbox)?.finish(outbox)
}

impl Race {
    fn finish(mut self, outbox: &mut Outbox) -> Result<Summary> {
        self.forward_events(outbox);
        while self.lanes.iter().any(|lane| lane.training.is_some()) {
            self.serve(outbox);
            match self.next() {
                Some(lane) => self.turn(lane),
                None => self.halve_or_wait(outbox),
            }
            self.forward_events(outbox);
        }
        self.conclude()
    }

    /// The next lane: of those that can step, the one with the fewest steps.
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
        let peers =
            Peers::Others { bytes: others.iter().sum(), lanes: u32::try_from(others.len()).unwrap_or(u32::MAX - 1) };
        let halving = self.halving.as_ref();
        let mut left_out = false;
        let Lane { training: slot, outbox, waiting, .. } = &mut self.lanes[at];
        let Some(training) = slot else { return };
        let coming = Instant::now();
        training.session.enter();
        let turn = coming.elapsed() * TURN;
        training.peers = peers;
        let begun = Instant::now();
        let ended = loop {
            match training.between_steps(outbox) {
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
            left_out = concluded.as_ref().is_ok_and(|summary| summary.ending == Ending::Stopped) && !self.router.ends();
            self.lanes[at].summary = concluded.ok();
        } else {
            training.session.leave();
        }
        if left_out {
            self.leave_out(at);
        }
    }

    /// Marks a lane that was stopped individually: it is left out when the race is resumed.
    fn leave_out(&mut self, at: usize) {
        self.lanes[at].about.out = true;
        if let Err(message) = self.write() {
            self.lanes[at].outbox.send(Event::Note { level: protocol::Level::Warning, message });
        }
    }

    /// Handles orders to the race itself.
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

    /// No lane can step: either all have reached the step of the next halving, or all are paused.
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

    /// Forwards the lanes' events.
    fn forward_events(&mut self, outbox: &mut Outbox) {
        for (number, lane) in (0..).zip(&mut self.lanes) {
            lane.outbox.flush();
            for event in lane.events.try_iter() {
                outbox.send(Event::Lane { lane: number, told: Box::new(event) });
            }
        }
    }

    fn conclude(self) -> Result<Summary> {
        let ended = self.lanes.iter().filter_map(|lane| lane.summary.as_ref());
        let best = ended.clone().reduce(|best, other| if is_better(other, best) { other } else { best });
        let endings: Vec<Ending> = ended.clone().map(|summary| summary.ending).collect();
        let ending = [Ending::Aborted, Ending::Terminated].into_iter().find(|ending| endings.contains(ending));
        // A race that was stopped as a whole has resumable lanes, whatever the state of the others.
        let was_stopped = self.router.ends() && endings.contains(&Ending::Stopped);
        let completed = endings.contains(&Ending::Completed) && !was_stopped;
        let ending = ending.unwrap_or(if completed { Ending::Completed } else { Ending::Stopped });
        // All lanes have the same steps to take: the race is as far as the furthest lane.
        let steps = self.lanes.iter().map(Lane::steps).max().unwrap_or(0);
        let Some(best) = best else {
            let why = "no lane came to its end; the log of each says why";
            // The failure itself is reported; a failure to record it adds nothing.
            let _ = self.folder.end(State::Failed, 0, None, Some(why));
            return Err(Error::failed(format!("{}: {why}", self.name)));
        };
        // Each lane has reported a folder that cannot be written.
        let _ = self.folder.end(State::from(ending), steps, best.best, None);
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

    /// Sends the list of lanes, and records it in the race's folder.
    fn announce(&self, outbox: &mut Outbox) {
        match self.write() {
            Ok(()) => {}
            Err(message) => outbox.send(Event::Note { level: protocol::Level::Warning, message }),
        }
        outbox.send(Event::Race(Box::new(self.about())));
    }

    fn about(&self) -> protocol::Race {
        protocol::Race {
            name: self.name.clone(),
            folder: self.folder.path().to_owned(),
            lanes: self.lanes.iter().map(|lane| lane.about.clone()).collect(),
            halve_every: self.halving.as_ref().map(Halving::every),
        }
    }

    /// Records the list of lanes in the race's folder, or returns the error.
    fn write(&self) -> std::result::Result<(), String> {
        write_race(&self.about()).map_err(|error| format!("{}; the race goes on", error.message()))
    }
}

impl Lane {
    fn new(about: protocol::Lane, make: impl FnOnce(&mut Outbox) -> Training) -> Self {
        let (channel, events) = unbounded();
        let mut outbox = Outbox::new(channel);
        Self { training: Some(make(&mut outbox)), outbox, events, about, summary: None, waiting: false }
    }

    /// A lane that had ended before the race was resumed; its folder says how.
    fn over(about: protocol::Lane, state: State) -> Self {
        let (channel, events) = unbounded();
        let mut outbox = Outbox::new(channel);
        let summary = ended_before(&about.folder, state);
        outbox.send(Event::Finished(Box::new(summary.clone())));
        Self { training: None, outbox, events, about, summary: Some(summary), waiting: false }
    }

    /// Optimizer steps that it has done.
    fn steps(&self) -> u64 {
        let ended = || self.summary.as_ref().map_or(0, |summary| summary.steps);
        self.training.as_ref().map_or_else(ended, |training| training.session.step)
    }

    fn last_evaluation(&self) -> Option<Evaluation> {
        self.training.as_ref().and_then(|training| training.session.progress.last)
    }
}

/// The end of a lane according to its folder. What cannot be read there is left out: nothing depends on it.
fn ended_before(folder: &Path, state: State) -> Summary {
    let read = Metrics::read(&folder.join("metrics.jsonl")).unwrap_or_default();
    let status = RunFolder::open(folder).and_then(|run| run.status()).ok();
    let last = read.steps.last();
    let better = |best: Evaluation, next: Evaluation| if next.is_better_than(&best) { next } else { best };
    Summary {
        ending: match state {
            State::Completed => Ending::Completed,
            State::StoppedEarly => Ending::StoppedEarly,
            _ => Ending::Stopped,
        },
        folder: folder.to_owned(),
        adapter: Some(folder.join("adapter")).filter(|adapter| adapter.is_dir()),
        holds: status.as_ref().and_then(|status| status.holds),
        steps: status.as_ref().and_then(|status| status.steps).or(last.map(|step| step.step)).unwrap_or(0),
        seconds: read.steps.iter().map(|step| step.seconds).sum(),
        loss: last.map(|step| step.loss),
        best: read.evaluations.iter().copied().reduce(better),
        last: read.evaluations.last().copied(),
        trainable: last.map_or(0, |step| step.trainable),
        sparsity: last.map_or(0.0, |step| step.sparsity),
        peak_memory: status.and_then(|status| status.peak_memory).unwrap_or(0),
        predicted_memory: None,
        median_step_seconds: None,
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
