//! `learning_rate = "auto"`: a number from the launch on, and the rate that goes with a change of the sparsity.

mod common;
#[path = "../crates/interface/tests/support/synthetic.rs"]
mod synthetic;

use std::path::Path;
use std::process::Command as Process;

use common::runs::{drive, journal, launch, result, workshop};
use spartui::engine::{Race, Replay};
use spartui::interface::Effect;
use spartui::protocol::{Command, Consequences, Event};
use spartui::recipe::{LearningRate, Recipe, Value};
use spartui::train::Session;
use synthetic::{Desk, consequences};

const RATE: &str = "optimizer.learning_rate";
const SPARSITY: &str = "method.sparsity";
const AUTO: &str = "optimizer.learning_rate=auto";
const HEAD_RATE: &str = "optimizer.head_learning_rate";
const HEAD_IS_GIVEN: &str = "optimizer.head_learning_rate=0.003";

fn session(folder: &Path, overrides: &[&str]) -> Session {
    Session::load(launch(folder, "unused", overrides).recipe, &mut |_, _| {}).unwrap()
}

fn rate_of(run: &Path) -> f64 {
    match Recipe::load_run(&run.join("recipe.toml")).unwrap().optimizer.learning_rate {
        LearningRate::At(rate) => rate,
        LearningRate::Auto | LearningRate::Race => panic!("the recipe of the run {} says no number", run.display()),
    }
}

#[test]
fn it_is_what_the_method_and_the_density_ask_for() {
    let folder = workshop(false);
    let kinds = ["kind=sparta", "kind=lora", "kind=full", "kind=head"];
    let selections = ["selection=smallest", "selection=largest", "selection=gradient", "selection=dynamic"];
    for method in kinds.into_iter().chain(selections) {
        let session = session(folder.path(), &[AUTO, &format!("method.{method}"), "method.rank=2"]);
        assert!(session.method.trainable() > 0 || method == "kind=head", "{method}");
        let expected =
            session.recipe.method.learning_rate(session.method.trainable(), session.model.base_parameters(), None);
        assert_eq!(session.recipe.optimizer.learning_rate, LearningRate::At(expected.rate), "{method}");
        assert_eq!(session.chosen_rate(), Some(expected), "{method}");
    }
    let given = session(folder.path(), &[]);
    assert_eq!((given.learning_rate(), given.chosen_rate()), (1e-3, None));
}

#[test]
fn on_a_language_model_it_goes_by_what_the_model_knows_of_the_rows() {
    let folder = workshop(true);
    let of = |overrides: &[&str]| session(folder.path(), &[&[AUTO], overrides].concat());
    let chosen = of(&[]).chosen_rate().unwrap();
    assert!(chosen.basis().contains("% of the loss of guessing"), "{}", chosen.basis());
    // The same of every session that begins so; a method with other tensors measures the same model.
    assert_eq!(of(&[]).chosen_rate(), Some(chosen));
    let surprise = |session: &Session| {
        let basis = session.chosen_rate().unwrap().basis();
        basis.rsplit(", ").next().unwrap().to_owned()
    };
    assert_eq!(surprise(&of(&["method.kind=full"])), surprise(&of(&[])));
    // After training, the rule still goes by the base model.
    let mut trained = of(&[]);
    let before = trained.learning_rate();
    (0..5).for_each(|_| _ = trained.train_step().unwrap());
    trained.set(RATE, Value::Float(1.0)).unwrap();
    trained.set(RATE, Value::String("auto".into())).unwrap();
    assert_eq!(trained.learning_rate(), before);
    assert!(of(&["method.kind=vera", "method.vera.rank=4"]).chosen_rate().unwrap().basis().contains("guessing"));
}

