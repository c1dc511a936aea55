//! The connected clients: what each has received, and which one steers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::kept::{Cursor, EventLog};
use spartui_facts::protocol::{
    Audience, Client, ClientId, Command, CommandId, CommandStatus, Event, Level, Purpose, ServerMessage, Standing,
};

/// Entries of the course sent to a client at once.
const BATCH: usize = 1024;
/// How many entries of the course, mostly steps, a client may fall behind once it has caught up.
const BACKLOG: usize = 50_000;
/// The most unread answers of a client.
const ANSWERS: usize = 1000;

const WATCHES: &str = "this interface only watches the run; it has to take control first";
const TOO_SLOW: &str = "this interface was too slow and was disconnected; attach again";

/// Shared by the hub and the threads of all clients.
pub struct Room {
    began: Instant,
    commands: Sender<Command>,
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Default)]
struct Shared {
    kept: EventLog,
    clients: BTreeMap<ClientId, ClientState>,
    steering: Option<ClientId>,
    /// The client of each unanswered command.
    owners: HashMap<CommandId, ClientId>,
    standing: Standing,
    /// The status of each lane of a race.
    lanes: BTreeMap<u32, LaneStanding>,
    next: ClientId,
    /// The engine has sent its last event.
    over: bool,
}

/// The status of a run or a lane.
#[derive(Default)]
struct LaneStanding {
    step: u64,
    paused: bool,
    ended: bool,
}

#[derive(Default)]
struct ClientState {
    from: String,
    cursor: Cursor,
    /// Messages for this client alone, each with the position in the course before it.
    own: VecDeque<(usize, ServerMessage)>,
    live: bool,
    disconnected: bool,
}

