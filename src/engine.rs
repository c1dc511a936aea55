//! The training thread: commands in, events out.

mod memory;
mod outbox;
mod record;
mod training;

use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

pub use memory::{Probe, high_water_mark, machine_memory, resident_size};

use crate::model::guarded;
use crate::protocol::{Command, Event};
use crate::recipe::Recipe;
use outbox::Outbox;
use training::Training;

/// Events that wait in the channel before the engine keeps further ones itself.
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
}

/// A training thread.
#[derive(Debug)]
pub struct Engine {
    /// What it is asked to do.
    pub commands: Sender<Command>,
    /// What it tells. The last event is [`Event::Finished`] or [`Event::Fault`].
    pub events: Receiver<Event>,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Starts to load and then to train. Whatever goes wrong is an [`Event::Fault`], a panic too.
    #[must_use]
    pub fn start(launch: Launch) -> Self {
        let (commands, asked) = unbounded();
        let (told, events) = bounded(CHANNEL);
        let thread = std::thread::spawn(move || {
            let mut outbox = Outbox::new(told);
            let ended = guarded(|| Training::prepare(launch, asked, &mut outbox)?.run(&mut outbox));
            outbox.send(match ended {
                Ok(summary) => Event::Finished(Box::new(summary)),
                Err(error) => Event::Fault {
                    refused: matches!(error, crate::error::Error::Refused(_)),
                    message: error.message().to_owned(),
                },
            });
            outbox.flush();
        });
        Self { commands, events, thread }
    }

    /// Waits for the thread's end.
    pub fn join(self) {
        drop(self.events);
        // A panic was caught inside the thread; what is left is not worth a word.
        let _ = self.thread.join();
    }
}