#[test]
fn a_head_has_a_rate_of_its_own_where_the_rule_chooses_and_else_that_of_the_weights() {
    let folder = workshop(false);
    for kind in ["sparta", "lora", "full"] {
        let session = session(folder.path(), &[AUTO, &format!("method.kind={kind}"), "method.rank=2"]);
        let own = session.chosen_rate().unwrap().head.unwrap();
        assert_eq!(session.recipe.optimizer.head_learning_rate, LearningRate::At(own), "{kind}");
        assert!(session.head_learning_rate() > session.learning_rate() || kind == "sparta", "{kind}");
    }
    let follows = |overrides: &[&str]| {
        let session = session(folder.path(), overrides);
        assert_eq!(session.recipe.optimizer.head_learning_rate, LearningRate::Auto, "{overrides:?}");
        assert_eq!(session.head_learning_rate(), session.learning_rate(), "{overrides:?}");
    };
    follows(&[]);
    follows(&[AUTO, "method.kind=head"]);
    let given = session(folder.path(), &[AUTO, HEAD_IS_GIVEN]);
    assert_eq!((given.head_learning_rate(), given.chosen_rate().unwrap().head), (0.003, None));
    let mut steered = session(folder.path(), &[]);
    steered.set(RATE, Value::Float(5e-4)).unwrap();
    assert_eq!(steered.head_learning_rate(), 5e-4);
    steered.set(HEAD_RATE, Value::Float(0.003)).unwrap();
    steered.set(RATE, Value::Float(1e-4)).unwrap();
    assert_eq!((steered.learning_rate(), steered.head_learning_rate()), (1e-4, 0.003));
}

#[test]
fn head_and_weights_move_at_their_own_rates() {
    let folder = workshop(false);
    let moved = |overrides: &[&str]| {
        let rest = ["schedule.warmup_steps=0", "schedule.min_learning_rate=0"];
        let mut session = session(folder.path(), &[overrides, &rest].concat());
        // Moments move in any case.
        let head = |session: &Session| {
            let values =
                session.head.state().into_iter().filter(|dense| dense.name.rsplit('.').next() == Some("value"));
            values.collect::<Vec<_>>()
        };
        let (before, weights) = (head(&session), session.method.state().sites);
        session.train_step().unwrap();
        (head(&session) != before, session.method.state().sites != weights)
    };
    let still = "optimizer.learning_rate=0";
    assert!(moved(&[still, HEAD_IS_GIVEN]).0);
    assert_eq!(moved(&["optimizer.head_learning_rate=0"]), (false, true));
    assert!(!moved(&[still]).0);
}

#[test]
fn a_run_says_it_writes_the_number_down_and_replays_to_the_same_bytes() {
    let folder = workshop(false);
    let overrides = [AUTO, "train.max_steps=12", "method.sparsity=0.95"];
    let mut asked = false;
    let ran = drive(launch(folder.path(), "first", &overrides), |event| match event {
        Event::Step(step) if step.step == 5 && !asked => {
            asked = true;
            let set = |id, field: &str, value| Command::Set { id, field: field.into(), value };
            vec![set(1, SPARSITY, Value::Float(0.8)), set(2, RATE, Value::String("auto".into()))]
        }
        _ => Vec::new(),
    });
    ran.summary();
    let run = folder.path().join("runs/first");
    let chosen = rate_of(&run);
    let says = |event: &Event| matches!(event, Event::Note { message, .. } if message.contains(&format!("{chosen:e}")));
    assert!(ran.events.iter().any(says), "nothing was said of {chosen:e}");
    // In the journal too, it is a number: the rule of another version is another one.
    let entries = journal(&run);
    let change = entries.iter().find(|entry| entry.contains(RATE)).expect("a change of the rate");
    let change: serde_json::Value = serde_json::from_str(change).unwrap();
    let (from, to) = (change["from"].as_f64().unwrap(), change["to"].as_f64().unwrap());
    assert!((from - chosen).abs() < 1e-12 && to < from, "{change}");

    let replay = Replay {
        run: "first".into(),
        runs: folder.path().join("runs"),
        name: Some("again".into()),
        allow_changed: Vec::new(),
    };
    drive(replay, |_| Vec::new()).summary();
    assert_eq!(result(&run), result(&folder.path().join("runs/again")));
}

