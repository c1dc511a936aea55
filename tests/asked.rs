//! What a run is asked for and what is chosen for it, what it is given more of, and what it went on with although that had changed.

mod common;

use std::path::Path;
use std::process::Command as Process;

use common::runs::{Ran, course, drive, journal, launch, result, workshop};
use spartui::engine::{Launch, Replay, Resume};
use spartui::protocol::{Command, CommandStatus, Ending, Event, Level};
use spartui::recipe::{LearningRate, Recipe, Steps, Value};
use spartui::run::RunFolder;
use spartui::train::Session;

const RATE: &str = "optimizer.learning_rate";

fn resume(folder: &Path, run: &str, set: &[&str]) -> Resume {
    let set = set.iter().map(|set| (*set).to_owned()).collect();
    Resume { runs: folder.join("runs"), run: run.into(), set, allow_changed: Vec::new() }
}

fn replay(folder: &Path, run: &str, name: &str) -> Replay {
    Replay { runs: folder.join("runs"), run: run.into(), name: Some(name.into()), ..Replay::default() }
}

fn set(id: u64, field: &str, value: impl Into<Value>) -> Command {
    Command::Set { id, field: field.into(), value: value.into() }
}

fn warnings(ran: &Ran) -> Vec<&str> {
    let warnings = ran.events.iter().filter_map(|event| match event {
        Event::Note { level: Level::Warning, message } => Some(message.as_str()),
        _ => None,
    });
    warnings.collect()
}

/// The steps at which a run was evaluated, and its rates.
fn evaluated(ran: &Ran) -> (Vec<u64>, Vec<f64>) {
    let steps = ran.events.iter().filter_map(|event| match event {
        Event::Evaluated(evaluation) => Some(evaluation.step),
        _ => None,
    });
    let rates = ran.events.iter().filter_map(|event| match event {
        Event::Step(step) => Some(step.learning_rate),
        _ => None,
    });
    (steps.collect(), rates.collect())
}

/// As [`workshop`], with all that the recipe can leave to its defaults.
fn plain() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 12\nbatch_size = 8\n");
    let recipe = folder.path().join("recipe.toml");
    let text = std::fs::read_to_string(&recipe).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("learning_rate")).collect();
    std::fs::write(recipe, kept.join("\n")).unwrap();
    // Other texts than those of the training rows, which would be remarked upon.
    let row = |at: usize| {
        format!("{{\"text\": \"the invoice is wrong {at}\", \"label\": \"{}\"}}\n", ["a", "b", "c"][at % 3])
    };
    std::fs::write(folder.path().join("validation.jsonl"), (0..12).map(row).collect::<String>()).unwrap();
    folder
}

#[test]
fn a_new_run_from_the_recipe_of_another_chooses_anew_and_the_run_itself_does_not() {
    let folder = plain();
    drive(launch(folder.path(), "first", &["train.epochs=4"]), |_| Vec::new()).summary();
    let file = folder.path().join("runs/first/recipe.toml");
    let run = RunFolder::open(file.parent().unwrap()).unwrap();
    let LearningRate::At(sparta) = run.recipe().optimizer.learning_rate else { panic!("no number") };
    assert_eq!(run.recipe().schedule.warmup_steps, Steps::Count(2));
    let session = |overrides: &[&str]| {
        let overrides: Vec<String> = overrides.iter().map(|&set| set.to_owned()).collect();
        Session::load(Recipe::load(&file, &overrides).unwrap(), &mut |_, _| {}).unwrap()
    };
    assert_eq!(session(&[]).learning_rate(), sparta);
    let lora = session(&["method.kind=lora", "method.rank=2"]);
    let by_rule = lora.recipe.method.learning_rate(lora.method.trainable(), lora.model.base_parameters(), None).rate;
    assert_eq!(lora.learning_rate(), by_rule);
    assert!(by_rule != sparta, "{by_rule}");
    assert_eq!(session(&["train.max_steps=30", "train.epochs=20"]).recipe.schedule.warmup_steps, Steps::Count(3));
    assert_eq!(session(&["optimizer.learning_rate=0.003"]).learning_rate(), 0.003);

    // The number of the run holds where it goes on or is repeated, whatever the rule says by then.
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"optimizer.learning_rate\" = \"auto\""), "{text}");
    std::fs::remove_dir_all(folder.path().join("runs/first/checkpoints")).unwrap();
    std::fs::write(&file, text.replace(&format!("\nlearning_rate = {sparta}"), "\nlearning_rate = 0.00077")).unwrap();
    let again = drive(replay(folder.path(), "first", "again"), |_| Vec::new());
    let (_, rates) = evaluated(&again);
    assert!(rates.iter().all(|rate| *rate <= 0.000_77) && (rates[1] - 0.000_77).abs() < 1e-12, "{rates:?}");
}

