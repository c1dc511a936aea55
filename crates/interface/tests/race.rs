//! The screen of a race as the user sees it: real keys and a pretended engine in, the screen's text out; and whatever comes in,
//! it goes on.

#[path = "support/synthetic.rs"]
mod synthetic;

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use spartui_facts::protocol::{
    Command, CommandStatus, Ending, Evaluation, Event, Lane, Origin, Race, Ready, ServerMessage, Step,
};
use spartui_facts::recipe::Value;
use spartui_interface::theme::{Depth, Themes};
use spartui_interface::{Effect, Input, Look, Outcome, RaceScreen, Screen};

use synthetic::{evaluation, memory, ready, settings, sparsity, step, summary};

/// In front of a race.
struct Desk {
    screen: RaceScreen,
    size: (u16, u16),
    effects: Vec<Effect>,
}

fn race(lanes: usize) -> Race {
    let rates = [1e-4, 3e-4, 1e-3, 3e-3];
    let lane = |number: usize| Lane {
        name: format!("lane-{}", number + 1),
        folder: PathBuf::from(format!("runs/support-race/lanes/lane-{}", number + 1)),
        varied: vec![
            ("optimizer.learning_rate".into(), Value::Float(rates[number % 4])),
            ("method.sparsity".into(), Value::Float(if number < 4 { 0.99 } else { 0.999 })),
        ],
        origin: None,
        out: false,
    };
    Race {
        name: "support-race".into(),
        folder: "runs/support-race".into(),
        lanes: (0..lanes).map(lane).collect(),
        halve_every: Some(100),
    }
}

impl Desk {
    fn new(size: (u16, u16), theme: &str) -> Self {
        let screen = RaceScreen::new(Look::new(Themes::load(None, Depth::True), Some(theme)));
        let mut desk = Self { screen, size, effects: Vec::new() };
        desk.input(Input::Resize(size.0, size.1));
        desk
    }

    fn racing(size: (u16, u16), theme: &str, lanes: u32, steps: u64) -> Self {
        let mut desk = Self::new(size, theme);
        desk.tell(Event::Loading { what: "reading the model".into(), fraction: None });
        desk.tell(Event::Race(Box::new(race(lanes as usize))));
        for lane in 0..lanes {
            desk.begin(lane);
        }
        desk.train(lanes, steps);
        desk
    }

    fn begin(&mut self, lane: u32) {
        self.tell_lane(lane, Event::Ready(Box::new(Ready { run: format!("lane-{}", lane + 1), ..ready() })));
        for (field, value) in settings() {
            self.tell_lane(lane, Event::Setting { field: field.into(), value });
        }
        self.tell_lane(lane, Event::Sparsity(sparsity(0, if lane < 4 { 0.99 } else { 0.999 })));
        self.tell_lane(lane, Event::Memory(memory(0)));
    }

