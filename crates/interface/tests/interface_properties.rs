//! Whatever comes in, in whatever order, on whatever size: the interface goes on.

#[path = "support/synthetic.rs"]
mod synthetic;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use spartui_facts::protocol::{
    Answer, Audience, Branch, Client, Command, CommandStatus, Ending, Evaluation, Event, Layer, Level, Memory,
    ServerMessage, Side, Step,
};
use spartui_facts::recipe::Value;
use spartui_interface::{Effect, Input, Screen};

use synthetic::{Desk, branch, consequences, evaluation, kept, memory, ready, sparsity, step, summary, vitals};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -10.0..10.0f64,
        1 => prop::num::f64::ANY,
        1 => Just(f64::NAN),
        1 => Just(f64::MAX),
        1 => Just(0.0),
    ]
}

fn key() -> impl Strategy<Value = Input> {
    let code = prop_oneof![
        12 => prop::sample::select("?q []-=+uexstT:/myf,.zZhjkl12345678900.e-59anbcdoOi7npwUr<>AvViaplcg\u{6f22}".chars().collect::<Vec<_>>())
            .prop_map(KeyCode::Char),
        6 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Left, KeyCode::Right, KeyCode::Up,
            KeyCode::Down, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home, KeyCode::End, KeyCode::Backspace,
            KeyCode::Delete, KeyCode::F(5),
        ]),
    ];
    let kind = prop::sample::select(vec![KeyEventKind::Press, KeyEventKind::Repeat, KeyEventKind::Release]);
    let modifiers =
        prop_oneof![9 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::SHIFT), 1 => Just(KeyModifiers::ALT)];
    (code, modifiers, kind)
        .prop_map(|(code, modifiers, kind)| Input::Key(KeyEvent::new_with_kind(code, modifiers, kind)))
}

