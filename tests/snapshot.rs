//! Going back to a snapshot, in memory and through a checkpoint's files, to the bit.

mod common;

use spartui::protocol::Step;
use spartui::recipe::{Recipe, Value};
use spartui::run::{Keep, Moment, read_newest_valid, write_checkpoint};
use spartui::train::{Session, from_checkpoint, largest_checkpoint, to_checkpoint};
use tch::Tensor;

fn weights(session: &Session) -> Vec<Tensor> {
    let parameters = session.model.parameters.iter().map(|parameter| &parameter.tensor);
    let beside = session.method.state().tensors.into_iter().map(|dense| Tensor::from_slice(&dense.values));
    parameters.chain(&session.head.head.tensors).map(|tensor| tensor.detach().copy()).chain(beside).collect()
}

fn losses(steps: &[Step]) -> Vec<(u64, u64)> {
    steps.iter().map(|step| (step.step, step.loss.to_bits())).collect()
}

/// Some steps, with a change of the sparsity where the method knows one.
fn go_on(session: &mut Session, sparsity: f64) -> Vec<(u64, u64)> {
    let mut steps: Vec<Step> = (0..2).map(|_| session.train_step().unwrap()).collect();
    // Only one of the methods has a sparsity to set.
    let _ = session.set("method.sparsity", Value::Float(sparsity));
    steps.extend((0..3).map(|_| session.train_step().unwrap()));
    losses(&steps)
}

#[test]
fn every_method_goes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nepochs = 9\nbatch_size = 8\n");
    for overrides in [
        &["method.kind=sparta"][..],
        &["method.on_shrink=revert"],
        &["model.dtype=bfloat16"],
        &["model.dtype=bfloat16", "method.rounding=stochastic"],
        &["model.dtype=bfloat16", "method.rounding=stochastic", "method.on_shrink=revert"],
        &["method.kind=full"],
        &["method.kind=full", "model.dtype=bfloat16"],
        &["method.kind=head"],
        &["method.kind=lora"],
        &["method.kind=lora", "method.variant=dora", "method.dropout=0.3", "train.micro_batch_size=3"],
        &["method.kind=lora", "method.variant=rslora", "model.dtype=bfloat16"],
    ] {
        let overrides: Vec<String> = overrides.iter().map(|&assignment| assignment.to_owned()).collect();
        let recipe = Recipe::load(&folder.path().join("recipe.toml"), &overrides).unwrap();
        let load = || Session::load(recipe.clone(), &mut |_, _| {}).unwrap();
        let mut session = load();
        go_on(&mut session, 0.97);
        go_on(&mut session, 0.85);
        let (snapshot, then) = (session.snapshot(3), weights(&session));
        let course = go_on(&mut session, 0.95);
        let end = weights(&session);
        assert_ne!(end, then, "{overrides:?}");

        session.restore(&snapshot).unwrap();
        assert_eq!((weights(&session), session.step), (then, snapshot.step), "{overrides:?}");
        assert_eq!(go_on(&mut session, 0.95), course, "{overrides:?}");
        assert_eq!(weights(&session), end, "{overrides:?}");

        let (moment, keep) = (Moment { step: snapshot.step, ..Moment::default() }, Keep::default());
        let checkpoints = folder.path().join("checkpoints");
        write_checkpoint(&checkpoints, moment, &to_checkpoint(&snapshot, None), &keep).unwrap();
        let mut other = load();
        let largest = largest_checkpoint(&other);
        let (_, checkpoint) = read_newest_valid(&checkpoints, largest).unwrap().checkpoint.unwrap();
        let held = from_checkpoint(&checkpoint, &other).unwrap();
        other.restore(&held.snapshot).unwrap();
        assert_eq!(go_on(&mut other, 0.95), course, "{overrides:?}");
        assert_eq!(weights(&other), end, "{overrides:?}");
    }
}

#[test]
fn a_state_of_another_model_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nbatch_size = 8\n");
    let recipe = |overrides: &[String]| Recipe::load(&folder.path().join("recipe.toml"), overrides).unwrap();
    let mut session = Session::load(recipe(&[]), &mut |_, _| {}).unwrap();
    session.train_step().unwrap();
    let (before, good) = (weights(&session), session.snapshot(0));
    let mut other = Session::load(recipe(&["method.seed=5".into()]), &mut |_, _| {}).unwrap();
    other.train_step().unwrap();
    let mut foreign = other.snapshot(0);
    foreign.recipe = good.recipe.clone();
    let error = session.restore(&foreign).unwrap_err();
    assert!(error.message().contains("not those that the seed selects"), "{error}");
    let mut fewer = session.snapshot(0);
    fewer.method.sites.pop();
    let error = session.restore(&fewer).unwrap_err();
    assert!(error.message().contains("that the settings ask for"), "{error}");
    let mut headless = session.snapshot(0);
    headless.head.pop();
    assert!(session.restore(&headless).unwrap_err().message().contains("is missing"));
    assert_eq!(weights(&session), before);
}
