//! The playground, device, map, memory over time, alerts and the comparison of states, as the user sees them: real keys and a
//! pretended engine in, the screen out. Each at three sizes, in three themes.

#[path = "support/seen.rs"]
mod seen;
#[path = "support/synthetic.rs"]
mod synthetic;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use spartui_facts::protocol::{
    About, Answer, Command, CommandStatus, Confusion, Event, Memory, Question, Ready, Side, Step,
};
use spartui_interface::Input;
use spartui_interface::keys::Panel;

use synthetic::{Desk, kept, memory, ready, sparsity, step, vitals};

/// The same at each size in each theme.
fn everywhere(name: &str, show: impl Fn(&mut Desk)) {
    let seen = seen::everywhere(|size, theme| {
        let mut desk = Desk::training(size, theme, 210);
        show(&mut desk);
        desk.frame()
    });
    insta::assert_snapshot!(name, seen);
}

/// Names of a support desk's labels.
fn labels() -> Vec<String> {
    let names = ["billing", "delivery", "refund", "login", "cancel an order", "other\x1b[2J"];
    names.map(str::to_owned).to_vec()
}

fn asked(desk: &mut Desk) -> (u64, Question) {
    match desk.sent().pop() {
        Some(Command::Predict { id, question }) => (id, question),
        other => panic!("nothing was asked but {other:?}"),
    }
}

fn begun(at: (u32, u64)) -> Answer {
    Answer::Begun { at, text: None, expected: None, tokens: 9, cut: false, no_base: None }
}

fn tell(desk: &mut Desk, id: u64, answers: impl IntoIterator<Item = Answer>) {
    for answer in answers {
        desk.tell(Event::Predicted { id, answer });
    }
}

fn done(desk: &mut Desk, id: u64) {
    let step = desk.state.step();
    desk.tell(Event::CommandStatus { id, status: CommandStatus::Applied { step } });
}

fn classes(desk: &mut Desk, id: u64, begun: Answer) {
    let [base, adapted] = [[0.18, 0.16, 0.17, 0.15, 0.19, 0.15], [0.03, 0.81, 0.06, 0.02, 0.05, 0.03]];
    let of = |side, probabilities: [f32; 6]| Answer::Classes { side, probabilities: probabilities.to_vec() };
    tell(desk, id, [begun, of(Side::Base, base), of(Side::Adapted, adapted)]);
    done(desk, id);
}

fn classifier(desk: &mut Desk) {
    desk.tell(Event::Ready(Box::new(Ready { labels: labels(), ..ready() })));
    desk.tell(Event::Step(step(210)));
    desk.tell(Event::Snapshots { snapshots: kept(0, 200) });
}

fn writer(desk: &mut Desk) {
    desk.tell(Event::Ready(Box::new(Ready { labels: Vec::new(), chat: true, ..ready() })));
    desk.tell(Event::Step(step(210)));
    desk.tell(Event::Snapshots { snapshots: kept(0, 200) });
}

#[test]
fn the_playground_of_a_classifier() {
    everywhere("playground_labels", |desk| {
        classifier(desk);
        desk.press("p Where Space is Space my Space parcel? Enter");
        let (id, question) = asked(desk);
        let text = "Where is my parcel?".to_owned();
        assert_eq!(question.about, About::Text { text });
        assert_eq!(question.at, None);
        classes(desk, id, begun((0, 210)));
    });
}

#[test]
fn a_row_of_the_data_and_a_kept_state() {
    everywhere("playground_row", |desk| {
        classifier(desk);
        desk.press("p Tab Right");
        assert!(desk.sent().is_empty(), "nothing was asked yet, so there is nothing to ask again");
        desk.press("v");
        let (id, question) = asked(desk);
        assert_eq!((question.about, question.at), (About::Row { row: 0 }, Some((0, 200))));
        let begun = Answer::Begun {
            at: (0, 200),
            text: Some("my refund has not come\x1b]0;pwned\x07".into()),
            expected: Some("refund".into()),
            tokens: 12,
            cut: true,
            no_base: None,
        };
        classes(desk, id, begun);
        desk.press("v Left");
        assert!(matches!(asked(desk).1, Question { about: About::Row { row: 1 }, at: None, .. }));
    });
}

#[test]
fn the_playground_of_a_language_model() {
    everywhere("playground_text", |desk| {
        writer(desk);
        desk.press("p Tab c Tab What Space shall Space I Space do? Enter");
        let (id, question) = asked(desk);
        let text = "What shall I do?".to_owned();
        assert_eq!((question.about, question.max_new_tokens), (About::Chat { text }, 64));
        tell(desk, id, [begun((0, 210))]);
        let base = "I am not sure what you mean. Please say more about the order that you have placed.\nThank you!";
        let adapted = "I am sorry! Please say more about the parcel that you have sent, and when.\x1b[31m\nThank you!";
        for (side, text) in [(Side::Base, base), (Side::Adapted, adapted)] {
            tell(desk, id, [Answer::Text { side, text: text.into(), tokens: 21 }]);
        }
        tell(desk, id, [Answer::Ended { side: Side::Base, by_itself: true }]);
        // What is still being written is shown as it comes.
        assert!(desk.text().contains("parcel"));
        tell(desk, id, [Answer::Ended { side: Side::Adapted, by_itself: false }]);
        done(desk, id);
    });
}