#[test]
fn by_default_a_short_run_reaches_its_rate_and_is_evaluated_ten_times_at_most() {
    let folder = plain();
    let ran =
        drive(launch(folder.path(), "short", &["train.epochs=4", "optimizer.learning_rate=0.004"]), |_| Vec::new());
    assert_eq!(ran.summary().steps, 12);
    let (evaluations, rates) = evaluated(&ran);
    assert_eq!(evaluations, [2, 4, 6, 8, 10, 12]);
    let highest = rates.iter().copied().fold(0.0, f64::max);
    assert!((highest - 0.004).abs() < 1e-12, "{rates:?}");
    assert_eq!(warnings(&ran), [""; 0]);
    let checkpoints = std::fs::read_dir(folder.path().join("runs/short/checkpoints")).unwrap().count();
    assert!(checkpoints >= 3, "{checkpoints}");
}

#[test]
fn train_and_plan_warn_of_a_rate_and_a_warm_up_that_cannot_be_meant() {
    let folder = plain();
    let settings = ["train.epochs=4", "optimizer.learning_rate=5", "schedule.warmup_steps=100"];
    let ran = drive(launch(folder.path(), "wild", &settings), |event| match event {
        Event::Ready(_) => vec![Command::Abort],
        _ => Vec::new(),
    });
    let said = warnings(&ran).join("\n");
    assert!(
        said.contains("the warm-up of 100 steps is longer than the run, which has 12: the rate never reaches its peak"),
        "{said}"
    );
    assert!(said.contains("optimizer.learning_rate 5 is ") && said.contains("of the rule (sparta, "), "{said}");
    let mut plan = Process::new(env!("CARGO_BIN_EXE_spartui"));
    plan.args(["plan", "recipe.toml", "--no-calibration"]).current_dir(folder.path());
    for set in settings {
        plan.args(["--set", set]);
    }
    let printed = String::from_utf8(plan.output().unwrap().stdout).unwrap();
    for message in warnings(&ran) {
        assert!(printed.contains(&format!("warning     {message}")), "{message}\n{printed}");
    }
    let json = String::from_utf8(plan.arg("--json").output().unwrap().stdout).unwrap();
    assert!(json.lines().any(|line| line.contains("\"part\":\"remarks\"") && line.contains("warm-up")), "{json}");
}

#[test]
fn a_plan_as_json_has_what_the_plan_says_of_the_models_files() {
    let folder = plain();
    let weights = folder.path().join("model/model.safetensors");
    let mut tensors = tch::Tensor::read_safetensors(&weights).unwrap();
    tensors.push(("strange.weight".into(), tch::Tensor::from_slice(&[1.0f32])));
    tch::Tensor::write_safetensors(&tensors, weights).unwrap();
    let plan = |more: &[&str]| {
        let mut plan = Process::new(env!("CARGO_BIN_EXE_spartui"));
        plan.args(["plan", "recipe.toml", "--no-calibration"]).args(more).current_dir(folder.path());
        String::from_utf8(plan.output().unwrap().stdout).unwrap()
    };
    let said = "the model's files hold 1 tensor (strange.weight) that nobody reads: config.json has no place for them";
    let printed = plan(&[]);
    assert!(printed.contains(&format!("warning     {said}")), "{printed}");
    let told = format!("{{\"part\":\"model_remarks\",\"remarks\":[{{\"text\":\"{said}\",\"warns\":true}}]}}");
    let json = plan(&["--json"]);
    assert!(json.lines().any(|line| line == told), "{json}");
}

