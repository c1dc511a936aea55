//! The events that a new client needs: all that make up the course of the run, and the latest of each other kind.

use spartui_facts::protocol::{Event, ServerMessage, Step};

/// The least time between two clock entries in the course, in seconds.
const CLOCK: f64 = 0.5;

/// Samples of machine and device for a new client, to show the recent load: as many as an interface keeps.
const SAMPLES: usize = 240;

/// The recorded events. A step takes 96 bytes, so a hundred thousand of them less than ten megabytes.
#[derive(Debug, Default)]
pub struct EventLog {
    course: Vec<Entry>,
    /// Indices into the course, each with the seconds since the engine started.
    clock: Vec<(usize, f64)>,
    latest: Vec<Latest>,
    versions: u64,
}

#[derive(Debug)]
enum Entry {
    Step(Step),
    /// A step of a lane of a race.
    LaneStep(u32, Step),
    Other(Box<Event>),
}

impl Entry {
    fn of(event: &Event) -> Self {
        match event {
            Event::Step(step) => Self::Step(*step),
            Event::Lane { lane, told } => match **told {
                Event::Step(step) => Self::LaneStep(*lane, step),
                _ => Self::Other(Box::new(event.clone())),
            },
            other => Self::Other(Box::new(other.clone())),
        }
    }

    fn event(&self) -> Event {
        match self {
            Self::Step(step) => Event::Step(*step),
            Self::LaneStep(lane, step) => Event::Lane { lane: *lane, told: Box::new(Event::Step(*step)) },
            Self::Other(event) => event.as_ref().clone(),
        }
    }
}

/// The latest event of its kind, or one of the latest few; earlier ones are obsolete.
#[derive(Debug)]
struct Latest {
    kind: Kind,
    event: Event,
    version: u64,
    /// Length of the course at that time.
    place: usize,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Loading(String),
    Example,
    Setting(String),
    Sparsity,
    Evaluating,
    Pause,
    Resume,
    Recomputing,
    Branches,
    Snapshots,
    Vitals,
    Confused,
    Lane(u32, Box<Kind>),
}

/// How an event is recorded.
enum Retention {
    /// Not recorded: it answers a single client.
    Dropped,
    Latest(Kind),
    Course,
}

impl Retention {
    fn of(event: &Event) -> Self {
        Self::Latest(match event {
            Event::CommandStatus { .. } | Event::Previewed { .. } | Event::Predicted { .. } => return Self::Dropped,
            Event::Loading { what, .. } => Kind::Loading(what.clone()),
            Event::Example(_) => Kind::Example,
            Event::Setting { field, .. } => Kind::Setting(field.clone()),
            Event::Sparsity(_) => Kind::Sparsity,
            Event::Evaluating { .. } => Kind::Evaluating,
            // Both are sent, the later one last: a pause does not say how long earlier ones were.
            Event::Paused { .. } => Kind::Pause,
            Event::Resumed { .. } => Kind::Resume,
            Event::Recomputing { .. } => Kind::Recomputing,
            Event::Branches { .. } => Kind::Branches,
            Event::Snapshots { .. } => Kind::Snapshots,
            Event::Vitals(_) => Kind::Vitals,
            Event::Confused(_) => Kind::Confused,
            Event::Lane { lane, told } => match Self::of(told) {
                Self::Latest(kind) => Kind::Lane(*lane, Box::new(kind)),
                other => return other,
            },
            _ => return Self::Course,
        })
    }
}

/// The position of a reader.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor {
    place: usize,
    version: u64,
}

