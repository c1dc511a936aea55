//! Distributes the engine's events.

use std::collections::HashSet;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::door::{Door, serve_client};
use super::room::Room;
use spartui_facts::protocol::{Command, Entry, Event, Intervention, Level, Ready, Step};
use spartui_run::{Journal, Metrics};

/// How long the end of a run waits for clients that have not received everything.
const FAREWELL: Duration = Duration::from_secs(2);

/// A thread that forwards the engine's events to all receivers.
#[derive(Debug)]
pub struct EventHub {
    thread: JoinHandle<()>,
}

impl EventHub {
    /// Forwards `events`: to `here`, in this process, and to each client; `first` is already connected. The
    /// run's socket is opened when the run has a folder.
    #[must_use]
    pub fn start(
        events: Receiver<Event>,
        here: Sender<Event>,
        commands: Sender<Command>,
        first: Option<UnixStream>,
    ) -> Self {
        let room = Arc::new(Room::new(commands));
        if let Some(stream) = first {
            let room = Arc::clone(&room);
            thread::spawn(move || serve_client(&room, stream));
        }
        Self { thread: thread::spawn(move || forward(&events, &here, &room)) }
    }

    /// Waits until all receivers have the last event, or have had time to get it.
    pub fn join(self) {
        // The thread holds nothing that a panic could leave inconsistent.
        let _ = self.thread.join();
    }
}

fn forward(events: &Receiver<Event>, here: &Sender<Event>, room: &Arc<Room>) {
    let mut door = None;
    let mut begun = HashSet::new();
    for event in events {
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
            room.publish(event);
        }
        // The receiver in this process may be gone.
        let _ = here.send(event);
        if let Some(note) = note {
            room.publish(&note);
            let _ = here.send(note);
        }
    }
    room.close(FAREWELL);
    drop(door);
}

/// The events from before this process, read from the runs' folders, that belong before and after this event. `begun`
/// are the lanes in training in this process.
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
                // The lane had ended before the race was resumed: its curves are in its folder.
                Event::Finished(summary) if !begun.contains(lane) => {
                    (course(&summary.folder, |_, _| true).into_iter().map(of_lane).collect(), Vec::new())
                }
                _ => Default::default(),
            }
        }
        _ => Default::default(),
    }
}

/// The earlier events of a resumed run, read from its folder; unreadable ones are left out.
fn earlier(ready: &Ready) -> Vec<Event> {
    if ready.step == 0 {
        return Vec::new();
    }
    // What this process adds to the file meanwhile is sent as it happens.
    course(&ready.folder, |branch, step| branch != ready.branch || step <= ready.step)
}

/// The steps, evaluations and changes in the folder of a run that satisfy `before`; unreadable ones are left out.
fn course(folder: &Path, before: impl Fn(u32, u64) -> bool) -> Vec<Event> {
    let read = Metrics::read(&folder.join("metrics.jsonl")).unwrap_or_default();
    let steps: Vec<Step> = read.steps.into_iter().filter(|step| before(step.branch, step.step)).collect();
    let evaluations = read.evaluations.into_iter().filter(|one| before(one.branch, one.step)).map(Event::Evaluated);
    let mut changes = changes(folder);
    let mut course = Vec::new();
    for step in steps {
        course.push(Event::Step(step));
        // The branch of a change is known after the first step that it affected.
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
