//! Who is connected, what each has heard, and who steers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::kept::{Cursor, Kept};
use crate::protocol::{
    Audience, Client, ClientId, Command, CommandId, CommandStatus, Event, Level, News, Purpose, Standing,
};

/// Entries of the course that are handed to a client at once.
const BATCH: usize = 1024;
/// Entries of the course, most of them steps, by which a client may fall behind once it had caught up.
const BACKLOG: usize = 50_000;
/// Answers that may wait for a client that does not read them.
const ANSWERS: usize = 1000;

const WATCHES: &str = "this interface only watches the run; it has to take control first";
const TOO_SLOW: &str = "this interface was too far behind and was let go, so that the run need not wait; attach again";

/// Shared by the hub and the threads of all clients.
pub struct Room {
    began: Instant,
    commands: Sender<Command>,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    kept: Kept,
    seats: BTreeMap<ClientId, Seat>,
    steering: Option<ClientId>,
    /// Who asked for what is not yet answered.
    owners: HashMap<CommandId, ClientId>,
    standing: Standing,
    /// How each lane of a race stands.
    lanes: BTreeMap<u32, LaneStanding>,
    next: ClientId,
    /// The engine has said its last word.
    over: bool,
}

/// How a run stands, or a lane.
#[derive(Default)]
struct LaneStanding {
    step: u64,
    paused: bool,
    ended: bool,
}

#[derive(Default)]
struct Seat {
    from: String,
    cursor: Cursor,
    /// For this client alone, each with the place in the course that comes before it.
    own: VecDeque<(usize, News)>,
    live: bool,
    let_go: bool,
}

