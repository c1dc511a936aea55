//! Runs that are ended and go on, that are steered and repeated: the same bytes, on the CPU in float32.

mod common;

use std::collections::BTreeSet;

use common::runs::{course, drive, journal, launch, result, workshop};
use spartui::engine::{Replay, Resume};
use spartui::protocol::{Command, CommandStatus, Ending, Event};
use spartui::recipe::Value;

fn resume(folder: &std::path::Path, run: &str) -> Resume {
    Resume { runs: folder.join("runs"), run: run.into(), ..Resume::default() }
}

fn replay(folder: &std::path::Path, run: &str, name: &str) -> Replay {
    Replay { runs: folder.join("runs"), run: run.into(), name: Some(name.into()), ..Replay::default() }
}

fn set(id: u64, field: &str, value: f64) -> Command {
    Command::Set { id, field: field.into(), value: Value::Float(value) }
}

/// What to ask for when a step is reached, once.
fn at_steps(mut asked: Vec<(u64, Command)>) -> impl FnMut(&Event) -> Vec<Command> {
    move |event| match event {
        Event::Step(step) => {
            let due = asked.iter().position(|(at, _)| *at <= step.step);
            due.map(|at| asked.remove(at).1).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn ended_again_and_again_a_run_goes_on_as_if_it_never_was() {
    for causal in [false, true] {
        let folder = workshop(causal);
        let runs = folder.path().join("runs");
        drive(launch(folder.path(), "whole", &[]), |_| Vec::new()).summary();
        let first = drive(launch(folder.path(), "parts", &[]), at_steps(vec![(11, Command::Terminate)]));
        assert_eq!(first.summary().ending, Ending::Terminated);
        for end in [Command::Terminate, Command::Abort, Command::Terminate, Command::Abort] {
            let mut steps = 0;
            let ran = drive(resume(folder.path(), "parts"), |event| {
                steps += u64::from(matches!(event, Event::Step(_)));
                if steps == 13 { vec![end.clone()] } else { Vec::new() }
            });
            assert_ne!(ran.summary().ending, Ending::Completed);
            let Some(Event::Ready(ready)) = ran.events.iter().find(|event| matches!(event, Event::Ready(_))) else {
                panic!("it was never ready");
            };
            assert!(ready.step > 0);
        }
        let last = drive(resume(folder.path(), "parts"), |_| Vec::new());
        assert_eq!(last.summary().ending, Ending::Completed);
        assert_eq!(course(&runs.join("parts")), course(&runs.join("whole")));
        assert_eq!(result(&runs.join("parts")), result(&runs.join("whole")));
        let again = drive(resume(folder.path(), "parts"), |_| Vec::new());
        assert!(again.fault.contains("is complete: all its steps were taken"), "{}", again.fault);
        // It says what would help, and nothing that did not end the run.
        assert!(again.fault.contains("such as --set train.") && !again.fault.contains("patience"), "{}", again.fault);
    }
}

#[test]
fn an_evaluation_that_was_broken_off_is_made_when_the_run_goes_on() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    // Many validation rows, so that there is time to break off.
    let row = "{\"text\": \"the parcel is late\", \"label\": \"a\"}\n";
    std::fs::write(folder.path().join("validation.jsonl"), row.repeat(3000)).unwrap();
    let settings = ["train.epochs=10", "train.evaluate_every=20"];
    drive(launch(folder.path(), "whole", &settings), |_| Vec::new()).summary();
    let ran = drive(launch(folder.path(), "parts", &settings), |event| match event {
        Event::Evaluating { .. } => vec![Command::Terminate],
        _ => Vec::new(),
    });
    assert_eq!((ran.summary().ending, ran.summary().steps), (Ending::Terminated, 20));
    assert!(ran.summary().last.is_none());
    drive(resume(folder.path(), "parts"), |_| Vec::new()).summary();
    assert_eq!(course(&runs.join("parts")), course(&runs.join("whole")));
    assert_eq!(result(&runs.join("parts")), result(&runs.join("whole")));
}

/// Sparsity twice, rate twice, a pause, a rewind, a branch; said when each of them is.
fn steered() -> impl FnMut(&Event) -> Vec<Command> {
    let mut asked: Vec<(u64, Vec<Command>)> = vec![
        (12, vec![set(1, "method.sparsity", 0.95)]),
        (20, vec![set(2, "optimizer.learning_rate", 3e-3)]),
        (31, vec![Command::Pause]),
        (45, vec![set(4, "optimizer.learning_rate", 1e-3)]),
        (60, vec![Command::Rewind { id: 5, step: 33 }]),
        (70, vec![Command::Undo { id: 6 }]),
        (80, vec![Command::SwitchBranch { id: 7, branch: 1 }]),
        (90, vec![Command::Evaluate { id: 8 }, Command::Pin { id: 9, branch: 1, step: 60, pinned: true }]),
    ];
    move |event| match event {
        Event::Paused { .. } => vec![set(3, "method.sparsity", 0.88), Command::Resume],
        Event::Step(step) if asked.first().is_some_and(|(at, _)| *at <= step.step) => asked.remove(0).1,
        _ => Vec::new(),
    }
}

fn applied(events: &[Event]) -> BTreeSet<u64> {
    let applied = events.iter().filter_map(|event| match event {
        Event::CommandStatus { id, status: CommandStatus::Applied { .. } } => Some(*id),
        _ => None,
    });
    applied.collect()
}

#[test]
fn a_run_that_was_steered_by_hand_replays_to_the_same_bytes() {
    for causal in [false, true] {
        let folder = workshop(causal);
        let runs = folder.path().join("runs");
        let ran = drive(launch(folder.path(), "steered", &[]), steered());
        assert_eq!(ran.summary().ending, Ending::Completed);
        let expected: BTreeSet<u64> = (1..=8).collect();
        assert!(applied(&ran.events).is_superset(&expected), "{:?}", journal(&runs.join("steered")));
        let lines = journal(&runs.join("steered"));
        assert!(lines.iter().filter(|line| line.contains("\"kind\"")).count() >= 4, "{lines:#?}");
        drive(launch(folder.path(), "plain", &[]), |_| Vec::new()).summary();
        assert_ne!(result(&runs.join("plain")), result(&runs.join("steered")));
        drive(replay(folder.path(), "steered", "again"), |_| Vec::new()).summary();
        assert_eq!(journal(&runs.join("again")), lines);
        assert_eq!(course(&runs.join("again")), course(&runs.join("steered")));
        assert_eq!(result(&runs.join("again")), result(&runs.join("steered")));
    }
}

#[test]
fn a_run_of_low_rank_is_the_same_however_it_was_interrupted_and_replays() {
    let method = ["method.kind=lora", "method.variant=dora", "method.dropout=0.2"];
    let settings = [&method[..], &["train.micro_batch_size=3", "train.epochs=35"]].concat();
    for causal in [false, true] {
        let folder = workshop(causal);
        let runs = folder.path().join("runs");
        let begin = |name| launch(folder.path(), name, &settings);
        drive(begin("whole"), |_| Vec::new()).summary();
        drive(begin("parts"), at_steps(vec![(17, Command::Abort)])).summary();
        drive(resume(folder.path(), "parts"), at_steps(vec![(44, Command::Terminate)])).summary();
        drive(resume(folder.path(), "parts"), |_| Vec::new()).summary();
        assert_eq!(course(&runs.join("parts")), course(&runs.join("whole")));
        assert_eq!(result(&runs.join("parts")), result(&runs.join("whole")));
        let asked = vec![
            (12, set(1, "method.sparsity", 0.95)),
            (20, set(2, "optimizer.learning_rate", 3e-3)),
            (60, Command::Rewind { id: 3, step: 33 }),
            (70, Command::Undo { id: 4 }),
            (80, Command::SwitchBranch { id: 5, branch: 1 }),
        ];
        let ran = drive(begin("steered"), at_steps(asked));
        // There is no sparsity to set.
        assert_eq!(applied(&ran.events), (2..=5).collect());
        assert_ne!(result(&runs.join("steered")), result(&runs.join("whole")));
        drive(replay(folder.path(), "steered", "again"), |_| Vec::new()).summary();
        assert_eq!(journal(&runs.join("again")), journal(&runs.join("steered")));
        assert_eq!(course(&runs.join("again")), course(&runs.join("steered")));
        assert_eq!(result(&runs.join("again")), result(&runs.join("steered")));
    }
}

#[test]
fn live_changes_resumed_in_between_and_replayed_give_the_same_bytes() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    let mut script = steered();
    let first = drive(launch(folder.path(), "steered", &[]), |event| match event {
        // Steps after the last checkpoint are lost, and the changes among them are made again.
        Event::Step(step) if step.step == 48 => vec![Command::Abort],
        event => script(event),
    });
    assert_eq!(first.summary().ending, Ending::Aborted);
    let second = drive(resume(folder.path(), "steered"), |event| match event {
        Event::Rewound { branch: 2, .. } => vec![Command::Terminate],
        event => script(event),
    });
    assert_eq!(second.summary().ending, Ending::Terminated);
    drive(resume(folder.path(), "steered"), script).summary();
    drive(replay(folder.path(), "steered", "again"), |_| Vec::new()).summary();
    assert_eq!(journal(&runs.join("again")), journal(&runs.join("steered")));
    assert_eq!(course(&runs.join("again")), course(&runs.join("steered")));
    assert_eq!(result(&runs.join("again")), result(&runs.join("steered")));
}

#[test]
fn a_stopped_run_goes_on_and_a_complete_one_takes_more_steps() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    drive(launch(folder.path(), "a", &[]), at_steps(vec![(33, Command::Stop)])).summary();
    drive(resume(folder.path(), "a"), |_| Vec::new()).summary();
    let mut more = resume(folder.path(), "a");
    more.set = vec!["train.epochs=105".into(), "optimizer.learning_rate=2e-3".into()];
    assert_eq!(drive(more, |_| Vec::new()).summary().steps, 315);
    drive(replay(folder.path(), "a", "again"), |_| Vec::new()).summary();
    assert_eq!(course(&runs.join("again")), course(&runs.join("a")));
    assert_eq!(result(&runs.join("again")), result(&runs.join("a")));
    let mut wrong = resume(folder.path(), "a");
    wrong.set = vec!["train.batch_size=4".into()];
    assert!(drive(wrong, |_| Vec::new()).fault.contains("train.batch_size cannot be changed where a run goes on"));
}

