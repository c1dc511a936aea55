//! How much trains, and which scalars: settings, live changes, and what is repeated of them.

mod common;

use std::path::Path;

use common::runs::{course, drive, journal, launch, result, workshop};
use spartui::engine::{Replay, Resume};
use spartui::protocol::{Command, CommandStatus, Event};
use spartui::recipe::{Recipe, Value};
use spartui::run::{RunFolder, take_count};
use spartui::train::Session;

fn recipe(folder: &Path, overrides: &[&str]) -> Recipe {
    let overrides: Vec<String> = overrides.iter().map(|&assignment| assignment.to_owned()).collect();
    Recipe::load(&folder.join("recipe.toml"), &overrides).unwrap()
}

fn session(folder: &Path, overrides: &[&str]) -> Session {
    Session::load(recipe(folder, overrides), &mut |_, _| {}).unwrap()
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

fn set(id: u64, field: &str, value: impl Into<Value>) -> Command {
    Command::Set { id, field: field.into(), value: value.into() }
}

#[test]
fn sparsity_count_and_run_take_each_others_place() {
    let mut recipe = Recipe::default();
    let count = |recipe: &Recipe| (recipe.method.trainable, recipe.method.same_as.clone());
    recipe.set("method.trainable", Value::Integer(5000)).unwrap();
    recipe.set("method.match", "first".into()).unwrap();
    assert_eq!(count(&recipe), (0, "first".into()));
    recipe.set("method.trainable", Value::Integer(700)).unwrap();
    assert_eq!(count(&recipe), (700, String::new()));
    recipe.set("method.match", "".into()).unwrap();
    assert_eq!(count(&recipe), (700, String::new()));
    recipe.set("method.sparsity", Value::Float(0.9)).unwrap();
    assert_eq!(count(&recipe), (0, String::new()));
    let parse = |text: &str, overrides: &[String]| Recipe::parse(text, Path::new(""), overrides);
    // In whatever order a file has them.
    let text = "[method]\ntrainable = 900\nsparsity = 0.5\n";
    assert_eq!(count(&parse(text, &[]).unwrap()).0, 900);
    assert_eq!(count(&parse(text, &["method.sparsity=0.6".into()]).unwrap()).0, 0);
    assert_eq!(count(&parse("[method]\nmatch = \"first\"\nsparsity = 0.5\n", &[]).unwrap()).1, "first");
    let why = parse("[method]\nmatch = \"first\"\ntrainable = 5\n", &[]).unwrap_err();
    assert!(why.message().contains("give one of them"), "{why}");
    assert!(parse("[method]\ntrainable = -1\n", &[]).is_err());
}

#[test]
fn a_count_is_met_to_the_scalar_and_follows_live_changes() {
    let folder = workshop(false);
    let mut session = session(folder.path(), &["method.trainable=1000"]);
    assert_eq!(session.trainable(), 1000);
    assert!((session.recipe.method.sparsity - session.sparsity()).abs() < 1e-12);
    let head = session.head.head.parameters();
    session.train_step().unwrap();
    let preview = session.preview("method.trainable", Value::Integer(777)).unwrap();
    assert_eq!((preview.trainable, preview.leaving), ((1000, 777), 223));
    session.set("method.trainable", Value::Integer(777)).unwrap();
    assert_eq!(session.trainable(), 777);
    // The derived sparsity means the same count.
    let sparsity = session.setting("method.sparsity").unwrap();
    session.set("method.sparsity", sparsity).unwrap();
    assert_eq!((session.trainable(), session.recipe.method.trainable), (777, 0));
    let low = session.set("method.trainable", Value::Integer(head.cast_signed())).unwrap_err();
    assert!(low.contains("method.trainable") && low.contains(&format!("take {} or more", head + 1)), "{low}");
    let high = session.set("method.trainable", Value::Integer(1 << 40)).unwrap_err();
    assert!(high.contains("too high"), "{high}");
    assert_eq!(session.trainable(), 777);
    session.train_step().unwrap();
}

#[test]
fn a_run_steered_by_counts_is_repeated_byte_for_byte() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    let settings = ["method.trainable=900", "train.epochs=20"];
    let script = at_steps(vec![
        (9, set(1, "method.trainable", 400)),
        (17, set(2, "method.sparsity", 0.95)),
        (24, set(3, "method.trainable", 1200)),
        (31, Command::Rewind { id: 4, step: 12 }),
        (40, set(5, "method.trainable", 0)),
        (44, Command::Terminate),
    ]);
    let ran = drive(launch(folder.path(), "whole", &settings), script);
    let applied = |id: u64| {
        ran.events.iter().any(|event| {
            matches!(event, Event::CommandStatus { id: of, status: CommandStatus::Applied { .. } } if *of == id)
        })
    };
    assert!((1..=5).all(applied));
    // The interface hears of what followed.
    let told =
        |field: &str| ran.events.iter().any(|event| matches!(event, Event::Setting { field: of, .. } if of == field));
    assert!(told("method.sparsity") && told("method.trainable"));
    let resume = Resume { runs: runs.clone(), run: "whole".into(), ..Resume::default() };
    drive(resume, |_| Vec::new()).summary();
    let replay = Replay { runs: runs.clone(), run: "whole".into(), name: Some("again".into()), ..Replay::default() };
    drive(replay, |_| Vec::new()).summary();
    assert_eq!(course(&runs.join("again")), course(&runs.join("whole")));
    assert_eq!(journal(&runs.join("again")), journal(&runs.join("whole")));
    assert_eq!(result(&runs.join("again")), result(&runs.join("whole")));
}

#[test]
fn a_run_as_large_as_another_needs_that_no_more() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    drive(launch(folder.path(), "first", &["method.trainable=1234", "train.epochs=2"]), |_| Vec::new()).summary();
    let why = Session::load(recipe(folder.path(), &["method.match=first"]), &mut |_, _| {}).unwrap_err();
    assert!(why.message().contains("looked up where a run is launched"), "{why}");
    let mut second = launch(folder.path(), "second", &["method.match=first", "train.epochs=2"]);
    take_count(&mut second.recipe, &runs).unwrap();
    let ran = drive(second, |_| Vec::new());
    let steps: Vec<u64> = ran
        .events
        .iter()
        .filter_map(|event| if let Event::Step(step) = event { Some(step.trainable) } else { None })
        .collect();
    assert!(!steps.is_empty() && steps.iter().all(|count| *count == 1234));
    std::fs::remove_dir_all(runs.join("first")).unwrap();
    let written = RunFolder::open(&runs.join("second")).unwrap();
    assert_eq!((written.recipe().method.trainable, written.recipe().method.same_as.as_str()), (1234, ""));
}