#[test]
fn a_race_of_rates_chooses_one_and_leaves_nothing_else_behind() {
    for method in [
        &["method.kind=sparta", "method.sparsity=0.95"][..],
        &["method.kind=lora", "method.dropout=0.1"],
        &["method.kind=full"],
        &["method.kind=head"],
    ] {
        let folder = workshop(false);
        let runs = folder.path().join("runs");
        // Long enough for five rates and those of the head, or for three.
        let (steps, trials) = if method[0] == "method.kind=sparta" { (690, 7) } else { (190, 3) };
        let steps = format!("train.max_steps={steps}");
        let always = ["train.epochs=230", "train.evaluate_every=0", "train.checkpoint_every=0", steps.as_str()];
        let common = [method, &always].concat();
        let asked = ["optimizer.learning_rate=race", "optimizer.head_learning_rate=auto"];
        let ran = drive(launch(folder.path(), "raced", &[&common[..], &asked].concat()), |_| Vec::new());
        ran.summary();
        let notes: Vec<&String> = ran
            .events
            .iter()
            .filter_map(|event| if let Event::Note { message, .. } = event { Some(message) } else { None })
            .collect();
        let said = notes.iter().find(|note| note.starts_with("the race of learning rates chose"));
        let said = said.unwrap_or_else(|| panic!("{notes:?}"));
        assert_eq!(said.matches(" after ").count(), trials + 1, "{said}");
        let shown = ran
            .events
            .iter()
            .filter(|event| matches!(event, Event::Loading { what, .. } if what.starts_with("learning rate ")));
        assert!(shown.count() >= 18, "it is shown while it goes on");
        let recipe = Recipe::load_run(&runs.join("raced/recipe.toml")).unwrap();
        let number = |rate: LearningRate| match rate {
            LearningRate::At(rate) => rate,
            other => panic!("{other:?}"),
        };
        let rates = [number(recipe.optimizer.learning_rate), number(recipe.optimizer.head_learning_rate)];
        assert!(said.contains(&format!("chose {:e}", rates[0])), "{said}");
        // With that rate given, a run has the same bytes; and a new run from this recipe races again.
        let given =
            [format!("optimizer.learning_rate={}", rates[0]), format!("optimizer.head_learning_rate={}", rates[1])];
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        drive(launch(folder.path(), "given", &[&common[..], &given].concat()), |_| Vec::new()).summary();
        let of = |run: &str| std::fs::read(runs.join(run).join("predictions.jsonl")).unwrap();
        assert!(of("raced") == of("given"), "{method:?}");
        assert_eq!(
            Recipe::load(&runs.join("raced/recipe.toml"), &[]).unwrap().optimizer.learning_rate,
            LearningRate::Race
        );
        // The same race chooses the same.
        drive(launch(folder.path(), "again", &[&common[..], &asked].concat()), |_| Vec::new()).summary();
        let again = Recipe::load_run(&runs.join("again/recipe.toml")).unwrap();
        assert_eq!(again.optimizer, recipe.optimizer);
    }
}

#[test]
fn a_short_run_has_no_race_and_says_so() {
    let folder = workshop(false);
    let asked = ["optimizer.learning_rate=race", "train.max_steps=100"];
    let ran = drive(launch(folder.path(), "short", &asked), |_| Vec::new());
    ran.summary();
    let says = |event: &Event| matches!(event, Event::Note { message, .. } if message.starts_with("the run is too short for a race"));
    assert!(ran.events.iter().any(says));
    let rule = session(folder.path(), &[AUTO]).learning_rate();
    assert_eq!(rate_of(&folder.path().join("runs/short")), rule);
    let mut session = session(folder.path(), &[AUTO]);
    let why = session.set(RATE, Value::String("race".into())).unwrap_err();
    assert!(why.contains("before the first step"), "{why}");
}