#[test]
fn on_other_files_a_run_goes_on_only_if_that_is_allowed() {
    let folder = workshop(false);
    drive(launch(folder.path(), "a", &[]), at_steps(vec![(20, Command::Terminate)])).summary();
    let train = folder.path().join("train.jsonl");
    let rows = std::fs::read_to_string(&train).unwrap();
    std::fs::write(&train, rows.replacen("late", "lost", 1)).unwrap();
    let refused = drive(resume(folder.path(), "a"), |_| Vec::new()).fault;
    assert!(refused.contains("data: \"train.jsonl\" was ") && refused.contains("--allow-changed data"), "{refused}");
    let allowed = Resume { allow_changed: vec!["data".into()], ..resume(folder.path(), "a") };
    drive(allowed, at_steps(vec![(30, Command::Terminate)])).summary();
    let recipe = folder.path().join("runs/a/recipe.toml");
    let text = std::fs::read_to_string(&recipe).unwrap();
    std::fs::write(&recipe, text.replace("batch_size = 8", "batch_size = 4")).unwrap();
    std::fs::write(&train, rows).unwrap();
    let refused = drive(resume(folder.path(), "a"), |_| Vec::new()).fault;
    assert!(refused.contains("recipe: train.batch_size was 8 and is 4"), "{refused}");
    let unknown = Resume { allow_changed: vec!["wheather".into()], ..resume(folder.path(), "a") };
    assert!(drive(unknown, |_| Vec::new()).fault.contains("takes some of recipe, weights, tokenizer, data"));
}