#[test]
fn esc_breaks_off_and_then_leaves() {
    let mut desk = Desk::training((80, 24), "dark", 20);
    desk.press("p hello Enter");
    let (id, _) = asked(&mut desk);
    desk.press("Esc");
    assert_eq!(desk.sent(), [Command::BreakOff { asked: id }]);
    assert!(!desk.state.layers.is_empty());
    desk.tell(Event::CommandStatus { id, status: CommandStatus::Rejected { why: "cancelled".into() } });
    assert_eq!(desk.state.playground.refused, None, "who broke it off knows");
    desk.press("Esc");
    assert!(desk.state.layers.is_empty());
    desk.press("p Up Enter");
    assert!(matches!(asked(&mut desk).1.about, About::Text { text } if text == "hello"));
}

#[test]
fn a_refusal_is_said_and_live_asks_again() {
    let mut desk = Desk::training((80, 24), "dark", 20);
    classifier(&mut desk);
    desk.press("p hello Enter");
    let (id, _) = asked(&mut desk);
    let why = "this run classifies pairs; put ||| between the two texts".into();
    desk.tell(Event::CommandStatus { id, status: CommandStatus::Rejected { why } });
    assert!(desk.text().contains("put ||| between"));
    desk.press("Enter");
    let (id, _) = asked(&mut desk);
    classes(&mut desk, id, begun((0, 210)));
    desk.pass(2.0);
    desk.press("Tab a");
    assert!(desk.sent().is_empty(), "the step has not moved");
    desk.tell(Event::Step(step(211)));
    let (id, question) = asked(&mut desk);
    assert!(matches!(question.about, About::Text { text } if text == "hello"));
    desk.tell(Event::Step(step(212)));
    assert!(desk.sent().is_empty(), "one question at a time");
    classes(&mut desk, id, begun((0, 211)));
    desk.tell(Event::Step(step(213)));
    assert!(desk.sent().is_empty(), "and not more than one a second");
    desk.pass(2.0);
    desk.tell(Event::Step(step(214)));
    asked(&mut desk);
}

#[test]
fn who_watches_asks_nothing() {
    let mut desk = Desk::training((80, 24), "dark", 20);
    desk.among(1, &["pts/0", "pts/3"], Some(0));
    desk.press("p hello Enter Tab v");
    assert!(desk.sent().is_empty());
}

#[test]
fn a_pasted_text_is_typed() {
    let mut desk = Desk::training((80, 24), "dark", 20);
    desk.press("p");
    desk.input(spartui_interface::Input::Paste("two\nlines\x1b".into()));
    assert_eq!(desk.state.playground.typed.text, "two\nlines");
}

#[test]
fn how_machine_and_device_are_doing() {
    everywhere("device", |desk| {
        for sample in 0..30 {
            desk.tell(Event::Vitals(Box::new(vitals(sample, true))));
        }
        desk.press("8 m");
    });
    let mut desk = Desk::training((120, 40), "dark", 30);
    desk.tell(Event::Vitals(Box::new(vitals(3, false))));
    desk.press("8");
    let text = desk.text();
    assert!(text.contains("cpu") && !text.contains("heat") && !text.contains("busy"), "{text}");
}

#[test]
fn a_map_of_groups_by_layers() {
    for (name, keys) in [("density", "9 m"), ("update", "9 m Enter"), ("kept", "9 m Enter Enter")] {
        everywhere(&format!("map_{name}"), |desk| {
            desk.tell(Event::Sparsity(sparsity(200, 0.99)));
            desk.press(keys);
            desk.press("Down Down Right Right Right");
        });
    }
}

#[test]
fn all_panels_of_a_huge_screen() {
    let mut desk = Desk::training((200, 60), "dark", 400);
    for sample in 0..30 {
        desk.tell(Event::Vitals(Box::new(vitals(sample, true))));
    }
    insta::assert_snapshot!(desk.text());
}

#[test]
fn memory_by_owner_over_time() {
    everywhere("memory", |desk| {
        for number in 211..300 {
            let grown = memory(number);
            let more = (number - 210) * (1 << 20);
            let grown = Memory { activations: grown.activations + more, total: grown.total + more, ..grown };
            desk.tell(Event::Step(step(number)));
            desk.tell(Event::Memory(grown));
        }
        desk.press("4 m");
    });
}

