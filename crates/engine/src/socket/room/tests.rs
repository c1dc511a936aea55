use crossbeam_channel::{Receiver, unbounded};

use super::*;
use spartui_facts::protocol::Step;

fn room() -> (Room, Receiver<Command>) {
    let (commands, asked) = unbounded();
    (Room::new(commands), asked)
}

fn seated(room: &Room, purpose: Purpose) -> ClientId {
    let id = room.new_client_id();
    room.join(id, purpose, format!("pts/{id}"));
    id
}

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

fn steps(news: &[ServerMessage]) -> Vec<u64> {
    let step =
        |news: &ServerMessage| if let ServerMessage::Event(Event::Step(step)) = news { Some(step.step) } else { None };
    news.iter().filter_map(step).collect()
}

/// All messages to a client until it has caught up.
fn until_live(room: &Room, id: ClientId) -> Vec<ServerMessage> {
    let mut received = Vec::new();
    while !received.contains(&ServerMessage::Live) {
        received.extend(room.next(id).unwrap());
    }
    received
}

#[test]
fn a_new_client_gets_everything_and_then_new_events() {
    let (room, _asked) = room();
    (1..=3000).for_each(|number| room.publish(&step(number)));
    let id = seated(&room, Purpose::Steer);
    let received = until_live(&room, id);
    assert!(steps(&received).into_iter().eq(1..=3000));
    assert!(matches!(received.last(), Some(ServerMessage::Live)));
    room.publish(&step(3001));
    assert_eq!(steps(&room.next(id).unwrap()), [3001]);
}

#[test]
fn one_steers_and_taking_over_is_explicit() {
    let (room, asked) = room();
    let (first, second) = (seated(&room, Purpose::Steer), seated(&room, Purpose::Steer));
    room.ask(second, Command::Pause);
    room.ask(second, Command::Evaluate { id: 9 });
    assert!(asked.try_recv().is_err());
    let received = until_live(&room, second);
    assert!(
        received
            .iter()
            .any(|news| matches!(news, ServerMessage::Event(Event::Note { message, .. }) if message == WATCHES))
    );
    assert!(received.iter().any(|news| matches!(news, ServerMessage::Event(Event::CommandStatus { id: 9, .. }))));
    room.take_over(second);
    room.ask(second, Command::Pause);
    room.ask(first, Command::Abort);
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), [Command::Pause]);
    room.leave(second);
    room.ask(first, Command::Abort);
    assert!(asked.try_recv().is_err(), "who steers next is for somebody to say");
    let third = seated(&room, Purpose::Watch);
    assert_eq!(room.standing().steered_from, None);
    room.take_over(third);
    assert_eq!((room.standing().watching, room.standing().steered_from.as_deref()), (2, Some("pts/2")));
}

#[test]
fn an_answer_is_sent_to_the_client_that_asked() {
    let (room, _asked) = room();
    let (first, second) = (seated(&room, Purpose::Steer), seated(&room, Purpose::Watch));
    until_live(&room, first);
    until_live(&room, second);
    room.ask(first, Command::Evaluate { id: 5 });
    room.publish(&Event::CommandStatus { id: 5, status: CommandStatus::Queued });
    room.publish(&step(1));
    room.publish(&Event::CommandStatus { id: 5, status: CommandStatus::Applied { step: 1 } });
    let answers = |news: Vec<ServerMessage>| {
        news.into_iter().filter(|news| matches!(news, ServerMessage::Event(Event::CommandStatus { id: 5, .. }))).count()
    };
    assert_eq!(answers(room.next(first).unwrap()), 2);
    assert_eq!(answers(room.next(second).unwrap()), 0);
}

#[test]
fn an_answer_in_parts_is_sent_only_to_the_client_that_asked() {
    use spartui_facts::protocol::{About, Answer, Question, Side};
    let (room, _asked) = room();
    let (asks, other) = (seated(&room, Purpose::Steer), seated(&room, Purpose::Watch));
    until_live(&room, asks);
    until_live(&room, other);
    let question = Question { about: About::Row { row: 0 }, at: None, max_new_tokens: 3, temperature: 0.0, seed: 0 };
    room.ask(asks, Command::Predict { id: 7, question });
    let part = |text: &str| Event::Predicted {
        id: 7,
        answer: Answer::Text { side: Side::Base, text: text.into(), tokens: 1 },
    };
    for event in [
        Event::CommandStatus { id: 7, status: CommandStatus::Queued },
        part("a"),
        part("b"),
        Event::CommandStatus { id: 7, status: CommandStatus::Applied { step: 3 } },
    ] {
        room.publish(&event);
    }
    let told = |news: &[ServerMessage]| {
        news.iter().filter(|news| matches!(news, ServerMessage::Event(Event::Predicted { .. }))).count()
    };
    let received = room.next(asks).unwrap();
    assert_eq!((told(&received), received.len()), (2, 4));
    room.publish(&step(1));
    assert_eq!(told(&room.next(other).unwrap()), 0);
    let late = seated(&room, Purpose::Watch);
    assert_eq!(told(&until_live(&room, late)), 0);
}

#[test]
fn a_slow_client_is_disconnected_with_a_reason_and_may_reconnect() {
    let (room, _asked) = room();
    let slow = seated(&room, Purpose::Steer);
    until_live(&room, slow);
    let fast = seated(&room, Purpose::Watch);
    until_live(&room, fast);
    for number in 1..=BACKLOG as u64 + 1 {
        room.publish(&step(number));
        if number % 1000 == 0 {
            assert!(!steps(&room.next(fast).unwrap()).is_empty());
        }
    }
    assert_eq!(room.next(slow), Some(vec![ServerMessage::Refused { why: TOO_SLOW.into() }]));
    assert_eq!(room.next(slow), None);
    room.leave(slow);
    assert_eq!(room.standing().steered_from, None);
    let again = seated(&room, Purpose::Steer);
    assert!(steps(&until_live(&room, again)).into_iter().eq(1..=BACKLOG as u64 + 1));
}

#[test]
fn the_end_waits_for_clients_but_not_forever() {
    let (room, _asked) = room();
    let room = std::sync::Arc::new(room);
    let (listens, _deaf) = (seated(&room, Purpose::Steer), seated(&room, Purpose::Watch));
    let listener = {
        let room = std::sync::Arc::clone(&room);
        std::thread::spawn(move || {
            let mut received = Vec::new();
            while let Some(news) = room.next(listens) {
                received.extend(news);
            }
            room.leave(listens);
            received
        })
    };
    room.publish(&Event::Fault { message: "over".into(), refused: false });
    room.close(Duration::from_millis(50));
    let received = listener.join().unwrap();
    assert!(received.iter().any(|news| matches!(news, ServerMessage::Event(Event::Fault { .. }))));
}
