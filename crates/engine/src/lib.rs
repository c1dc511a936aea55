//! The training thread: commands in, events out.

pub mod allocator;
mod checkpoints;
mod faults;
mod loading;
mod memory;
mod obey;
mod outbox;
mod playground;
mod race;
mod record;
mod result;
pub mod socket;
mod start;
mod training;
mod travel;
mod vitals;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

pub use memory::{Probe, high_water_mark, machine_memory, resident_size};

use outbox::Outbox;
use socket::EventHub;
use spartui_facts::protocol::{Command, Event};
use spartui_facts::recipe::{Recipe, Value};
use spartui_model::guarded;
use spartui_run::{RunFolder, read_race};
use training::Training;

/// The capacity of the event channel; the engine queues further events itself.
const CHANNEL: usize = 1024;

/// What to train, and where the run folder goes.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The recipe.
    pub recipe: Recipe,
    /// Folder of all runs.
    pub runs: PathBuf,
    /// Name of the run, if the user gave one.
    pub name: Option<String>,
    /// Whether the run replaces an existing one with this name.
    pub overwrite: bool,
    /// The first entries of the run's log: automatic choices made before the launch, a sentence each.
    pub remarks: Vec<String>,
}

/// Which run to resume, and how.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// Folder of all runs.
    pub runs: PathBuf,
    /// The run: its name or its folder.
    pub run: PathBuf,
    /// Fields changed on resuming, as `field=value`: live fields, and those that ask for more steps.
    pub set: Vec<String>,
    /// Parts that may differ from the original run: `recipe`, `weights`, `tokenizer`, `data`.
    pub allow_changed: Vec<String>,
}

impl Resume {
    /// Whether it is a race.
    #[must_use]
    pub fn is_of_race(&self) -> bool {
        let folder = RunFolder::find(&self.runs, &self.run);
        folder.is_ok_and(|folder| read_race(folder.path()).is_ok_and(|race| race.is_some()))
    }
}

/// Which run to replay from its recipe and its journal.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// Folder of all runs.
    pub runs: PathBuf,
    /// The run: its name or its folder.
    pub run: PathBuf,
    /// Name of the new run, if the user gave one.
    pub name: Option<String>,
    /// As in [`Resume`].
    pub allow_changed: Vec<String>,
}

/// What a race consists of. Lanes are runs of their own, in folders inside the race's.
#[derive(Debug, Clone)]
pub struct Race {
    /// The common recipe of all lanes, and where the race's folder goes.
    pub launch: Launch,
    /// The lanes, each with the fields that differ.
    pub lanes: Vec<Vec<(String, Value)>>,
    /// The interval of successive halving in steps; none for no halving.
    pub halve_every: Option<u64>,
}

/// The task of the training thread.
#[derive(Debug, Clone)]
pub enum Mission {
    /// A new run.
    Train(Box<Launch>),
    /// Resumes an earlier run.
    Resume(Resume),
    /// Replays an earlier run.
    Replay(Replay),
    /// Several runs on one copy of the model.
    Race(Box<Race>),
}

impl Mission {
    /// Whether it trains several runs at once.
    #[must_use]
    pub fn is_race(&self) -> bool {
        match self {
            Self::Race(_) => true,
            Self::Resume(resume) => resume.is_of_race(),
            Self::Train(_) | Self::Replay(_) => false,
        }
    }
}

impl From<Launch> for Mission {
    fn from(launch: Launch) -> Self {
        Self::Train(Box::new(launch))
    }
}

impl From<Resume> for Mission {
    fn from(resume: Resume) -> Self {
        Self::Resume(resume)
    }
}

impl From<Replay> for Mission {
    fn from(replay: Replay) -> Self {
        Self::Replay(replay)
    }
}

impl From<Race> for Mission {
    fn from(race: Race) -> Self {
        Self::Race(Box::new(race))
    }
}

/// A training thread.
#[derive(Debug)]
pub struct Engine {
    /// Its commands.
    pub commands: Sender<Command>,
    /// Its events. The last one is [`Event::Finished`] or [`Event::Fault`].
    pub events: Receiver<Event>,
    thread: JoinHandle<()>,
    hub: EventHub,
}

impl Engine {
    /// Starts loading and then training, without a user: anything that would need one ends the run. Every failure,
    /// including a panic, is an [`Event::Fault`]. As soon as the run has a folder, interfaces can connect to it.
    #[must_use]
    pub fn start(mission: impl Into<Mission>) -> Self {
        Self::launch(mission.into(), false)
    }

    /// As [`Engine::start`], with a user who watches.
    #[must_use]
    pub fn start_attended(mission: impl Into<Mission>) -> Self {
        Self::launch(mission.into(), true)
    }

    /// As [`Engine::start_attended`], with the user's interface at the other end of this stream.
    #[must_use]
    pub fn start_for(mission: impl Into<Mission>, interface: UnixStream) -> Self {
        Self::connected(mission.into(), true, Some(interface))
    }

    fn launch(mission: Mission, attended: bool) -> Self {
        Self::connected(mission, attended, None)
    }

    fn connected(mission: Mission, attended: bool, interface: Option<UnixStream>) -> Self {
        let (commands, asked) = unbounded();
        let (told, heard) = bounded(CHANNEL);
        let (here, events) = unbounded();
        let hub = EventHub::start(heard, here, commands.clone(), interface);
        let thread = std::thread::spawn(move || {
            let mut outbox = Outbox::new(told);
            let ended = guarded(|| match mission {
                Mission::Race(race) => race::run(*race, attended, asked, &mut outbox),
                Mission::Resume(resume) if resume.is_of_race() => race::go_on(&resume, attended, asked, &mut outbox),
                mission => Training::prepare(mission, attended, asked, &mut outbox)?.run(&mut outbox),
            });
            outbox.send(match ended {
                Ok(summary) => Event::Finished(Box::new(summary)),
                Err(error) => Event::Fault {
                    refused: matches!(error, spartui_facts::error::Error::Refused(_)),
                    message: error.message().to_owned(),
                },
            });
            outbox.flush();
        });
        Self { commands, events, thread, hub }
    }

    /// Waits for the end of the thread, and for the connected interfaces to receive it.
    pub fn join(self) {
        drop(self.events);
        // A panic was caught inside the thread.
        let _ = self.thread.join();
        self.hub.join();
    }
}

#[cfg(test)]
mod tests;