#[test]
fn alerts_stand_above_the_panels_until_they_are_acknowledged() {
    everywhere("alerts", |desk| {
        desk.tell(Event::Step(Step { loss: 40.0, ..step(211) }));
        desk.train(8);
        desk.tell(Event::Step(Step { loss: f64::NAN, ..step(220) }));
        desk.train(3);
        let seen = desk.state.alerts.unseen().len();
        assert_eq!(seen, 2, "{:?}", desk.state.alerts.all());
    });
    let mut desk = Desk::training((80, 24), "dark", 60);
    desk.tell(Event::Step(Step { loss: 40.0, ..step(61) }));
    assert!(desk.text().contains("the loss jumped to 40"));
    desk.press("A");
    assert!(desk.state.alerts.unseen().is_empty() && !desk.text().contains("acknowledges"));
    assert!(desk.sent().is_empty());
    desk.press("A");
    assert!(desk.text().contains("there is no alert"));
}

#[test]
fn the_cursor_jumps_to_a_step_that_is_typed() {
    let mut desk = Desk::training((80, 24), "dark", 210);
    desk.press("c g 12x7");
    assert!(desk.text().contains("to step 127▏"));
    desk.press("Backspace Enter");
    assert_eq!((desk.state.cursor.unwrap().step, desk.state.jump.clone()), (12, None));
    desk.press("g 900 Enter");
    assert_eq!(desk.state.cursor.unwrap().step, 210);
    assert!(desk.text().contains("there is no step 900"));
    desk.press("g 5 Esc");
    assert_eq!(desk.state.cursor.unwrap().step, 210);
    desk.press("Esc");
    assert_eq!(desk.state.cursor, None);
}

#[test]
fn two_states_are_compared() {
    everywhere("compare", |desk| {
        desk.press("] Enter");
        desk.obey("method.sparsity", 0.99, 0.995);
        desk.train(130);
        desk.rewind(180, 1);
        desk.press("- Enter");
        desk.obey("optimizer.learning_rate", 5e-4, 2e-4);
        desk.train(140);
        desk.rewind(90, 2);
        desk.train(60);
        desk.rewind(260, 1);
        desk.tell(Event::Snapshots { snapshots: [kept(0, 300), kept(1, 320)].concat() });
        desk.effects.clear();
        desk.press("b c Up");
    });
    let mut desk = Desk::training((80, 24), "dark", 20);
    desk.press("b c c");
    assert_eq!(desk.state.compared, None);
}

/// Clicks where the screen shows this.
fn click(desk: &mut Desk, what: &str) {
    let text = desk.text();
    let found = text.lines().enumerate().find_map(|(row, line)| Some((line.split_once(what)?.0.chars().count(), row)));
    let (column, row) = found.unwrap_or_else(|| panic!("no {what}:\n{text}"));
    let (column, row) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
    let kind = MouseEventKind::Down(MouseButton::Left);
    desk.input(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

#[test]
fn a_click_chooses_a_row_of_a_list() {
    let mut desk = Desk::training((120, 40), "dark", 60);
    click(&mut desk, "weight_decay");
    assert_eq!(
        desk.state.setting_row,
        desk.state.shown_fields().position(|field| field.name.ends_with("decay")).unwrap()
    );
    click(&mut desk, "attention.output");
    let groups = desk.state.sparsity.as_ref().unwrap().groups.iter();
    let row = groups.map(|group| group.name.as_str()).position(|name| name == "attention.output").unwrap() + 1;
    assert_eq!((desk.state.group_row, desk.state.focus), (row, Panel::Sparsity));
    // A value that is pending stays that of its own row.
    desk.press("]");
    click(&mut desk, "weight_decay");
    assert_eq!(desk.state.edit.as_ref().unwrap().field, "method.density.attention.output");
    desk.press("Esc");
    desk.rewind(30, 1);
    desk.train(20);
    desk.tell(Event::Snapshots { snapshots: [kept(0, 60), kept(1, 40)].concat() });
    desk.press("b");
    let before = desk.state.timeline_row;
    click(&mut desk, "1 to 60");
    assert_ne!(desk.state.timeline_row, before);
    desk.press("Enter");
    assert!(matches!(desk.sent()[..], [.., Command::SwitchBranch { branch: 0, .. }]));
}

#[test]
fn the_validation_panel_with_the_whole_screen_tells_of_each_label() {
    let told = |labels: &[String]| {
        // Two thirds right, the rest taken for the next label or the one after it.
        let rows = (0..90).map(|row| (row % labels.len(), (row + row % 3 * (row % 2)) % labels.len()));
        Event::Confused(Box::new(Confusion { step: 200, ..Confusion::of(labels, rows) }))
    };
    everywhere("validation_by_label", |desk| {
        desk.tell(told(&labels()));
        desk.press("5 m");
    });
    let many: Vec<String> = (0..150).map(|place| format!("intent {place}")).collect();
    everywhere("validation_of_many_labels", |desk| {
        desk.tell(told(&many));
        desk.press("5 m");
    });
}
