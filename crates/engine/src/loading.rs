//! Loads a run, and handles commands that end it meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, after, never, select, unbounded};

use super::Outbox;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Command, Event};
use spartui_facts::recipe::Recipe;
use spartui_model::guarded;
use spartui_train::Loaded;

/// The grace period of a cancelled loader; after that, the end of the process ends it.
const GRACE: Duration = Duration::from_secs(2);

enum LoaderMessage {
    Progress(String, Option<f32>),
    Done(Box<Result<Loaded>>),
}

/// Reads everything for a recipe on another thread. Commands received meanwhile are returned, except for those that
/// end the run: these take effect at once, however long a file takes to read.
///
/// # Errors
/// If the input is refused, or the run was ended.
pub fn load(recipe: Recipe, commands: &Receiver<Command>, outbox: &mut Outbox) -> Result<(Loaded, Vec<Command>)> {
    let (sender, receiver) = unbounded();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    std::thread::spawn(move || {
        let mut progress = |what: &str, fraction| {
            if stopped.load(Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("ended while loading"));
            }
            // There is no receiver if the run was ended.
            let _ = sender.send(LoaderMessage::Progress(what.to_owned(), fraction));
        };
        let loaded = guarded(|| Loaded::read(recipe, &mut progress));
        let _ = sender.send(LoaderMessage::Done(Box::new(loaded)));
    });
    let (mut later, mut commands) = (Vec::new(), commands.clone());
    loop {
        select! {
            recv(receiver) -> message => match message {
                Ok(LoaderMessage::Progress(what, fraction)) => outbox.send(Event::Loading { what, fraction }),
                Ok(LoaderMessage::Done(loaded)) => return Ok(((*loaded)?, later)),
                Err(_) => return Err(Error::failed("the loading thread ended without saying why; please report this")),
            },
            recv(commands) -> command => match command {
                Ok(Command::Stop | Command::Abort | Command::Terminate) => break,
                Ok(command) => later.push(command),
                Err(_) => commands = never(),
            },
        }
    }
    stop.store(true, Ordering::Relaxed);
    let enough = after(GRACE);
    loop {
        select! {
            recv(receiver) -> message => if !matches!(message, Ok(LoaderMessage::Progress(..))) { break },
            recv(enough) -> _ => break,
        }
    }
    Err(ended())
}

/// The error that the run was ended before its first step.
pub fn ended() -> Error {
    Error::failed("ended while loading, before the first step; nothing was written")
}