impl EventLog {
    /// Records an event, unless it answers a single client.
    pub fn record(&mut self, event: &Event, seconds: f64) {
        let kind = match Retention::of(event) {
            Retention::Dropped => return,
            Retention::Course => return self.append(event, seconds),
            Retention::Latest(kind) => kind,
        };
        self.versions += 1;
        let (version, place) = (self.versions, self.course.len());
        let most = if kind == Kind::Vitals { SAMPLES } else { 1 };
        let known = self.latest.iter().filter(|latest| latest.kind == kind).count();
        // The oldest of its kind come first.
        let mut surplus = (known + 1).saturating_sub(most);
        self.latest.retain(|latest| {
            let goes = latest.kind == kind && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
        self.latest.push(Latest { kind, event: event.clone(), version, place });
    }

    fn append(&mut self, event: &Event, seconds: f64) {
        // The lists of lanes belong to the course: a lane's events mean nothing to a new client that does not know the
        // lane.
        let (lane, told) = match event {
            Event::Lane { lane, told } => (Some(*lane), told.as_ref()),
            event => (None, event),
        };
        let over = match told {
            Event::Rewound { .. } => Some(Kind::Recomputing),
            Event::Evaluated(_) => Some(Kind::Evaluating),
            _ => None,
        };
        if let Some(over) = over {
            let over = if let Some(lane) = lane { Kind::Lane(lane, Box::new(over)) } else { over };
            self.latest.retain(|latest| latest.kind != over);
        }
        if matches!(event, Event::Ready(_) | Event::Race(_)) {
            self.latest.retain(|latest| !matches!(latest.kind, Kind::Loading(_)));
        }
        if self.clock.last().is_none_or(|(_, last)| seconds - last >= CLOCK) {
            self.clock.push((self.course.len(), seconds));
        }
        self.course.push(Entry::of(event));
    }

    /// Number of entries of the course that a reader has not read.
    pub fn ahead(&self, cursor: Cursor) -> usize {
        self.course.len() - cursor.place
    }

    /// Length of the course.
    pub fn place(&self) -> usize {
        self.course.len()
    }

    /// The next events for a reader in their order, at most this many entries of the course.
    pub fn next(&self, cursor: &mut Cursor, most: usize) -> Vec<ServerMessage> {
        let end = (cursor.place + most).min(self.course.len());
        let unseen = |latest: &&Latest| latest.version > cursor.version && latest.place <= end;
        // New versions are appended, so the list is in the order of versions and of places.
        let mut latest = self.latest.iter().filter(unseen).peekable();
        let clock = self.clock.partition_point(|(place, _)| *place < cursor.place);
        let mut clock = self.clock[clock..].iter().peekable();
        let mut news = Vec::with_capacity(end - cursor.place + 8);
        for place in cursor.place..end {
            while let Some(latest) = latest.next_if(|latest| latest.place <= place) {
                news.push(ServerMessage::Event(latest.event.clone()));
            }
            if let Some((_, seconds)) = clock.next_if(|(at, _)| *at == place) {
                news.push(ServerMessage::Clock { seconds: *seconds });
            }
            news.push(ServerMessage::Event(self.course[place].event()));
        }
        news.extend(latest.map(|latest| ServerMessage::Event(latest.event.clone())));
        let seen = self.latest.iter().filter(|latest| latest.place <= end).map(|latest| latest.version).max();
        // At the end of the course all versions have been read, including those whose events were removed since.
        let seen = if end == self.course.len() { Some(self.versions) } else { seen };
        cursor.version = cursor.version.max(seen.unwrap_or(0));
        cursor.place = end;
        news
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use spartui_facts::protocol::{CommandStatus, Host, Level, Vitals};

    fn step(step: u64) -> Event {
        Event::Step(Step {
            step,
            epoch: 0.0,
            loss: 1.0,
            learning_rate: 1e-3,
            grad_norm: 1.0,
            examples: 1,
            tokens: 1,
            seconds: 0.1,
            trainable: 1,
            sparsity: 0.9,
            branch: 0,
        })
    }

    fn setting(field: &str, value: i64) -> Event {
        Event::Setting { field: field.into(), value: spartui_facts::recipe::Value::Integer(value) }
    }

    fn events(news: Vec<ServerMessage>) -> Vec<Event> {
        news.into_iter()
            .filter_map(|news| if let ServerMessage::Event(event) = news { Some(event) } else { None })
            .collect()
    }

    /// All events for a reader that takes this many entries at a time.
    fn read(kept: &EventLog, cursor: &mut Cursor, most: usize) -> Vec<Event> {
        let mut received = Vec::new();
        loop {
            let news = kept.next(cursor, most);
            if news.is_empty() {
                return received;
            }
            received.extend(events(news));
        }
    }

    #[test]
    fn a_new_client_gets_the_course_and_the_latest_of_the_rest() {
        let mut kept = EventLog::default();
        let note = Event::Note { level: Level::Info, message: "hear".into() };
        let answer = Event::CommandStatus { id: 1, status: CommandStatus::Queued };
        let paused = Event::Paused { step: 2 };
        let resumed = Event::Resumed { step: 2, stood: 0.5 };
        for event in [
            setting("a", 1),
            setting("b", 1),
            step(1),
            setting("a", 2),
            note.clone(),
            answer,
            paused.clone(),
            step(2),
            resumed.clone(),
            Event::Evaluating { done: 1, of: 2 },
        ] {
            kept.record(&event, 0.0);
        }
        let evaluating = Event::Evaluating { done: 1, of: 2 };
        let expected = [setting("b", 1), step(1), setting("a", 2), note, paused, step(2), resumed, evaluating];
        assert_eq!(read(&kept, &mut Cursor::default(), 100), expected);
        assert_eq!(read(&kept, &mut Cursor::default(), 1), expected);
    }

    #[test]
    fn lanes_are_told_apart() {
        let mut kept = EventLog::default();
        let of = |lane, told| Event::Lane { lane, told: Box::new(told) };
        for event in [
            of(0, setting("a", 1)),
            of(1, setting("a", 2)),
            of(0, step(1)),
            of(0, setting("a", 3)),
            of(1, step(1)),
            of(1, Event::CommandStatus { id: 1, status: CommandStatus::Queued }),
        ] {
            kept.record(&event, 0.0);
        }
        let expected = [of(1, setting("a", 2)), of(0, step(1)), of(0, setting("a", 3)), of(1, step(1))];
        assert_eq!(read(&kept, &mut Cursor::default(), 100), expected);
    }

    #[test]
    fn a_new_client_gets_each_lane_before_its_events() {
        let mut kept = EventLog::default();
        let race = |lanes: usize| {
            let lane = |number: usize| spartui_facts::protocol::Lane {
                name: format!("lane-{}", number + 1),
                folder: "runs/r".into(),
                varied: Vec::new(),
                origin: None,
                out: false,
            };
            let lanes = (0..lanes).map(lane).collect();
            Event::Race(Box::new(spartui_facts::protocol::Race {
                name: "r".into(),
                folder: "runs/r".into(),
                lanes,
                halve_every: None,
            }))
        };
        let of = |lane, told| Event::Lane { lane, told: Box::new(told) };
        let course = [race(2), of(0, step(1)), of(1, step(1)), race(3), of(2, step(1)), of(0, step(2))];
        for event in &course {
            kept.record(event, 0.0);
        }
        for most in [1, 3, 100] {
            assert_eq!(read(&kept, &mut Cursor::default(), most), course);
        }
    }

    #[test]
    fn obsolete_events_of_a_lane_are_not_sent() {
        let mut kept = EventLog::default();
        let of = |lane, told| Event::Lane { lane, told: Box::new(told) };
        let recomputing = |lane| of(lane, Event::Recomputing { done: 1, of: 2 });
        let rewound = of(0, Event::Rewound { step: 2, branch: 1, left: (0, 3) });
        for event in [recomputing(0), recomputing(1), rewound.clone()] {
            kept.record(&event, 0.0);
        }
        assert_eq!(read(&kept, &mut Cursor::default(), 100), [recomputing(1), rewound]);
    }

    #[test]
    fn a_new_client_gets_the_recent_load() {
        let sample = |number: u16| {
            let host = Host { cpu: Some(f64::from(number)), ..Host::default() };
            Event::Vitals(Box::new(Vitals { host, gpu: None }))
        };
        let mut kept = EventLog::default();
        for number in 0..300 {
            kept.record(&sample(number), 0.0);
            kept.record(&setting("a", i64::from(number)), 0.0);
        }
        let received = read(&kept, &mut Cursor::default(), 100);
        let samples: Vec<Event> = received.iter().filter(|event| matches!(event, Event::Vitals(_))).cloned().collect();
        assert_eq!(samples, (60..300).map(sample).collect::<Vec<_>>());
        assert_eq!(received.len(), 241, "one setting, which only its last value says anything of");
    }

    #[test]
    fn clock_entries_are_spaced() {
        let mut kept = EventLog::default();
        (0..10u8).for_each(|number| kept.record(&step(u64::from(number) + 1), f64::from(number) / 4.0));
        let told = kept.next(&mut Cursor::default(), 100);
        let clocks: Vec<f64> = told
            .iter()
            .filter_map(|news| if let ServerMessage::Clock { seconds } = news { Some(*seconds) } else { None })
            .collect();
        assert_eq!(clocks, [0.0, 0.5, 1.0, 1.5, 2.0]);
    }

    proptest! {
        /// Whenever a reader starts and however it reads, it gets each step once and in order, and ends with the
        /// latest settings.
        #[test]
        fn every_step_is_received_once(script in prop::collection::vec((0u8..4, 1usize..5), 1..80)) {
            let mut kept = EventLog::default();
            let (mut steps, mut value) = (0, 0);
            let mut readers = vec![(Cursor::default(), Vec::new())];
            for (what, most) in script {
                match what {
                    0 | 1 => { steps += 1; kept.record(&step(steps), 0.0) }
                    2 => { value += 1; kept.record(&setting(["a", "b"][most % 2], value), 0.0) }
                    _ => readers.push((Cursor::default(), Vec::new())),
                }
                for (cursor, received) in readers.iter_mut().step_by(most) {
                    received.extend(events(kept.next(cursor, most)));
                }
            }
            for (mut cursor, mut received) in readers {
                received.extend(read(&kept, &mut cursor, 3));
                let numbers: Vec<u64> = received.iter().filter_map(|event| if let Event::Step(step) = event { Some(step.step) } else { None }).collect();
                prop_assert!(numbers.iter().copied().eq(1..=steps));
                let last = |list: &[Event], name: &str| list.iter().rev().find(|event| matches!(event, Event::Setting { field, .. } if field == name)).cloned();
                let all = read(&kept, &mut Cursor::default(), 100);
                for name in ["a", "b"] {
                    prop_assert_eq!(last(&received, name), last(&all, name));
                }
            }
        }
    }
}
