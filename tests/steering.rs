//! Live changes and memory on the demo's own model and data.

mod common;

use std::ops::ControlFlow;

use spartui::engine::{Engine, Launch};
use spartui::protocol::{Command, Event};
use spartui::recipe::{Recipe, Value};
use spartui::train::Session;

/// Which scalars train: site and flat index.
fn selected(session: &Session) -> Vec<(usize, i64)> {
    let sites = common::methods::deltas_by_site(session).into_iter();
    let mut scalars: Vec<(usize, i64)> = sites
        .flat_map(|(site, parts)| {
            let training = parts.into_iter().filter(|part| part.born.is_some());
            training.flat_map(move |part| part.indices.into_iter().map(move |index| (site, index))).collect::<Vec<_>>()
        })
        .collect();
    scalars.sort_unstable();
    scalars
}

#[test]
fn from_99_to_99_9_percent_and_back() {
    let recipe = common::demo(&["train.batch_size=8", "schedule.warmup_steps=0", "data.validation=0.05"]);
    let mut session = Session::load(recipe, &mut |_, _| {}).unwrap();
    let parameters = session.parameters();
    let share = |share: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let count = (share * parameters as f64).round() as u64;
        count
    };
    let loss = |session: &Session| session.evaluate(|_| ControlFlow::Continue(())).unwrap().eval_loss;
    assert_eq!(session.trainable(), share(0.01));
    let before = selected(&session);
    for _ in 0..4 {
        session.train_step().unwrap();
    }
    let trained = loss(&session);

    let preview = session.preview("method.sparsity", Value::Float(0.999)).unwrap();
    assert_eq!(preview.trainable, (share(0.01), share(0.001)));
    session.set("method.sparsity", Value::Float(0.999)).unwrap();
    assert_eq!(session.trainable(), share(0.001));
    assert_eq!(session.method.retired(), share(0.01) - share(0.001));
    assert_eq!(loss(&session).to_bits(), trained.to_bits(), "retiring changes no output");
    let few = selected(&session);
    assert!(few.iter().all(|scalar| before.binary_search(scalar).is_ok()));
    session.train_step().unwrap();
    let trained = loss(&session);

    session.set("method.sparsity", Value::Float(0.99)).unwrap();
    assert_eq!(session.trainable(), share(0.01));
    assert_eq!(session.method.retired(), 0);
    assert_eq!(selected(&session), before, "the same scalars return");
    assert_eq!(loss(&session).to_bits(), trained.to_bits(), "their return changes no output");
    session.train_step().unwrap();
}

/// What is shown before a change is applied is what the change does, whatever can be changed.
#[test]
fn a_preview_tells_what_every_live_field_does() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nepochs = 9\nbatch_size = 8\nevaluate_every = 0\n");
    let load = |field: &str| {
        // A field of a single kind of method is one of its runs.
        let own = field.strip_prefix("method.").and_then(|rest| rest.split_once('.'));
        let kind = own.map(|(kind, _)| format!("method.kind={kind}"));
        let recipe = Recipe::load(&folder.path().join("recipe.toml"), kind.as_slice()).unwrap();
        let mut session = Session::load(recipe, &mut |_, _| {}).unwrap();
        session.train_step().unwrap();
        session
    };
    for field in spartui::recipe::FIELDS.iter().filter(|field| field.live) {
        let (name, value) = match field.name {
            "method.sparsity" => (field.name.to_owned(), Value::Float(0.96)),
            "method.trainable" => {
                let now = i64::try_from(load(field.name).trainable()).unwrap();
                (field.name.to_owned(), Value::Integer(now * 3 / 4))
            }
            "method.density" => ("method.density.value".to_owned(), Value::Float(0.02)),
            "method.on_shrink" => (field.name.to_owned(), Value::String("revert".into())),
            "optimizer.learning_rate" | "optimizer.head_learning_rate" | "optimizer.weight_decay" => {
                (field.name.to_owned(), Value::Float(1e-3))
            }
            "optimizer.kind" => (field.name.to_owned(), Value::String("adam_atan2".into())),
            "method.finegates.target"
            | "method.finegates.strength"
            | "method.adamix.consistency"
            | "method.sara.nuclear" => (field.name.to_owned(), Value::Float(0.5)),
            "method.finegates.start" => (field.name.to_owned(), Value::Integer(3)),
            "optimizer.max_grad_norm" => (field.name.to_owned(), Value::Float(1.0)),
            "train.evaluate_every" | "train.checkpoint_every" | "train.keep_checkpoints" => {
                (field.name.to_owned(), Value::Integer(7))
            }
            other => panic!("{other} can be changed live: give it a value here"),
        };
        let mut session = load(field.name);
        let before = (session.trainable(), session.sparsity());
        let foreseen = session.preview(&name, value.clone()).unwrap();
        assert_eq!((session.trainable(), session.sparsity()), before, "{name}: a preview changes nothing");
        assert_eq!((foreseen.trainable.0, foreseen.sparsity.0), before, "{name}");
        session.set(&name, value).unwrap();
        let after = (session.trainable(), session.sparsity());
        assert_eq!((foreseen.trainable.1, foreseen.sparsity.1), after, "{name}");
        assert_eq!(before.0 + foreseen.joining - foreseen.leaving, after.0, "{name}");
        let scalars = matches!(field.name, "method.sparsity" | "method.trainable" | "method.density");
        assert_eq!(before.0 != after.0, scalars, "{name}");
        session.train_step().unwrap();
    }
}

#[test]
fn training_goes_on_when_nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nepochs = 900\nbatch_size = 8\nevaluate_every = 0\n");
    let recipe = Recipe::load(&folder.path().join("recipe.toml"), &[]).unwrap();
    let engine = Engine::start(Launch {
        recipe,
        runs: folder.path().join("runs"),
        name: Some("alone".into()),
        overwrite: false,
        remarks: Vec::new(),
    });
    // Not one event is taken out of the channel until the run has ended; then every step is there, in order.
    let metrics = folder.path().join("runs/alone/adapter/sparse_deltas.safetensors");
    let begun = std::time::Instant::now();
    while !metrics.exists() {
        assert!(begun.elapsed().as_secs() < 600, "training waits for its audience");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let steps: Vec<u64> = engine
        .events
        .iter()
        .filter_map(|event| if let Event::Step(step) = event { Some(step.step) } else { None })
        .collect();
    assert!(steps.iter().copied().eq(1..=2700), "{} steps", steps.len());
    // The engine is gone by now; a command to it is no error of ours.
    let _ = engine.commands.send(Command::Stop);
    engine.join();
}