fn mouse() -> impl Strategy<Value = Input> {
    let kind = prop::sample::select(vec![
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::Moved,
    ]);
    (kind, 0u16..250, 0u16..90)
        .prop_map(|(kind, column, row)| Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

#[expect(clippy::too_many_lines, reason = "a line for each event")]
fn event() -> impl Strategy<Value = Event> {
    let text = prop_oneof![Just("plain".to_owned()), "\\PC{0,40}", Just("\x1b[2J\u{202e}\0漢字\n".to_owned())];
    let id = 0u64..12;
    prop_oneof![
        (text.clone(), prop::option::of(prop::num::f32::ANY))
            .prop_map(|(what, fraction)| Event::Loading { what, fraction }),
        Just(Event::Ready(Box::new(ready()))),
        (number(), number(), 0u64..5).prop_map(|(low, high, steps)| {
            Event::Ready(Box::new(spartui_facts::protocol::Ready {
                sparsity_bounds: (low, high),
                total_steps: steps,
                steps_per_epoch: 0,
                ..ready()
            }))
        }),
        (0u64..400, number(), number(), 0u32..3).prop_map(|(at, loss, seconds, branch)| Event::Step(Step {
            branch,
            loss,
            seconds,
            epoch: loss,
            grad_norm: seconds,
            ..step(at)
        })),
        Just(Event::Step(Step { step: u64::MAX, ..step(1) })),
        (0u64..400, number(), number()).prop_map(|(at, eval_loss, accuracy)| {
            Event::Evaluated(Evaluation { eval_loss, accuracy, mcc: Some(eval_loss), ..evaluation(at) })
        }),
        (0usize..9, 0usize..9).prop_map(|(done, of)| Event::Evaluating { done, of }),
        (0u64..400, 0..=u64::MAX / 16).prop_map(|(at, limit)| Event::Memory(Memory {
            limit,
            other: limit,
            ..memory(at)
        })),
        Just(Event::Memory(Memory::default())),
        (0u64..400, 0.95..0.9999f64).prop_map(|(at, share)| Event::Sparsity(sparsity(at, share))),
        (text.clone(), number(), 0usize..40).prop_map(|(name, value, layers)| {
            let mut sparsity = sparsity(9, 0.99);
            sparsity.groups.truncate(3);
            sparsity.groups[2].name = name;
            sparsity.groups[2].by_layer = (0..layers as u64).collect();
            sparsity.groups[2].surviving = Some(value);
            sparsity.groups[2].parameters = 0;
            sparsity.groups[2].delta_rms = value;
            Event::Sparsity(sparsity)
        }),
        (
            prop::sample::select(vec!["method.sparsity", "optimizer.learning_rate", "method.on_shrink", "no.field"]),
            number()
        )
            .prop_map(|(field, value)| Event::Setting { field: field.into(), value: Value::Float(value) }),
        (id.clone(), 0usize..3, text.clone()).prop_map(|(id, status, why)| {
            let status = match status {
                0 => CommandStatus::Queued,
                1 => CommandStatus::Applied { step: 3 },
                _ => CommandStatus::Rejected { why },
            };
            Event::CommandStatus { id, status }
        }),
        (id.clone(), text.clone(), any::<bool>()).prop_map(|(id, why, well)| {
            Event::Previewed { id, outcome: if well { Ok(consequences()) } else { Err(why) } }
        }),
        (id, 0u64..400, text.clone(), number()).prop_map(|(id, step, field, value)| {
            Event::Intervention(spartui_facts::protocol::Intervention {
                step,
                field,
                from: Value::Float(value),
                to: Value::String("\x07".into()),
                id,
                time: value,
            })
        }),
        (0u64..400, 0u32..4, 0u64..400, 0u32..4).prop_map(|(step, branch, at, was)| Event::Rewound {
            step,
            branch,
            left: (was, at)
        }),
        prop::collection::vec((0u32..4, prop::option::of(0u32..4), 0u64..400, any::<bool>()), 0..4).prop_map(|list| {
            let branches =
                list.into_iter().map(|(id, parent, from, current)| Branch { current, ..branch(id, parent, from, 9) });
            Event::Branches { branches: branches.collect() }
        }),
        (0u32..4, 0u64..900).prop_map(|(branch, steps)| Event::Snapshots { snapshots: kept(branch, steps) }),
        (0u64..9, 0u64..9).prop_map(|(done, of)| Event::Recomputing { done, of }),
        (0u64..12, answer(text.clone().boxed())).prop_map(|(id, answer)| Event::Predicted { id, answer }),
        (number(), number(), 0..=u64::MAX, any::<bool>()).prop_map(|(share, busy, bytes, device)| {
            let mut vitals = vitals(3, device);
            (vitals.host.cpu, vitals.host.memory_used) = (Some(share), bytes);
            (vitals.host.disk_free, vitals.host.memory_total) = (Some(bytes), bytes / 3);
            if let Some(gpu) = &mut vitals.gpu {
                (gpu.busy, gpu.power, gpu.temperature) = (Some(busy), Some(share), Some(busy));
            }
            Event::Vitals(Box::new(vitals))
        }),
        (prop::collection::vec((number(), 0u64..9, 0u64..9), 0..90)).prop_map(|layers| {
            let mut sparsity = sparsity(9, 0.99);
            let layer = |(number, parameters, trainable): (f64, u64, u64)| Layer {
                parameters,
                trainable,
                surviving: Some(number),
                delta_rms: number,
            };
            sparsity.groups[1].layers = layers.into_iter().map(layer).collect();
            Event::Sparsity(sparsity)
        }),
        Just(Event::Paused { step: 3 }),
        Just(Event::Resumed { step: 3, stood: 2.0 }),
        text.clone().prop_map(|message| Event::Note { level: Level::Warning, message }),
        text.clone().prop_map(|message| Event::Fault { message, refused: true }),
        (number()).prop_map(|seconds| Event::Finished(Box::new(spartui_facts::protocol::Summary {
            seconds,
            loss: Some(seconds),
            adapter: None,
            ..summary(Ending::StoppedEarly)
        }))),
    ]
}

fn answer(text: BoxedStrategy<String>) -> impl Strategy<Value = Answer> {
    let side = || prop::sample::select(Side::BOTH.to_vec());
    prop_oneof![
        (0u32..3, 0u64..400, prop::option::of(text.clone()), prop::option::of(text.clone())).prop_map(
            |(branch, step, text, no_base)| Answer::Begun {
                at: (branch, step),
                expected: text.clone(),
                text,
                tokens: 3,
                cut: true,
                no_base,
            }
        ),
        (side(), prop::collection::vec(prop::num::f32::ANY, 0..20))
            .prop_map(|(side, probabilities)| Answer::Classes { side, probabilities }),
        (side(), text, 0usize..99).prop_map(|(side, text, tokens)| Answer::Text { side, text, tokens }),
        (side(), any::<bool>()).prop_map(|(side, by_itself)| Answer::Ended { side, by_itself }),
    ]
}

fn news() -> impl Strategy<Value = ServerMessage> {
    let text = || prop_oneof![Just("pts/3".to_owned()), "\\PC{0,40}", Just("\x1b[2J\u{202e}\0".to_owned())];
    let clients = prop::collection::vec((0u32..3, text()), 0..4);
    prop_oneof![
        4 => (clients, prop::option::of(0u32..3)).prop_map(|(clients, steering)| {
            let clients = clients.into_iter().map(|(id, from)| Client { id, from }).collect();
            ServerMessage::Audience(Audience { clients, steering })
        }),
        2 => number().prop_map(|seconds| ServerMessage::Clock { seconds }),
        1 => Just(ServerMessage::Live),
        1 => text().prop_map(|why| ServerMessage::Refused { why }),
        1 => (text(), any::<bool>()).prop_map(|(why, alive)| ServerMessage::Lost { why, alive }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => key(),
        2 => mouse(),
        8 => event().prop_map(|event| Input::Engine(Box::new(event))),
        2 => (0u16..210, 0u16..70).prop_map(|(columns, rows)| Input::Resize(columns, rows)),
        2 => news().prop_map(|news| Input::ServerMessage(Box::new(news))),
        1 => Just(Input::EngineGone),
        1 => any::<bool>().prop_map(|light| Input::Background { light }),
        1 => (0u64..100).prop_map(|seconds| Input::Tick(std::time::Duration::from_secs(seconds))),
        1 => "\\PC{0,9}".prop_map(Input::Paste),
    ]
}

/// The first step of any run is after it was loaded, and most runs go well for a while.
fn desk(early: bool) -> Desk {
    if early { Desk::new((80, 24), "dark") } else { Desk::training((120, 40), "dark", 30) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_in_can_break_it(early: bool, inputs in prop::collection::vec(input(), 1..60)) {
        let mut desk = desk(early);
        for input in inputs {
            desk.input(input);
            let frame = desk.frame();
            for cell in frame.content() {
                prop_assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
            }
        }
    }

    #[test]
    fn any_size_can_be_drawn(columns in 0u16..220, rows in 0u16..75, believed in (0u16..220, 0u16..75), keys in prop::collection::vec(key(), 0..6)) {
        let mut desk = Desk::training((80, 24), "dark", 40);
        for key in keys {
            desk.input(key);
        }
        // What the state believes of the size may lag behind what there is to draw on.
        desk.state.env.size = believed;
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
        desk.state.draw_into(&mut buffer);
    }

    #[test]
    fn only_the_engine_changes_what_is_in_force(keys in prop::collection::vec(key(), 1..80)) {
        let mut desk = Desk::training((120, 40), "dark", 30);
        let before = (desk.state.settings.clone(), desk.state.sparsity.clone());
        for key in keys {
            desk.input(key);
        }
        prop_assert_eq!(before, (desk.state.settings.clone(), desk.state.sparsity.clone()));
    }

    #[test]
    fn what_is_set_was_valid_and_has_a_name_of_its_own(keys in prop::collection::vec(key(), 1..120)) {
        let mut desk = Desk::training((120, 40), "dark", 30);
        for key in keys {
            desk.input(key);
        }
        let mut ids = Vec::new();
        for effect in &desk.effects {
            if let Effect::Send(Command::Set { id, field, value } | Command::Preview { id, field, value }) = effect {
                let checked = spartui_facts::recipe::Field::find(field).and_then(|known| known.check(field, value.clone()));
                prop_assert!(checked.is_ok(), "{checked:?}");
                prop_assert!(!ids.contains(id));
                ids.push(*id);
            }
        }
    }
}