#[test]
fn more_epochs_are_counted_from_the_first_step_on() {
    let folder = workshop(false);
    let first = drive(launch(folder.path(), "a", &["train.epochs=4"]), |_| Vec::new());
    let before = first.summary().clone();
    assert_eq!(before.steps, 12);
    let more = drive(resume(folder.path(), "a", &["train.epochs=6.5"]), |_| Vec::new());
    let told: Vec<u64> = more
        .events
        .iter()
        .filter_map(|event| match event {
            Event::TotalSteps { total_steps } => Some(*total_steps),
            _ => None,
        })
        .collect();
    assert_eq!(told, [20]);
    let Some(Event::Ready(ready)) = more.events.iter().find(|event| matches!(event, Event::Ready(_))) else {
        panic!("it was never ready");
    };
    assert!(ready.seconds > 0.0);
    assert_eq!(more.summary().steps, 20);
    assert!(more.summary().seconds > ready.seconds, "{} {}", more.summary().seconds, ready.seconds);
    let status = RunFolder::open(&folder.path().join("runs/a")).unwrap().status().unwrap();
    assert_eq!((status.steps, status.total_steps), (Some(20), Some(20)));
    drive(replay(folder.path(), "a", "again"), |_| Vec::new()).summary();
    assert_eq!(result(&folder.path().join("runs/again")), result(&folder.path().join("runs/a")));
}

#[test]
fn to_go_back_before_a_change_that_was_taken_back_does_not_bring_it_back() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    let mut asked = vec![
        (12, set(1, "optimizer.weight_decay", 0.1)),
        (20, set(2, RATE, 5e-3)),
        (30, set(3, RATE, 1e-3)),
        (40, Command::Undo { id: 4 }),
    ];
    let ran = drive(launch(folder.path(), "a", &[]), move |event| match event {
        Event::Step(step) if asked.first().is_some_and(|(at, _)| *at == step.step) => vec![asked.remove(0).1],
        Event::Rewound { .. } => vec![Command::Undo { id: 5 }],
        _ => Vec::new(),
    });
    let rewound: Vec<u64> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Rewound { step, .. } => Some(*step),
            _ => None,
        })
        .collect();
    // The rate was set and set back, so that the decay is the last change that stands.
    let decay = ran.events.iter().find_map(|event| match event {
        Event::Intervention(change) if change.field == "optimizer.weight_decay" => Some(change.step),
        _ => None,
    });
    assert_eq!(rewound, [decay.unwrap()]);
    let refused =
        |event: &Event| matches!(event, Event::CommandStatus { id: 5, status: CommandStatus::Rejected { .. } });
    assert!(ran.events.iter().any(refused), "there was nothing left to undo");
    assert_eq!(ran.summary().steps, 300);
    assert!(
        journal(&runs.join("a")).iter().any(|entry| entry.contains("\"changes\":3")),
        "{:?}",
        journal(&runs.join("a"))
    );
    drive(replay(folder.path(), "a", "again"), |_| Vec::new()).summary();
    assert_eq!(course(&runs.join("again")), course(&runs.join("a")));
    assert_eq!(result(&runs.join("again")), result(&runs.join("a")));
}