impl Room {
    /// An empty one; what is asked for in it goes to the engine.
    pub fn new(commands: Sender<Command>) -> Self {
        Self { began: Instant::now(), commands, inside: Mutex::default(), changed: Condvar::new() }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the engine began.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Tells an event to all whom it concerns, without waiting for any of them.
    pub fn tell(&self, event: &Event) {
        let seconds = self.seconds();
        let mut inside = self.inside();
        inside.note_standing(event);
        let told = if let Event::Lane { told, .. } = event { told } else { event };
        match told {
            Event::CommandStatus { id, status } => {
                let queued = *status == CommandStatus::Queued;
                inside.answer(*id, event, queued);
            }
            Event::Previewed { id, .. } => inside.answer(*id, event, false),
            Event::Predicted { id, .. } => inside.answer(*id, event, true),
            _ => inside.kept.take(event, seconds),
        }
        inside.let_slow_ones_go();
        self.changed.notify_all();
    }

    /// A name for one who has come; a seat is taken with [`Room::join`].
    pub fn name(&self) -> ClientId {
        let mut inside = self.inside();
        inside.next += 1;
        inside.next - 1
    }

    /// Takes a seat.
    pub fn join(&self, id: ClientId, purpose: Purpose, from: String) {
        let mut inside = self.inside();
        if purpose == Purpose::Steer {
            inside.steering.get_or_insert(id);
        }
        inside.seats.insert(id, Seat { from, ..Seat::default() });
        inside.tell_audience();
        self.changed.notify_all();
    }

    /// Gives a seat up. Who steers then is for those who stay to decide.
    pub fn leave(&self, id: ClientId) {
        let mut inside = self.inside();
        if inside.seats.remove(&id).is_none() {
            return;
        }
        if inside.steering == Some(id) {
            inside.steering = None;
        }
        inside.tell_audience();
        self.changed.notify_all();
    }

    /// Hands a client's command to the engine, or says to it why not.
    pub fn ask(&self, id: ClientId, command: Command) {
        let mut inside = self.inside();
        let named = command_id(&command);
        if inside.steering == Some(id) {
            inside.owners.extend(named.map(|named| (named, id)));
            // An engine that has ended needs no command any more.
            let _ = self.commands.send(command);
            return;
        }
        let refusal = match named {
            Some(named) => Event::CommandStatus { id: named, status: CommandStatus::Rejected { why: WATCHES.into() } },
            None => Event::Note { level: Level::Warning, message: WATCHES.into() },
        };
        inside.tell_one(id, News::Event(refusal));
        self.changed.notify_all();
    }

    /// Lets a client steer.
    pub fn take_over(&self, id: ClientId) {
        let mut inside = self.inside();
        if inside.seats.contains_key(&id) && inside.steering != Some(id) {
            inside.steering = Some(id);
            inside.tell_audience();
            self.changed.notify_all();
        }
    }

    /// Says why the connection is closed; nothing else is said any more.
    pub fn refuse(&self, id: ClientId, why: &str) {
        let mut inside = self.inside();
        inside.let_go(id, why);
        self.changed.notify_all();
    }

    /// How the run stands.
    pub fn standing(&self) -> Standing {
        let inside = self.inside();
        let audience = inside.audience();
        Standing {
            watching: audience.clients.len(),
            steered_from: audience.steered_from().map(str::to_owned),
            ..inside.standing.clone()
        }
    }

    /// Waits for what this client has not heard; none where it is to be heard no more.
    pub fn next(&self, id: ClientId) -> Option<Vec<News>> {
        let mut inside = self.inside();
        loop {
            let over = inside.over;
            let Inside { kept, seats, .. } = &mut *inside;
            let seat = seats.get_mut(&id)?;
            let news = seat.next(kept);
            if !news.is_empty() {
                return Some(news);
            }
            if over || seat.let_go {
                return None;
            }
            inside = self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The engine has said its last word: each client hears the rest, for at most this long.
    pub fn close(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut inside = self.inside();
        inside.over = true;
        self.changed.notify_all();
        while !inside.seats.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            inside = self.changed.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the engine has said its last word.
    pub fn is_over(&self) -> bool {
        self.inside().over
    }
}

impl LaneStanding {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Step(step) => self.step = step.step,
            Event::Paused { .. } => self.paused = true,
            Event::Resumed { .. } => self.paused = false,
            Event::Ready(ready) => self.step = ready.step,
            Event::Rewound { step, .. } => self.step = *step,
            _ => {}
        }
    }
}

impl Inside {
    fn note_standing(&mut self, event: &Event) {
        if let Event::Lane { lane, told } = event {
            let standing = self.lanes.entry(*lane).or_default();
            match told.as_ref() {
                Event::Finished(_) | Event::Fault { .. } => standing.ended = true,
                told => standing.note(told),
            }
            // A race is as far as its furthest lane, and stands still when none of its lanes trains.
            self.standing.step = self.lanes.values().map(|lane| lane.step).max().unwrap_or(0);
            let mut training = self.lanes.values().filter(|lane| !lane.ended).peekable();
            self.standing.paused = training.peek().is_some() && training.all(|lane| lane.paused);
            return;
        }
        let mut of_run = LaneStanding { step: self.standing.step, paused: self.standing.paused, ended: false };
        of_run.note(event);
        (self.standing.step, self.standing.paused) = (of_run.step, of_run.paused);
    }

    fn answer(&mut self, id: CommandId, event: &Event, more_follows: bool) {
        let owner = if more_follows { self.owners.get(&id).copied() } else { self.owners.remove(&id) };
        if let Some(owner) = owner {
            self.tell_one(owner, News::Event(event.clone()));
        }
    }

    fn tell_one(&mut self, id: ClientId, news: News) {
        let place = self.kept.place();
        if let Some(seat) = self.seats.get_mut(&id).filter(|seat| !seat.let_go) {
            seat.own.push_back((place, news));
        }
    }

    fn audience(&self) -> Audience {
        let client = |(id, seat): (&ClientId, &Seat)| Client { id: *id, from: seat.from.clone() };
        let clients = self.seats.iter().filter(|(_, seat)| !seat.let_go).map(client).collect();
        Audience { clients, steering: self.steering }
    }

    fn tell_audience(&mut self) {
        let news = News::Audience(self.audience());
        for seat in self.seats.values_mut().filter(|seat| !seat.let_go) {
            seat.own.push_back((0, news.clone()));
        }
    }

    fn let_slow_ones_go(&mut self) {
        let slow = |seat: &Seat| seat.own.len() > ANSWERS || seat.live && self.kept.ahead(seat.cursor) > BACKLOG;
        let slow: Vec<ClientId> =
            self.seats.iter().filter(|(_, seat)| !seat.let_go && slow(seat)).map(|(id, _)| *id).collect();
        for id in slow {
            self.let_go(id, TOO_SLOW);
        }
    }

    fn let_go(&mut self, id: ClientId, why: &str) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.let_go = true;
        seat.own = VecDeque::from([(0, News::Refused { why: why.to_owned() })]);
        if self.steering == Some(id) {
            self.steering = None;
        }
        self.tell_audience();
    }
}

impl Seat {
    fn next(&mut self, kept: &Kept) -> Vec<News> {
        let mut news = if self.let_go { Vec::new() } else { kept.next(&mut self.cursor, BATCH) };
        let caught_up = kept.ahead(self.cursor) == 0;
        while let Some((place, _)) = self.own.front() {
            if !self.let_go && *place > kept.place() - kept.ahead(self.cursor) {
                break;
            }
            news.extend(self.own.pop_front().map(|(_, news)| news));
        }
        if caught_up && !self.live && !self.let_go {
            self.live = true;
            news.push(News::Live);
        }
        news
    }
}

/// The name of a command, if it has one.
fn command_id(command: &Command) -> Option<CommandId> {
    match command {
        Command::Set { id, .. }
        | Command::Preview { id, .. }
        | Command::Evaluate { id }
        | Command::Export { id }
        | Command::Snapshot { id }
        | Command::Rewind { id, .. }
        | Command::SwitchBranch { id, .. }
        | Command::Pin { id, .. }
        | Command::Undo { id }
        | Command::Predict { id, .. }
        | Command::Clone { id, .. } => Some(*id),
        Command::Lane { asked, .. } => command_id(asked),
        Command::Pause
        | Command::Resume
        | Command::Stop
        | Command::Abort
        | Command::Terminate
        | Command::BreakOff { .. } => None,
    }
}

#[cfg(test)]
mod tests;