#[test]
fn a_rewound_step_is_the_step_it_was() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    drive(launch(folder.path(), "whole", &[]), |_| Vec::new()).summary();
    let ran = drive(
        launch(folder.path(), "a", &["history.every=0"]),
        at_steps(vec![(25, Command::Rewind { id: 1, step: 9 }), (40, Command::Rewind { id: 2, step: 38 })]),
    );
    let rewinds = ran.events.iter().filter(|event| matches!(event, Event::Rewound { .. }));
    assert_eq!(rewinds.count(), 2);
    // What is said of the rows says of which branch it is, too.
    let but_the_branch = |run: &str| {
        let mut files = result(&runs.join(run));
        for (_, bytes) in files.iter_mut().filter(|(name, _)| name.as_os_str() == "predictions.jsonl") {
            let (about, rows) = std::str::from_utf8(bytes).unwrap().split_once('\n').unwrap();
            let mut about: serde_json::Value = serde_json::from_str(about).unwrap();
            assert!(about.as_object_mut().unwrap().remove("branch").is_some());
            *bytes = format!("{about}\n{rows}").into_bytes();
        }
        files
    };
    assert!(but_the_branch("a") == but_the_branch("whole"), "nothing was changed but the way");
    let strip = |line: &String| line.split(",\"branch\"").next().unwrap().to_owned();
    let whole: BTreeSet<String> = course(&runs.join("whole")).iter().map(strip).collect();
    assert!(course(&runs.join("a")).iter().map(strip).all(|line| whole.contains(&line)));
    let Some(Event::Branches { branches }) =
        ran.events.iter().rev().find(|event| matches!(event, Event::Branches { .. }))
    else {
        panic!("no branches were told");
    };
    assert_eq!((branches.len(), branches[1].from, branches[1].parent), (3, 9, Some(0)));
    assert_eq!((branches[2].from, branches[2].parent, branches[2].current), (38, Some(1), true));
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    drive(launch(folder.path(), "whole", &[]), |_| Vec::new()).summary();
    let commands = vec![
        (20, Command::Rewind { id: 1, step: 10_000 }),
        (21, Command::SwitchBranch { id: 2, branch: 7 }),
        (22, Command::SwitchBranch { id: 3, branch: 0 }),
        (23, Command::Undo { id: 4 }),
        (24, Command::Pin { id: 5, branch: 3, step: 1, pinned: true }),
    ];
    let ran = drive(launch(folder.path(), "a", &[]), at_steps(commands));
    let rejected = ran
        .events
        .iter()
        .filter(|event| matches!(event, Event::CommandStatus { status: CommandStatus::Rejected { .. }, .. }));
    assert_eq!(rejected.count(), 5);
    assert_eq!(course(&runs.join("a")), course(&runs.join("whole")));
    assert_eq!(journal(&runs.join("a")), [""; 0]);
}
