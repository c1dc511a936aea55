//! Loading, which hears the commands that end the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, after, never, select, unbounded};

use super::Outbox;
use crate::error::{Error, Result};
use crate::model::guarded;
use crate::protocol::{Command, Event};
use crate::recipe::Recipe;
use crate::train::Loaded;

/// How long a loader that was told to end may take to do so; after that, the end of the process ends it.
const GRACE: Duration = Duration::from_secs(2);

enum Told {
    Progress(String, Option<f32>),
    Done(Box<Result<Loaded>>),
}

/// Reads all that a recipe asks for on another thread. The commands that came meanwhile are given back, but for those that end the run, at
/// which it ends at once, however long a file takes to read.
///
/// # Errors
/// What is refused; and where the run was ended.
pub fn load(recipe: Recipe, commands: &Receiver<Command>, outbox: &mut Outbox) -> Result<(Loaded, Vec<Command>)> {
    let (tell, told) = unbounded();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    std::thread::spawn(move || {
        let mut progress = |what: &str, fraction| {
            if stopped.load(Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("ended while loading"));
            }
            // Nobody listens where the run was ended.
            let _ = tell.send(Told::Progress(what.to_owned(), fraction));
        };
        let loaded = guarded(|| Loaded::read(recipe, &mut progress));
        let _ = tell.send(Told::Done(Box::new(loaded)));
    });
    let (mut later, mut commands) = (Vec::new(), commands.clone());
    loop {
        select! {
            recv(told) -> told => match told {
                Ok(Told::Progress(what, fraction)) => outbox.send(Event::Loading { what, fraction }),
                Ok(Told::Done(loaded)) => return Ok(((*loaded)?, later)),
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
            recv(told) -> told => if !matches!(told, Ok(Told::Progress(..))) { break },
            recv(enough) -> _ => break,
        }
    }
    Err(ended())
}

/// That the run was told to end before its first step.
pub fn ended() -> Error {
    Error::failed("ended while loading, before the first step; nothing was written")
}