    fn train(&mut self, lanes: u32, steps: u64) {
        for number in 1..=steps {
            self.input(Input::Tick(Duration::from_millis(400 * number)));
            for lane in 0..lanes {
                let worse = 1.0 + 0.06 * f64::from((lane * 5) % 8);
                self.tell_lane(lane, Event::Step(Step { loss: step(number).loss * worse, ..step(number) }));
                if number % 50 == 0 {
                    let accuracy = 0.4 + f64::from(u32::try_from(number).unwrap_or(0)) * 0.002 / worse
                        - 0.01 * f64::from((lane * 5) % 8);
                    self.tell_lane(lane, Event::Evaluated(Evaluation { accuracy, ..evaluation(number) }));
                }
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.input(Input::Engine(Box::new(event)));
    }

    fn tell_lane(&mut self, lane: u32, told: Event) {
        self.tell(Event::Lane { lane, told: Box::new(told) });
    }

    fn input(&mut self, input: Input) {
        self.effects.extend(self.screen.update(input));
    }

    fn key(&mut self, code: KeyCode) {
        self.input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    fn type_in(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    fn sent(&mut self) -> Vec<Command> {
        let sent = std::mem::take(&mut self.effects).into_iter();
        sent.filter_map(|effect| if let Effect::Send(command) = effect { Some(command) } else { None }).collect()
    }

    fn text(&self) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.screen.draw_into(&mut buffer);
        let lines = buffer.content().chunks(usize::from(self.size.0)).map(|row| {
            let line: String = row.iter().map(Cell::symbol).collect();
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
const THEMES: [&str; 3] = ["dark", "light", "colour-blind"];

/// The same at every size. Themes change no text, so that one snapshot serves all three.
fn everywhere(name: &str, show: impl Fn(&mut Desk)) {
    for size in SIZES {
        let texts = THEMES.map(|theme| {
            let mut desk = Desk::racing(size, theme, 8, 120);
            show(&mut desk);
            desk.text()
        });
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), texts[0]);
        assert!(texts.iter().all(|text| *text == texts[0]), "{name}: a theme changes what is written");
    }
}

#[test]
fn lanes_in_the_order_in_which_they_stand() {
    everywhere("lanes", |desk| desk.key(KeyCode::Down));
}

#[test]
fn some_lanes_have_ended_and_one_is_hidden() {
    everywhere("ended", |desk| {
        desk.tell(Event::Halved { step: 100, kept: vec![0, 5, 2, 7], stopped: vec![4, 1, 6, 3] });
        for lane in [4, 1, 6, 3] {
            desk.tell_lane(lane, Event::Finished(Box::new(summary(Ending::Stopped))));
        }
        desk.tell_lane(7, Event::Fault { message: "the loss is NaN".into(), refused: false });
        desk.type_in("vo");
    });
}

#[test]
fn the_cockpit_of_a_lane_and_the_way_back() {
    everywhere("cockpit", |desk| {
        desk.key(KeyCode::Enter);
        desk.type_in("]");
    });
}

#[test]
fn dialogs() {
    everywhere("clone", |desk| desk.type_in("clearning_rate=3e-3"));
    everywhere("stop", |desk| desk.type_in("s"));
    everywhere("quit", |desk| desk.type_in("q"));
    everywhere("help", |desk| desk.type_in("?"));
}

#[test]
fn loading_and_the_end() {
    for size in SIZES {
        let mut desk = Desk::new(size, "dark");
        desk.tell(Event::Loading { what: "reading the model".into(), fraction: Some(0.4) });
        insta::assert_snapshot!(format!("loading_{}x{}", size.0, size.1), desk.text());
    }
    everywhere("end", |desk| desk.tell(Event::Finished(Box::new(summary(Ending::Completed)))));
}

#[test]
fn what_is_done_in_a_lanes_cockpit_is_asked_of_that_lane() {
    let mut desk = Desk::racing((100, 30), "dark", 3, 40);
    desk.sent();
    let second = desk.screen.ranking()[1];
    desk.key(KeyCode::Down);
    desk.key(KeyCode::Enter);
    desk.type_in("]");
    desk.key(KeyCode::Enter);
    let set = desk.sent().into_iter().find_map(|command| match command {
        Command::Lane { lane, asked } => match *asked {
            Command::Set { field, id, .. } => Some((lane, field, id)),
            _ => None,
        },
        _ => None,
    });
    let (lane, field, id) = set.expect("a value was set");
    assert_eq!((lane as usize, field.as_str()), (second, "method.sparsity"));
    // The same in another lane has another name, since the answers come over the same line.
    desk.key(KeyCode::Esc);
    desk.key(KeyCode::Up);
    desk.key(KeyCode::Enter);
    desk.type_in("]");
    desk.key(KeyCode::Enter);
    let other = desk.sent().into_iter().find_map(|command| match command {
        Command::Lane { asked, .. } => match *asked {
            Command::Set { id, .. } => Some(id),
            _ => None,
        },
        _ => None,
    });
    assert!(other.is_some_and(|other| other != id));
    // q leads back to the race and does not end anything; there it asks.
    desk.type_in("q");
    assert!(desk.text().contains("standing"));
    desk.type_in("q");
    assert!(desk.text().contains("leave the race"));
    desk.key(KeyCode::Esc);
    assert_eq!(desk.sent(), []);
}

#[test]
fn the_race_is_paused_cloned_won_and_left() {
    let mut desk = Desk::racing((100, 30), "dark", 3, 60);
    let best = u32::try_from(desk.screen.ranking()[0]).unwrap();
    while desk.screen.ranking()[0] != best as usize {
        desk.key(KeyCode::Up);
    }
    for _ in 0..3 {
        desk.key(KeyCode::Up);
    }
    desk.sent();
    desk.type_in(" ");
    assert_eq!(desk.sent(), [Command::Pause]);
    (0..3).for_each(|lane| desk.tell_lane(lane, Event::Paused { step: 60 }));
    desk.type_in(" ");
    assert_eq!(desk.sent(), [Command::Resume]);
    // A field that no clone can have is refused and can be fixed.
    desk.type_in("crank=4");
    desk.key(KeyCode::Enter);
    assert_eq!(desk.sent(), []);
    (0..6).for_each(|_| desk.key(KeyCode::Backspace));
    desk.type_in("learning_rate=0.5");
    desk.key(KeyCode::Enter);
    let sent = desk.sent();
    let [Command::Clone { id, lane, set }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((*lane, set.as_slice()), (best, [("optimizer.learning_rate".to_owned(), Value::Float(0.5))].as_slice()));
    let mut longer = race(4);
    longer.lanes[3].origin = Some(Origin { lane: best, step: 60 });
    desk.tell(Event::Race(Box::new(longer)));
    desk.tell(Event::CommandStatus { id: *id, status: CommandStatus::Applied { step: 60 } });
    assert!(desk.text().contains("lane 4 begins at step 60"), "{}", desk.text());
    desk.type_in("w");
    desk.key(KeyCode::Enter);
    let stopped: Vec<u32> = desk
        .sent()
        .into_iter()
        .map(|command| match command {
            Command::Lane { lane, asked } if *asked == Command::Stop => lane,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(stopped, [0, 1, 2]);
    desk.type_in("d");
    assert_eq!(desk.effects.pop(), Some(Effect::Quit(Outcome::Left)));
}

#[test]
fn what_ends_the_whole_race_is_asked_about_in_the_palette_too() {
    for name in ["abort-now", "stop-now"] {
        let mut desk = Desk::racing((100, 30), "dark", 3, 40);
        desk.sent();
        desk.type_in(":");
        desk.type_in(name);
        desk.key(KeyCode::Enter);
        assert_eq!(desk.sent(), [], "{name} is a question first");
        assert!(desk.text().contains("leave the race") || desk.text().contains("stop a lane"), "{}", desk.text());
        desk.key(KeyCode::Esc);
        assert_eq!(desk.sent(), []);
    }
    let mut desk = Desk::racing((100, 30), "dark", 3, 40);
    desk.sent();
    desk.type_in("qa");
    assert_eq!(desk.sent(), [Command::Abort]);
    assert_eq!(desk.screen.asked_to_end(), Some(&Command::Abort), "who leaves now is told that it does not go on");
}

#[test]
fn the_wheel_moves_what_lies_on_top() {
    let wheel = |desk: &mut Desk, kind| {
        desk.input(Input::Mouse(MouseEvent { kind, column: 10, row: 10, modifiers: KeyModifiers::NONE }));
    };
    for over in ["?", ":", "q", "s", "c"] {
        let mut desk = Desk::racing((100, 30), "dark", 8, 40);
        let lanes = desk.text();
        desk.type_in(over);
        wheel(&mut desk, MouseEventKind::ScrollDown);
        desk.key(KeyCode::Esc);
        assert_eq!(desk.text(), lanes, "the lanes behind {over} have moved");
        wheel(&mut desk, MouseEventKind::ScrollDown);
        assert_ne!(desk.text(), lanes, "nothing lies over them");
    }
    let mut desk = Desk::racing((100, 30), "dark", 8, 40);
    desk.type_in("?");
    let help = desk.text();
    wheel(&mut desk, MouseEventKind::ScrollDown);
    assert_ne!(desk.text(), help, "the help scrolls");
}

#[test]
fn a_lane_that_is_open_has_the_colours_of_its_cockpit() {
    let mut desk = Desk::racing((100, 30), "dark", 3, 40);
    desk.key(KeyCode::Enter);
    let (mut race, mut alone) = (Buffer::empty(Rect::new(0, 0, 100, 30)), Buffer::empty(Rect::new(0, 0, 100, 30)));
    desk.screen.draw_into(&mut race);
    let open = desk.screen.ranking()[0];
    desk.screen.lanes[open].state.draw_into(&mut alone);
    // The last row says how to come back to the race.
    let above = |buffer: &Buffer| buffer.content()[..100 * 29].to_vec();
    assert!(above(&alone).iter().any(|cell| cell.fg != alone[(0, 0)].fg), "a cockpit has colours");
    assert!(above(&race) == above(&alone), "the cockpit of a lane does not look as it does by itself");
}

#[test]
fn a_race_whose_process_is_gone_does_not_go_on() {
    let mut desk = Desk::racing((100, 30), "dark", 3, 40);
    let why = "the process that trains was killed".to_owned();
    desk.input(Input::ServerMessage(Box::new(ServerMessage::Lost { why, alive: false })));
    let text = desk.text();
    assert!(
        text.contains("was killed; `spartui resume support-race` resumes") && text.contains("none trains"),
        "{text}"
    );
    desk.type_in("q");
    let Some(Effect::Quit(Outcome::Faulted { message, refused: false })) = desk.effects.pop() else { panic!("no end") };
    assert!(message.contains("was killed"), "{message}");
    // Where it is the connection alone that broke, the race can be come back to.
    let mut desk = Desk::racing((100, 30), "dark", 3, 40);
    desk.input(Input::ServerMessage(Box::new(ServerMessage::Lost { why: "the connection broke".into(), alive: true })));
    desk.type_in("r");
    assert_eq!(desk.effects.pop(), Some(Effect::Quit(Outcome::Reconnect)));
}

#[test]
fn ctrl_c_asks_stops_and_aborts() {
    let mut desk = Desk::racing((100, 30), "dark", 3, 40);
    desk.sent();
    let interrupt = |desk: &mut Desk| {
        desk.input(Input::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        desk.sent()
    };
    assert_eq!(interrupt(&mut desk), []);
    assert!(desk.text().contains("leave the race"));
    assert_eq!(interrupt(&mut desk), [Command::Stop]);
    assert_eq!(interrupt(&mut desk), [Command::Abort]);
    assert_eq!(interrupt(&mut desk), []);
    desk.input(Input::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(
        matches!(desk.effects.pop(), Some(Effect::Quit(Outcome::Faulted { .. }))),
        "an engine that does not answer"
    );
}

fn told() -> impl Strategy<Value = Event> {
    let number = prop_oneof![6 => -10.0..10.0f64, 1 => prop::num::f64::ANY];
    let lane = 0u32..6;
    let inner = prop_oneof![
        Just(Event::Ready(Box::new(ready()))),
        (0u64..300, number.clone()).prop_map(|(at, loss)| Event::Step(Step { loss, ..step(at) })),
        (0u64..300, number.clone())
            .prop_map(|(at, accuracy)| Event::Evaluated(Evaluation { accuracy, ..evaluation(at) })),
        Just(Event::Paused { step: 3 }),
        Just(Event::Resumed { step: 3, stood: 0.0 }),
        Just(Event::Sparsity(sparsity(9, 0.99))),
        Just(Event::Finished(Box::new(summary(Ending::Stopped)))),
        Just(Event::Fault { message: "\x1b[2J".into(), refused: true }),
        (0u64..40_000).prop_map(|id| Event::CommandStatus { id, status: CommandStatus::Applied { step: 4 } }),
    ];
    prop_oneof![
        12 => (lane, inner).prop_map(|(lane, told)| Event::Lane { lane, told: Box::new(told) }),
        2 => (0usize..6).prop_map(|lanes| Event::Race(Box::new(race(lanes)))),
        1 => Just(Event::Halved { step: 9, kept: vec![1, 99], stopped: Vec::new() }),
        1 => Just(Event::Loading { what: "漢字\x1b".into(), fraction: Some(f32::NAN) }),
        1 => Just(Event::Finished(Box::new(summary(Ending::Completed)))),
        1 => (0u64..20).prop_map(|id| Event::CommandStatus { id, status: CommandStatus::Rejected { why: "no".into() } }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let key = prop::sample::select("q swcovedWfyzZhljk,.t?:T123=-[]".chars().collect::<Vec<_>>())
        .prop_map(|c| Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
    let named = prop::sample::select(vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Backspace,
        KeyCode::PageDown,
        KeyCode::Tab,
    ])
    .prop_map(|code| Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    prop_oneof![
        8 => told().prop_map(|event| Input::Engine(Box::new(event))),
        5 => key,
        3 => named,
        1 => (0u64..90).prop_map(|seconds| Input::Tick(Duration::from_secs(seconds))),
        1 => (0u16..220, 0u16..70).prop_map(|(columns, rows)| Input::Resize(columns, rows)),
        1 => Just(Input::Paste("a\u{202e}b\n".into())),
        1 => Just(Input::EngineGone),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_in_it_goes_on(
        inputs in prop::collection::vec(input(), 1..80), size in (0u16..210, 0u16..70), theme in 0usize..3,
    ) {
        let mut desk = Desk::new(size, THEMES[theme]);
        for input in inputs {
            if let Input::Resize(columns, rows) = input {
                desk.size = (columns, rows);
            }
            desk.input(input);
            let mut buffer = Buffer::empty(Rect::new(0, 0, desk.size.0, desk.size.1));
            desk.screen.draw_into(&mut buffer);
            let bad = |cell: &&Cell| cell.symbol().chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
            prop_assert!(buffer.content().iter().find(bad).is_none());
        }
    }
}