impl Room {
    /// A room without clients; their commands go to the engine.
    pub fn new(commands: Sender<Command>) -> Self {
        Self { began: Instant::now(), commands, shared: Mutex::default(), changed: Condvar::new() }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the engine started.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Publishes an event to its recipients, without waiting for any of them.
    pub fn publish(&self, event: &Event) {
        let seconds = self.seconds();
        let mut shared = self.shared();
        shared.note_standing(event);
        let told = if let Event::Lane { told, .. } = event { told } else { event };
        match told {
            Event::CommandStatus { id, status } => {
                let queued = *status == CommandStatus::Queued;
                shared.answer(*id, event, queued);
            }
            Event::Previewed { id, .. } => shared.answer(*id, event, false),
            Event::Predicted { id, .. } => shared.answer(*id, event, true),
            _ => shared.kept.record(event, seconds),
        }
        shared.disconnect_slow_clients();
        self.changed.notify_all();
    }

    /// A new client identifier, for [`Room::join`].
    pub fn new_client_id(&self) -> ClientId {
        let mut shared = self.shared();
        shared.next += 1;
        shared.next - 1
    }

    /// Adds a client.
    pub fn join(&self, id: ClientId, purpose: Purpose, from: String) {
        let mut shared = self.shared();
        if purpose == Purpose::Steer {
            shared.steering.get_or_insert(id);
        }
        shared.clients.insert(id, ClientState { from, ..ClientState::default() });
        shared.send_audience();
        self.changed.notify_all();
    }

    /// Removes a client. If it was steering, the others decide who does.
    pub fn leave(&self, id: ClientId) {
        let mut shared = self.shared();
        if shared.clients.remove(&id).is_none() {
            return;
        }
        if shared.steering == Some(id) {
            shared.steering = None;
        }
        shared.send_audience();
        self.changed.notify_all();
    }

    /// Forwards a client's command to the engine, or rejects it.
    pub fn ask(&self, id: ClientId, command: Command) {
        let mut shared = self.shared();
        let named = command_id(&command);
        if shared.steering == Some(id) {
            shared.owners.extend(named.map(|named| (named, id)));
            // An engine that has ended needs no command.
            let _ = self.commands.send(command);
            return;
        }
        let refusal = match named {
            Some(named) => Event::CommandStatus { id: named, status: CommandStatus::Rejected { why: WATCHES.into() } },
            None => Event::Note { level: Level::Warning, message: WATCHES.into() },
        };
        shared.send_to(id, ServerMessage::Event(refusal));
        self.changed.notify_all();
    }

    /// Lets a client steer.
    pub fn take_over(&self, id: ClientId) {
        let mut shared = self.shared();
        if shared.clients.contains_key(&id) && shared.steering != Some(id) {
            shared.steering = Some(id);
            shared.send_audience();
            self.changed.notify_all();
        }
    }

    /// Disconnects a client with a reason; nothing else is sent to it.
    pub fn refuse(&self, id: ClientId, why: &str) {
        let mut shared = self.shared();
        shared.disconnect(id, why);
        self.changed.notify_all();
    }

    /// The status of the run.
    pub fn standing(&self) -> Standing {
        let shared = self.shared();
        let audience = shared.audience();
        Standing {
            watching: audience.clients.len(),
            steered_from: audience.steered_from().map(str::to_owned),
            ..shared.standing.clone()
        }
    }

    /// Waits for messages to this client; none when there will be no more.
    pub fn next(&self, id: ClientId) -> Option<Vec<ServerMessage>> {
        let mut shared = self.shared();
        loop {
            let over = shared.over;
            let Shared { kept, clients, .. } = &mut *shared;
            let client = clients.get_mut(&id)?;
            let news = client.next(kept);
            if !news.is_empty() {
                return Some(news);
            }
            if over || client.disconnected {
                return None;
            }
            shared = self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// After the engine's last event: lets clients receive the rest, for at most this long.
    pub fn close(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut shared = self.shared();
        shared.over = true;
        self.changed.notify_all();
        while !shared.clients.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            shared = self.changed.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the engine has sent its last event.
    pub fn is_over(&self) -> bool {
        self.shared().over
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

impl Shared {
    fn note_standing(&mut self, event: &Event) {
        if let Event::Lane { lane, told } = event {
            let standing = self.lanes.entry(*lane).or_default();
            match told.as_ref() {
                Event::Finished(_) | Event::Fault { .. } => standing.ended = true,
                told => standing.note(told),
            }
            // A race is as far as its furthest lane, and paused when none of its lanes trains.
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
            self.send_to(owner, ServerMessage::Event(event.clone()));
        }
    }

    fn send_to(&mut self, id: ClientId, news: ServerMessage) {
        let place = self.kept.place();
        if let Some(client) = self.clients.get_mut(&id).filter(|client| !client.disconnected) {
            client.own.push_back((place, news));
        }
    }

    fn audience(&self) -> Audience {
        let described = |(id, client): (&ClientId, &ClientState)| Client { id: *id, from: client.from.clone() };
        let clients = self.clients.iter().filter(|(_, client)| !client.disconnected).map(described).collect();
        Audience { clients, steering: self.steering }
    }

    fn send_audience(&mut self) {
        let news = ServerMessage::Audience(self.audience());
        for client in self.clients.values_mut().filter(|client| !client.disconnected) {
            client.own.push_back((0, news.clone()));
        }
    }

    fn disconnect_slow_clients(&mut self) {
        let slow = |client: &ClientState| {
            client.own.len() > ANSWERS || client.live && self.kept.ahead(client.cursor) > BACKLOG
        };
        let slow: Vec<ClientId> =
            self.clients.iter().filter(|(_, client)| !client.disconnected && slow(client)).map(|(id, _)| *id).collect();
        for id in slow {
            self.disconnect(id, TOO_SLOW);
        }
    }

    fn disconnect(&mut self, id: ClientId, why: &str) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.disconnected = true;
        client.own = VecDeque::from([(0, ServerMessage::Refused { why: why.to_owned() })]);
        if self.steering == Some(id) {
            self.steering = None;
        }
        self.send_audience();
    }
}

impl ClientState {
    fn next(&mut self, kept: &EventLog) -> Vec<ServerMessage> {
        let mut news = if self.disconnected { Vec::new() } else { kept.next(&mut self.cursor, BATCH) };
        let caught_up = kept.ahead(self.cursor) == 0;
        while let Some((place, _)) = self.own.front() {
            if !self.disconnected && *place > kept.place() - kept.ahead(self.cursor) {
                break;
            }
            news.extend(self.own.pop_front().map(|(_, news)| news));
        }
        if caught_up && !self.live && !self.disconnected {
            self.live = true;
            news.push(ServerMessage::Live);
        }
        news
    }
}

/// The identifier of a command, if it has one.
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
