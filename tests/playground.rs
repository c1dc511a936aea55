//! Texts through base and adapted model while a run trains: it does not notice, and the answers are those of the other
//! commands.

mod common;

use std::path::Path;
use std::process::Command as Process;

use common::runs::{Ran, course, drive, journal, launch, result, workshop};
use serde_json::Value;
use spartui::engine::Replay;
use spartui::protocol::{About, Answer, Command, CommandId, CommandStatus, Event, Question};

fn question(about: About, at: Option<(u32, u64)>) -> Question {
    Question { about, at, max_new_tokens: 12, temperature: 0.0, seed: 0 }
}

fn text(text: &str) -> About {
    About::Text { text: text.into() }
}

fn predict(id: CommandId, about: About, at: Option<(u32, u64)>) -> Command {
    Command::Predict { id, question: question(about, at) }
}

fn spartui(arguments: &[&str]) -> String {
    let output = Process::new(env!("CARGO_BIN_EXE_spartui")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What was answered to a question.
#[derive(Debug, Default)]
struct Answered {
    at: (u32, u64),
    text: Option<String>,
    expected: Option<String>,
    no_base: Option<String>,
    classes: [Vec<f32>; 2],
    written: [String; 2],
    ended: [bool; 2],
    rejected: Option<String>,
    done: bool,
}

fn answer(ran: &Ran, asked: CommandId) -> Answered {
    let mut found = Answered::default();
    for event in &ran.events {
        match event {
            Event::Predicted { id, answer } if *id == asked => match answer {
                Answer::Begun { at, text, expected, no_base, .. } => {
                    found.at = *at;
                    found.text.clone_from(text);
                    found.expected.clone_from(expected);
                    found.no_base.clone_from(no_base);
                }
                Answer::Classes { side, probabilities } => found.classes[*side as usize].clone_from(probabilities),
                Answer::Text { side, text, .. } => found.written[*side as usize].push_str(text),
                Answer::Ended { side, .. } => found.ended[*side as usize] = true,
            },
            Event::CommandStatus { id, status } if *id == asked => match status {
                CommandStatus::Queued => {}
                CommandStatus::Applied { .. } => found.done = true,
                CommandStatus::Rejected { why } => found.rejected = Some(why.clone()),
            },
            _ => {}
        }
    }
    found
}

fn is_answered(event: &Event, asked: CommandId) -> bool {
    matches!(event, Event::CommandStatus { id, status } if *id == asked && *status != CommandStatus::Queued)
}

/// Steered by hand, and asked all the while, of now and of kept states, with a question that is broken off: the same run
/// again from its journal, asked nothing, is the same to the bit.
fn training_does_not_notice(causal: bool, overrides: &[&str]) {
    let folder = workshop(causal);
    let mut overrides = overrides.to_vec();
    overrides.extend(["train.max_steps=60", "train.checkpoint_every=20"]);
    // A language model writes a token between two steps, so that a long answer would not be there at the end.
    let predict =
        |id, about, at| Command::Predict { id, question: Question { max_new_tokens: 2, ..question(about, at) } };
    let asked = |id, at| vec![predict(id, text("the rain is late"), at), predict(id + 1, About::Row { row: 3 }, None)];
    let ran = drive(launch(folder.path(), "asked", &overrides), |event| match event {
        Event::Step(step) => match step.step {
            3 => asked(100, None),
            12 if step.branch == 0 => [
                asked(110, Some((0, 5))),
                vec![Command::Set { id: 1, field: "method.sparsity".into(), value: 0.95.into() }],
            ]
            .concat(),
            20 => [asked(120, Some((0, 15))), vec![predict(199, text("rain"), None), Command::BreakOff { asked: 199 }]]
                .concat(),
            31 if step.branch == 0 => vec![Command::Rewind { id: 2, step: 25 }],
            34 => asked(130, Some((0, 31))),
            45 if step.branch == 1 => {
                [vec![Command::Set { id: 3, field: "method.sparsity".into(), value: 0.93.into() }], asked(140, None)]
                    .concat()
            }
            step if step > 48 && step % 2 == 0 => asked(200 + step * 2, None),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    });
    ran.summary();
    let answers = ran.events.iter().filter(|event| matches!(event, Event::Predicted { .. })).count();
    assert!(answers > 30, "{answers} answers");
    for id in [100, 110, 120, 140] {
        let answer = answer(&ran, id);
        assert!(answer.done && answer.rejected.is_none(), "{id}: {answer:?}");
        if causal { assert!(answer.ended == [true; 2]) } else { assert_ne!(answer.classes[0], answer.classes[1]) }
    }
    let runs = folder.path().join("runs");
    let replay = Replay { runs: runs.clone(), run: "asked".into(), name: Some("silent".into()), ..Replay::default() };
    drive(replay, |_| Vec::new()).summary();
    assert_eq!(result(&runs.join("asked")), result(&runs.join("silent")));
    assert_eq!(course(&runs.join("asked")), course(&runs.join("silent")));
    assert_eq!(journal(&runs.join("asked")), journal(&runs.join("silent")));
}

#[test]
fn a_classifier_in_float32_does_not_notice() {
    training_does_not_notice(false, &[]);
}

#[test]
fn a_classifier_in_bfloat16_with_stochastic_rounding_does_not_notice() {
    training_does_not_notice(false, &["model.dtype=bfloat16", "method.rounding=stochastic"]);
}

#[test]
fn a_language_model_does_not_notice() {
    training_does_not_notice(true, &[]);
}

/// Asks while the run stands still at about step 40, where its adapter is exported and its state kept, and of that state once
/// more, under the name plus 100, at about step 52. The adapter of step 40 is in `exported` then.
fn asked_at_rest(folder: &Path, overrides: &[&str], questions: &[(CommandId, About, Option<(u32, u64)>)]) -> Ran {
    let mut overrides = overrides.to_vec();
    overrides.extend(["train.max_steps=60", "train.keep_checkpoints=20"]);
    let (folder, first) = (folder.to_owned(), questions[0].clone());
    let (mut left, last) = (questions.to_vec(), questions.last().unwrap().0);
    let mut kept = None;
    drive(launch(&folder.clone(), "asked", &overrides), move |event| match event {
        Event::Step(step) if step.step == 40 || step.step == 52 => vec![Command::Pause],
        Event::Paused { step } if kept.is_none() => {
            kept = Some((0, *step));
            let asked = std::mem::take(&mut left).into_iter().map(|(id, about, at)| predict(id, about, at));
            [Command::Export { id: 8 }, Command::Snapshot { id: 9 }].into_iter().chain(asked).collect()
        }
        Event::Paused { .. } => vec![predict(first.0 + 100, first.1.clone(), kept)],
        Event::Exported { path, .. } if !folder.join("exported").exists() && path.ends_with("adapter") => {
            std::fs::create_dir(folder.join("exported")).unwrap();
            for entry in std::fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                std::fs::copy(entry.path(), folder.join("exported").join(entry.file_name())).unwrap();
            }
            Vec::new()
        }
        event if is_answered(event, last) || is_answered(event, first.0 + 100) => vec![Command::Resume],
        _ => Vec::new(),
    })
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
}

#[test]
fn a_classifier_answers_as_predict_does_with_the_exported_adapter() {
    let folder = workshop(false);
    let asked = "the parcel is late 7";
    let questions = [
        (1, text(asked), None),
        (2, text(asked), Some((0, 0))),
        (3, About::Row { row: 13 }, None),
        (4, text(asked), Some((7, 99))),
    ];
    let ran = asked_at_rest(folder.path(), &[], &questions);
    ran.summary();
    let of = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(of("rows.jsonl"), format!("{{\"text\": \"{asked}\"}}\n")).unwrap();
    let [model, adapter, rows, out] = ["model", "exported", "rows.jsonl", "out.jsonl"].map(of);
    spartui(&["predict", "--model", &model, "--adapter", &adapter, "--input", &rows, "--output", &out]);
    let line: Value = serde_json::from_str(std::fs::read_to_string(out).unwrap().trim()).unwrap();
    let expected: Vec<f32> = serde_json::from_value(line["probabilities"].clone()).unwrap();
    let (now, later) = (answer(&ran, 1), answer(&ran, 101));
    assert!(close(&now.classes[1], &expected), "{now:?} and {expected:?}");
    assert_eq!((later.at, &later.classes), (now.at, &now.classes), "the kept state is asked twelve steps later");
    let start = answer(&ran, 2);
    assert_eq!((start.at, &start.classes[0]), ((0, 0), &start.classes[1]), "before any training both are the base");
    assert_eq!(start.classes[0], now.classes[0]);
    // Counted round: there are 12 rows.
    let row = answer(&ran, 3);
    assert_eq!((row.expected.as_deref(), row.at), (Some("b"), now.at));
    assert!(row.text.as_deref().is_some_and(|text| text.contains("parcel")));
    let nowhere = answer(&ran, 4);
    assert!(nowhere.rejected.is_some_and(|why| why.contains("no state of step 99 of branch 7")));
}

#[test]
fn a_language_model_writes_as_generate_does() {
    let folder = workshop(true);
    let questions = [
        (1, text("the rain"), None),
        (2, About::Row { row: 0 }, None),
        (3, About::Chat { text: "hello".into() }, None),
    ];
    let ran = asked_at_rest(folder.path(), &["optimizer.learning_rate=0.05"], &questions);
    ran.summary();
    let of = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [model, adapter] = ["model", "exported"].map(of);
    let generate = |more: &[&str]| {
        let asked = ["generate", "--model", &model, "--prompt", "the rain", "--max-new-tokens", "12", "--json"];
        let line: Value = serde_json::from_str(&spartui(&[&asked, more].concat())).unwrap();
        line["text"].as_str().unwrap().to_owned()
    };
    let (now, later) = (answer(&ran, 1), answer(&ran, 101));
    assert_eq!(now.written, [generate(&[]), generate(&["--adapter", &adapter])], "{now:?}");
    assert_ne!(now.written[0], now.written[1]);
    assert_eq!((later.at, later.written), (now.at, now.written));
    let row = answer(&ran, 2);
    assert!(row.done && row.text.as_deref() == Some("the") && row.expected.is_some(), "{row:?}");
    let chat = answer(&ran, 3);
    assert!(chat.done || chat.rejected.is_some_and(|why| why.contains("no chat template")));
}

#[test]
fn where_everything_trains_the_base_model_is_the_kept_start_or_refused() {
    let folder = workshop(false);
    let full = ["method.kind=full", "optimizer.learning_rate=1e-4"];
    let asked = "the parcel is late 7";
    let questions = [(1, text(asked), None), (2, text(asked), Some((0, 0)))];
    let ran = asked_at_rest(folder.path(), &full, &questions);
    let (now, start) = (answer(&ran, 1), answer(&ran, 2));
    assert_eq!(start.classes[0], start.classes[1]);
    assert_eq!(now.classes[0], start.classes[0]);
    assert_ne!(now.classes[0], now.classes[1]);
    let course_asked = course(&folder.path().join("runs/asked"));
    let silent = drive(
        launch(folder.path(), "silent", &[&full[..], &["train.max_steps=60", "train.keep_checkpoints=20"]].concat()),
        |_| Vec::new(),
    );
    silent.summary();
    assert_eq!(course_asked, course(&folder.path().join("runs/silent")));
    let none = workshop(false);
    let ran = asked_at_rest(none.path(), &[&full[..], &["history.budget_mb=0"]].concat(), &questions[..1]);
    let refused = answer(&ran, 1);
    assert!(refused.no_base.is_some_and(|why| why.contains("history.budget_mb")));
    assert!(refused.classes[0].is_empty() && refused.classes[1].len() == 3 && refused.done);
}

#[test]
fn of_the_head_alone_the_base_is_the_model_with_the_first_head() {
    let folder = workshop(false);
    let questions = [(1, text("the parcel"), None), (2, text("the parcel"), Some((0, 0)))];
    let ran = asked_at_rest(folder.path(), &["method.kind=head", "optimizer.learning_rate=0.1"], &questions);
    let (now, start) = (answer(&ran, 1), answer(&ran, 2));
    assert_eq!((&start.classes[0], &now.classes[0]), (&start.classes[1], &start.classes[0]));
    assert_ne!(now.classes[0], now.classes[1]);
}

#[test]
fn what_is_asked_of_a_run_that_ends_is_refused() {
    let folder = workshop(true);
    let ran = drive(launch(folder.path(), "asked", &["train.max_steps=3"]), |event| match event {
        Event::Step(step) if step.step == 1 => (1..40).map(|id| predict(id, text("the rain the rain"), None)).collect(),
        _ => Vec::new(),
    });
    ran.summary();
    assert!(matches!(ran.events.last(), Some(Event::Finished(_))));
    let refused = (1..40).filter_map(|id| answer(&ran, id).rejected).collect::<Vec<_>>();
    assert!(refused.iter().any(|why| why.contains("wait already")), "{refused:?}");
    assert!(refused.iter().any(|why| why == "the run has ended"), "{refused:?}");
}
