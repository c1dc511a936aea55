//! Between the training thread and everybody who watches.

use std::collections::HashSet;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::door::{Door, welcome};
use super::room::Room;
use crate::protocol::{Command, Entry, Event, Intervention, Level, Ready, Step};
use crate::run::{Journal, Metrics};

/// How long the end of a run waits for those who have not heard all.
const FAREWELL: Duration = Duration::from_secs(2);

/// A thread that hands the engine's events on to all who listen.
#[derive(Debug)]
pub struct Hub {
    thread: JoinHandle<()>,
}

impl Hub {
    /// Hands on what is `told`: to `here`, in this process, and to each client; `first` is one that is connected
    /// already. The run's socket is opened when the run has a folder.
    #[must_use]
    pub fn start(
        told: Receiver<Event>,
        here: Sender<Event>,
        commands: Sender<Command>,
        first: Option<UnixStream>,
    ) -> Self {
        let room = Arc::new(Room::new(commands));
        if let Some(stream) = first {
            let room = Arc::clone(&room);
            thread::spawn(move || welcome(&room, stream));
        }
        Self { thread: thread::spawn(move || hand_on(&told, &here, &room)) }
    }

    /// Waits until all who listen have heard the last event, or have had time to.
    pub fn join(self) {
        // It holds nothing that a panic could leave half done.
        let _ = self.thread.join();
    }
}

fn hand_on(told: &Receiver<Event>, here: &Sender<Event>, room: &Arc<Room>) {
    let mut door = None;
    let mut begun = HashSet::new();
    for event in told {
        let folder = match &event {
            Event::Ready(ready) => Some(&ready.folder),
            Event::Race(race) if door.is_none() => Some(&race.folder),
            _ => None,
        };
        let note = match folder.map(|folder| Door::open(folder, room)) {
            Some(Ok(opened)) => {
                door = Some(opened);
                None
            }
            Some(Err(error)) => Some(format!("nobody can attach to this run: {error}; training goes on")),
            None => None,
        };
        let note = note.map(|message| Event::Note { level: Level::Warning, message });
        let (before, after) = past(&event, &mut begun);
        for event in before.iter().chain(std::iter::once(&event)).chain(&after) {
            room.tell(event);
        }
        // In this process nobody may be left to hear it.
        let _ = here.send(event);
        if let Some(note) = note {
            room.tell(&note);
            let _ = here.send(note);
        }
    }
    room.close(FAREWELL);
    drop(door);
}

/// What the folders of runs tell of the time before this process, at this event: what belongs before it, and after it. `begun`
/// are the lanes that train or trained in this process.
fn past(event: &Event, begun: &mut HashSet<u32>) -> (Vec<Event>, Vec<Event>) {
    match event {
        Event::Ready(ready) => (Vec::new(), earlier(ready)),
        Event::Lane { lane, told } => {
            let of_lane = |event| Event::Lane { lane: *lane, told: Box::new(event) };
            match told.as_ref() {
                Event::Ready(ready) => {
                    begun.insert(*lane);
                    (Vec::new(), earlier(ready).into_iter().map(of_lane).collect())
                }
                // It had ended before the race went on: its curves are those of its folder.
                Event::Finished(summary) if !begun.contains(lane) => {
                    (course(&summary.folder, |_, _| true).into_iter().map(of_lane).collect(), Vec::new())
                }
                _ => Default::default(),
            }
        }
        _ => Default::default(),
    }
}

/// What a run that was resumed had done before, as its folder tells; what cannot be read is left out.
fn earlier(ready: &Ready) -> Vec<Event> {
    if ready.step == 0 {
        return Vec::new();
    }
    // What this process adds to the file meanwhile is told as it happens.
    course(&ready.folder, |branch, step| branch != ready.branch || step <= ready.step)
}

/// The course that the folder of a run tells of, as far as it lies `before`; what cannot be read is left out.
fn course(folder: &Path, before: impl Fn(u32, u64) -> bool) -> Vec<Event> {
    let read = Metrics::read(&folder.join("metrics.jsonl")).unwrap_or_default();
    let steps: Vec<Step> = read.steps.into_iter().filter(|step| before(step.branch, step.step)).collect();
    let evaluations = read.evaluations.into_iter().filter(|one| before(one.branch, one.step)).map(Event::Evaluated);
    let mut changes = changes(folder);
    let mut course = Vec::new();
    for step in steps {
        course.push(Event::Step(step));
        // After the first step that it acted on, its branch is known.
        let (acted, later) =
            changes.into_iter().partition(|(branch, change)| *branch == step.branch && change.step < step.step);
        changes = later;
        let acted: Vec<(u32, Intervention)> = acted;
        course.extend(acted.into_iter().map(|(_, change)| Event::Intervention(change)));
    }
    course.extend(evaluations);
    course
}

/// The changes by hand in a run's journal, each with its branch.
fn changes(folder: &Path) -> Vec<(u32, Intervention)> {
    let mut branch = 0;
    let mut changes = Vec::new();
    for entry in Journal::read(&folder.join("journal.jsonl")).unwrap_or_default() {
        branch = entry.goes_to().unwrap_or(branch);
        if let Entry::Set(change) = entry {
            changes.push((branch, change));
        }
    }
    changes
}