#[test]
fn a_change_of_the_sparsity_offers_the_rate_that_goes_with_it() {
    let folder = workshop(false);
    let mut chosen = session(folder.path(), &[AUTO, "method.sparsity=0.95"]);
    let (now, then) = chosen.preview(SPARSITY, Value::Float(0.8)).unwrap().rate.unwrap();
    assert_eq!(now, chosen.learning_rate());
    chosen.set(SPARSITY, Value::Float(0.8)).unwrap();
    chosen.set(RATE, Value::String("auto".into())).unwrap();
    assert!((chosen.learning_rate() / then - 1.0).abs() < 0.06, "two digits apart: {} {then}", chosen.learning_rate());
    assert!(then < now, "more trains, at a lower rate");
    // Whoever trains at half the rule's rate is offered half of it.
    let halved = format!("{RATE}={}", now / 2.0);
    let half = session(folder.path(), &[&halved, "method.sparsity=0.95"]);
    let (_, offered) = half.preview(SPARSITY, Value::Float(0.8)).unwrap().rate.unwrap();
    assert!((offered / then - 0.5).abs() < 0.03, "{offered} {then}");
    // To ask the rule tells what it will choose.
    let (_, chosen) = half.preview(RATE, Value::String("auto".into())).unwrap().rate.unwrap();
    assert_eq!(chosen, now);
    // What leaves the selection alone offers nothing.
    assert_eq!(half.preview("optimizer.weight_decay", Value::Float(0.1)).unwrap().rate, None);
    assert_eq!(half.preview(SPARSITY, Value::Float(0.95)).unwrap().rate, None);
}

#[test]
fn each_lane_of_a_race_has_its_own() {
    let folder = workshop(false);
    let lanes = [0.8, 0.95].map(|sparsity| vec![(SPARSITY.to_owned(), Value::Float(sparsity))]).to_vec();
    let race = Race { launch: launch(folder.path(), "race", &[AUTO, "train.max_steps=2"]), lanes, halve_every: None };
    drive(race, |_| Vec::new());
    let [dense, sparse] = ["lane-1", "lane-2"].map(|lane| rate_of(&folder.path().join("runs/race/lanes").join(lane)));
    assert!(sparse > dense, "{sparse} {dense}");
}

#[test]
fn a_plan_tells_it_and_its_reason_before_the_launch() {
    let folder = workshop(false);
    let plan = |more: &[&str]| {
        let program = env!("CARGO_BIN_EXE_spartui");
        let arguments = ["plan", "recipe.toml", "--no-calibration", "--set", AUTO];
        let output = Process::new(program).args(arguments).args(more).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let chosen = session(folder.path(), &[AUTO]).chosen_rate().unwrap();
    assert!(plan(&[]).contains(&chosen.remark()));
    let parts: Vec<serde_json::Value> =
        plan(&["--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = parts.iter().find(|part| part["part"] == "rate").expect("a part with the rate");
    assert_eq!((told["rate"].as_f64(), told["basis"].as_str()), (Some(chosen.rate), Some(chosen.basis().as_str())));
    assert_eq!(told["head"].as_f64(), chosen.head);
}

#[test]
fn a_key_takes_the_rate_that_goes_with_a_pending_sparsity_along() {
    let mut desk = Desk::training((80, 24), "dark", 150);
    desk.press("] Ctrl-R");
    assert_eq!(desk.effects.len(), 1, "the rate is not known yet");
    desk.foresee(Ok(consequences()));
    assert!(desk.text().contains("Ctrl-R: also set learning rate to 7e-4"), "{}", desk.text());
    desk.press("Ctrl-R");
    let sets = desk.effects[1..].iter().map(|effect| match effect {
        Effect::Send(Command::Set { field, value: Value::Float(value), .. }) => (field.as_str(), *value),
        other => panic!("{other:?}"),
    });
    assert_eq!(sets.collect::<Vec<_>>(), [(SPARSITY, 0.995), (RATE, 7e-4)]);

    let mut same = Desk::training((80, 24), "dark", 150);
    same.press("]");
    same.foresee(Ok(Consequences { rate: None, ..consequences() }));
    same.press("Ctrl-R");
    assert_eq!(same.effects.len(), 1, "there is no other rate");
}