#[test]
fn a_run_that_went_on_with_other_rows_is_not_repeated_as_if_it_had_always_had_them() {
    let folder = workshop(false);
    let terminate = |event: &Event| match event {
        Event::Step(step) if step.step == 20 => vec![Command::Terminate],
        _ => Vec::new(),
    };
    drive(launch(folder.path(), "a", &["train.max_steps=150"]), terminate).summary();
    let train = folder.path().join("train.jsonl");
    let rows = std::fs::read_to_string(&train).unwrap();
    std::fs::write(&train, rows.replacen("late", "lost", 1)).unwrap();
    let allow = || vec!["data".to_owned()];
    let mut from = 0;
    let going = drive(Resume { allow_changed: allow(), ..resume(folder.path(), "a", &[]) }, |event| match event {
        Event::Ready(ready) => {
            from = ready.step;
            Vec::new()
        }
        Event::Step(step) if step.step == from + 20 && step.branch == 0 => {
            vec![Command::Rewind { id: 1, step: 9 }, Command::Rewind { id: 2, step: from + 13 }]
        }
        Event::Rewound { .. } => vec![Command::Terminate],
        _ => Vec::new(),
    });
    assert!((20..100).contains(&from), "{from}");
    let status = |wanted: u64| {
        going.events.iter().find_map(|event| match event {
            Event::CommandStatus { id, status } if *id == wanted => Some(status.clone()),
            _ => None,
        })
    };
    let Some(CommandStatus::Rejected { why }) = status(1) else { panic!("{:?}", status(1)) };
    assert!(
        why.contains("was taken with other data") && why.contains("go to one of the states that are kept"),
        "{why}"
    );
    assert!(matches!(status(2), Some(CommandStatus::Applied { .. })), "{:?}", status(2));
    drive(resume(folder.path(), "a", &[]), |_| Vec::new()).summary();

    let refused = drive(replay(folder.path(), "a", "again"), |_| Vec::new()).fault;
    for part in [
        format!("went on after step {from} although something had changed").as_str(),
        "\"train.jsonl\" was",
        "--allow-changed data",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    let repeated = drive(Replay { allow_changed: allow(), ..replay(folder.path(), "a", "again") }, |_| Vec::new());
    assert_eq!(repeated.summary().ending, Ending::Completed);
    let said = warnings(&repeated).join("\n");
    assert!(said.contains(&format!("the run took its steps up to {from} with other data")), "{said}");
    assert_ne!(result(&folder.path().join("runs/again")), result(&folder.path().join("runs/a")));
    // The repeat had one set of rows all along.
    drive(replay(folder.path(), "again", "once-more"), |_| Vec::new()).summary();
}

#[test]
fn without_validation_rows_nothing_is_evaluated_and_parts_of_epochs_are_trained() {
    let folder = workshop(false);
    let settings = ["data.validation=0", "train.epochs=2.5"];
    let ran = drive(launch(folder.path(), "a", &settings), |_| Vec::new());
    // Three steps an epoch, rounded up as transformers does.
    assert_eq!((ran.summary().steps, ran.summary().best), (8, None));
    assert_eq!(evaluated(&ran).0, [0_u64; 0]);
    let run = folder.path().join("runs/a");
    assert!(run.join("adapter").is_dir() && !run.join("predictions.jsonl").exists());
    let half = drive(launch(folder.path(), "half", &["train.epochs=0.5", "data.validation=0"]), |_| Vec::new());
    assert_eq!(half.summary().steps, 2);
    let stopped = drive(launch(folder.path(), "stopped", &["data.validation=0"]), |event| match event {
        Event::Step(step) if step.step == 5 => vec![Command::Evaluate { id: 1 }, Command::Stop],
        _ => Vec::new(),
    });
    let refused = |event: &Event| match event {
        Event::CommandStatus { id: 1, status: CommandStatus::Rejected { why } } => why.contains("no validation rows"),
        _ => false,
    };
    assert!(stopped.events.iter().any(refused));
    assert_eq!(stopped.summary().ending, Ending::Stopped);
    drive(replay(folder.path(), "stopped", "again"), |_| Vec::new()).summary();
    let patient =
        drive(launch(folder.path(), "b", &["data.validation=0", "train.early_stopping_patience=2"]), |_| Vec::new());
    assert!(patient.fault.contains("train.early_stopping_patience counts evaluations"), "{}", patient.fault);
    let keeping = ["data.validation=0", "train.keep=best"];
    let keeping = drive(launch(folder.path(), "keeping", &keeping), |_| Vec::new());
    assert!(keeping.fault.contains("train.keep = \"best\" goes by evaluations"), "{}", keeping.fault);
}

#[test]
fn name_and_place_are_checked_before_anything_is_loaded_and_a_run_is_replaced_where_that_is_asked() {
    let folder = workshop(false);
    let settings = ["train.epochs=1", "method.seed=1"];
    drive(launch(folder.path(), "a", &settings), |_| Vec::new()).summary();
    let at_once = |launch: Launch, why: &str| {
        let ran = drive(launch, |_| Vec::new());
        assert!(ran.fault.contains(why), "{}", ran.fault);
        assert_eq!(ran.events.len(), 1, "something was loaded before: {:?}", ran.events);
    };
    at_once(launch(folder.path(), "a", &settings), "there is a run");
    at_once(launch(folder.path(), "a/b", &settings), "has a separator");
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    at_once(
        Launch { runs: blocked.join("runs"), ..launch(folder.path(), "b", &[]) },
        "cannot write to the runs folder",
    );
    let other = folder.path().join("runs/notes");
    std::fs::create_dir(&other).unwrap();
    at_once(Launch { overwrite: true, ..launch(folder.path(), "notes", &[]) }, "is no");
    assert!(other.is_dir());

    let again =
        |settings: &[&str]| drive(Launch { overwrite: true, ..launch(folder.path(), "a", settings) }, |_| Vec::new());
    let broken = again(&["data.label=nothing"]);
    assert!(!broken.fault.is_empty() && folder.path().join("runs/a/adapter").is_dir(), "{}", broken.fault);
    assert_eq!(again(&["train.epochs=2"]).summary().steps, 6);
    assert_eq!(journal(&folder.path().join("runs/a")).len(), 0);
    drive(Launch { overwrite: true, ..launch(folder.path(), "new", &settings) }, |_| Vec::new()).summary();
}

/// The bytes of a run depend on the number of threads. Where a replay ends with others, it says so.
#[test]
fn a_replay_with_another_number_of_threads_says_why_it_differs() {
    let folder = workshop(false);
    let spartui = |threads: &str, arguments: &[&str]| {
        let output = Process::new(env!("CARGO_BIN_EXE_spartui"))
            .args(arguments)
            .current_dir(folder.path())
            .env("OMP_NUM_THREADS", threads)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    spartui("1", &["train", "recipe.toml", "--run", "one", "--headless", "--set", "train.max_steps=20"]);
    let (status, same) = spartui("1", &["replay", "one", "--run", "same"]);
    assert_eq!(status, Some(0), "{same}");
    assert!(same.contains("the result is that of one, byte for byte"), "{same}");
    // Whether the bytes of so small a run differ is the machine's affair; here they do.
    let adapter = folder.path().join("runs/one/adapter/config.json");
    let mut bytes = std::fs::read(&adapter).unwrap();
    bytes.push(b' ');
    std::fs::write(&adapter, bytes).unwrap();
    let why = "since it was trained with 1 thread and this run with 2; OMP_NUM_THREADS=1 repeats it";
    let (status, other) = spartui("2", &["replay", "one", "--run", "other"]);
    assert_eq!(status, Some(1), "{other}");
    assert!(other.contains("the result is not that of one") && other.contains(why), "{other}");
    let (status, again) = spartui("1", &["replay", "one", "--run", "again"]);
    assert_eq!(status, Some(1), "{again}");
    assert!(again.contains("the result is not that of one") && !again.contains("threads"), "{again}");
}
