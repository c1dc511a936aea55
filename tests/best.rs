//! The best state of a run, and every other one that was kept: what is exported of it is what a run leaves that ends there.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::runs::{drive, launch, workshop};
use spartui::engine::Resume;
use spartui::protocol::{Command as Asked, Ending, Evaluation, Event, Holds, KeptState};
use spartui::recipe::Value;
use spartui::run::{Metrics, Predictions, RunFolder};

/// So that a run of fewer steps is the beginning of a longer one.
const STEADY: [&str; 3] = ["schedule.kind=constant", "train.checkpoint_every=10", "train.keep_checkpoints=20"];

fn spartui(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
    command.args(arguments).current_dir(folder).env_remove("SPARTUI_RUNS").output().unwrap()
}

fn export(folder: &Path, run: &str, arguments: &[&str]) -> (PathBuf, String) {
    let output = folder.join("exported");
    let _ = std::fs::remove_dir_all(&output);
    let done = spartui(folder, &[&["export", run, "--output", "exported"], arguments].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (output, String::from_utf8(done.stdout).unwrap())
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let done = spartui(folder, arguments);
    assert_eq!(done.status.code(), Some(2), "{}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8(done.stderr).unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files: BTreeMap<String, Vec<u8>> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    assert!(files.len() > 2);
    files
}

/// By the words of the documents, and not by the program's own rule.
fn best(run: &Path) -> Evaluation {
    let evaluations = Metrics::read(&run.join("metrics.jsonl")).unwrap().evaluations;
    let score = |made: &Evaluation| if made.mcc.is_some() { made.accuracy } else { -made.eval_loss };
    let most = evaluations.iter().map(score).fold(f64::MIN, f64::max);
    *evaluations.iter().find(|made| score(made) >= most).unwrap()
}

#[test]
fn any_kept_state_is_exported_as_a_run_leaves_it_that_ends_there() {
    let methods: [(bool, &str, &[&str]); 5] = [
        (false, "adapter", &[]),
        (true, "adapter", &["method.selection=gradient"]),
        (true, "adapter", &["method.kind=lora", "method.variant=dora"]),
        (false, "model", &["method.kind=full"]),
        (false, "adapter", &["method.kind=head"]),
    ];
    for (causal, what, method) in methods {
        let folder = workshop(causal);
        let folder = folder.path();
        let settings = |steps: &'static str| [method, &STEADY, &[steps]].concat();
        drive(launch(folder, "whole", &settings("train.max_steps=30")), |_| Vec::new()).summary();
        drive(launch(folder, "short", &settings("train.max_steps=20")), |_| Vec::new()).summary();
        // Rows are not needed, and may be gone by then.
        std::fs::remove_file(folder.join("train.jsonl")).unwrap();
        for (at, run) in [("20", "short"), ("last", "whole")] {
            let (exported, said) = export(folder, "whole", &["--at", at]);
            let left = files(&folder.join("runs").join(run).join(what));
            assert!(files(&exported) == left, "{method:?} at {at}: {:?}", left.keys());
            assert!(said.starts_with(if run == "short" { "step 20, " } else { "step 30, " }), "{said}");
        }
        let error = refused(folder, &["export", "whole", "--at", "7", "--output", "x"]);
        assert!(
            error.contains("whole keeps no state of step 7; its kept states are step 30, step 20, step 10"),
            "{error}"
        );
    }
}

#[test]
fn a_run_keeps_the_best_state_where_it_is_asked_to_and_says_which_it_has() {
    let kinds: [(bool, &str, &[&str]); 3] = [
        (false, "adapter", &[]),
        (true, "adapter", &["optimizer.learning_rate=0.1"]),
        (false, "model", &["method.kind=full"]),
    ];
    for (causal, what, method) in kinds {
        let folder = workshop(causal);
        let folder = folder.path();
        let launch =
            |name: &str, more: &[&str]| launch(folder, name, &[method, &["schedule.kind=constant"], more].concat());
        let patience = ["train.keep=best", "train.early_stopping_patience=3", "train.keep_checkpoints=1"];
        let ran = drive(launch("kept", &patience), |_| Vec::new());
        let run = folder.join("runs/kept");
        let best = best(&run);
        let summary = ran.summary();
        assert_eq!(summary.ending, Ending::StoppedEarly);
        assert!(best.step < summary.steps && best.step > 0, "{best:?}");
        let holds = Some(Holds { branch: 0, step: best.step, evaluation: Some(best) });
        assert_eq!((summary.holds, summary.best), (holds, Some(best)));
        let status = RunFolder::open(&run).unwrap().status().unwrap();
        assert_eq!((status.holds, status.best, status.steps), (holds, Some(best), Some(summary.steps)));
        let told = Predictions::read(&run.join("predictions.jsonl")).unwrap().unwrap();
        assert_eq!(told.step, best.step);
        // A run that ends there leaves the same.
        let steps = format!("train.max_steps={}", best.step);
        drive(launch("short", &[&steps]), |_| Vec::new()).summary();
        assert!(files(&run.join(what)) == files(&folder.join("runs/short").join(what)));
        let (exported, said) = export(folder, "kept", &["--at", "best"]);
        assert!(files(&exported) == files(&run.join(what)));
        assert!(said.contains("(the best)"), "{said}");
        // The comparison takes the predictions of that state.
        let compared = spartui(folder, &["compare", "kept", "short", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap();
        assert_eq!(json["settings"][1]["test"]["difference"]["difference"], 0.0, "{json:#}");
        // It goes on from its last state all the same.
        let resume = Resume {
            runs: folder.join("runs"),
            run: "kept".into(),
            set: vec!["train.early_stopping_patience=0".into(), format!("train.max_steps={}", summary.steps + 3)],
            ..Resume::default()
        };
        assert_eq!(drive(resume, |_| Vec::new()).summary().steps, summary.steps + 3);
        // The last state, where nothing else was asked for; of "full" the best one is too large to keep unasked.
        let ran = drive(launch("last", &["train.max_steps=40", "train.keep_checkpoints=1"]), |_| Vec::new());
        let holds = ran.summary().holds.unwrap();
        assert_eq!((holds.step, holds.evaluation.map(|made| made.step)), (40, Some(40)));
    }
}

#[test]
fn the_best_state_of_a_branch_that_was_left_stays_and_is_marked() {
    let folder = workshop(true);
    let folder = folder.path();
    let mut asked = vec![
        (100, Asked::Rewind { id: 1, step: 12 }),
        (14, Asked::Set { id: 2, field: "optimizer.learning_rate".into(), value: Value::Float(0.0) }),
        (60, Asked::Stop),
    ];
    let steady = ["schedule.kind=constant", "optimizer.learning_rate=1e-2"];
    let settings = [&steady[..], &["train.keep_checkpoints=1", "train.checkpoint_every=10"]].concat();
    let ran = drive(launch(folder, "a", &settings), |event| match event {
        Event::Step(step) if asked.first().is_some_and(|(at, _)| step.step == *at) => vec![asked.remove(0).1],
        _ => Vec::new(),
    });
    let best = best(&folder.join("runs/a"));
    assert_eq!((ran.summary().best, best.branch), (Some(best), 0));
    assert!((13..=110).contains(&best.step), "{best:?}");
    let listed = ran.events.iter().rev().find_map(|event| match event {
        Event::Snapshots { snapshots } => Some(snapshots.clone()),
        _ => None,
    });
    let marked: Vec<KeptState> = listed.unwrap().into_iter().filter(|kept| kept.best).collect();
    assert_eq!(marked.len(), 1);
    assert_eq!((marked[0].branch, marked[0].step, marked[0].evaluation), (0, best.step, Some(best)));
    let (exported, said) = export(folder, "a", &["--at", "best"]);
    assert!(said.starts_with(&format!("step {}, ", best.step)) && said.contains("(the best)"), "{said}");
    // As far as that, the run was one without any branch.
    let steps = format!("train.max_steps={}", best.step);
    drive(launch(folder, "short", &[&steady[..], &[&steps]].concat()), |_| Vec::new()).summary();
    assert!(files(&exported) == files(&folder.join("runs/short/adapter")));
    // The best on the way to where it stands is another one.
    let (_, said) = export(folder, "a", &["--at", "best", "--branch", "1"]);
    assert!(!said.contains("(the best)"), "{said}");
    let error = refused(folder, &["export", "a", "--at", &best.step.to_string(), "--output", "x"]);
    assert!(error.contains("is not on the branch where it stands; add --branch 0"), "{error}");
    let error = refused(folder, &["export", "a", "--at", "best", "--branch", "9", "--output", "x"]);
    assert!(error.contains("a has no branch 9; the last one is 1"), "{error}");
    // What a run wrote itself is not replaced, by whatever path; another folder inside the run is.
    let before = files(&folder.join("runs/short/adapter"));
    std::os::unix::fs::symlink("runs/short", folder.join("link")).unwrap();
    for inside in ["runs/short/adapter", "link/adapter", "runs/short/model", "runs/short/checkpoints"] {
        let error = refused(folder, &["export", "a", "--output", inside]);
        assert!(error.contains("belongs to the run \"short\"; give --output another folder"), "{error}");
    }
    assert!(files(&folder.join("runs/short/adapter")) == before);
    assert!(spartui(folder, &["export", "a", "--output", "runs/short/mine"]).status.success());
}

#[test]
fn a_state_that_was_changed_after_its_evaluation_is_not_called_the_best() {
    let folder = workshop(false);
    let folder = folder.path();
    // It stands still where it is evaluated, and a change takes most of what was learned away before it stops there.
    let set = || Asked::Set { id: 2, field: "method.sparsity".into(), value: Value::Float(0.99) };
    let settings = ["method.on_shrink=revert", "train.evaluate_every=0", "train.checkpoint_every=0"];
    let ran = drive(launch(folder, "a", &settings), |event| match event {
        Event::Step(step) if step.step == 10 => vec![Asked::Pause],
        Event::Paused { .. } => vec![Asked::Evaluate { id: 1 }],
        Event::Evaluated(_) => vec![set(), Asked::Stop],
        _ => Vec::new(),
    });
    let summary = ran.summary();
    assert_eq!((summary.best.map(|best| best.step), summary.holds.unwrap().evaluation), (Some(summary.steps), None));
    let error = refused(folder, &["export", "a", "--at", "best", "--output", "x"]);
    assert!(error.contains("its state is not kept"), "{error}");
    let (_, said) = export(folder, "a", &["--at", "last"]);
    assert!(said.starts_with(&format!("step {}: ", summary.steps)), "{said}");
}

#[test]
fn each_checkpoint_is_written_once() {
    for stop in [false, true] {
        let folder = workshop(false);
        let folder = folder.path();
        // Evaluations and checkpoints fall on the same steps.
        let settings = ["train.evaluate_every=10", "train.checkpoint_every=10", "train.max_steps=50"];
        drive(launch(folder, "a", &settings), |event| match event {
            Event::Step(step) if stop && step.step == 20 => vec![Asked::Stop],
            _ => Vec::new(),
        })
        .summary();
        let log = std::fs::read_to_string(folder.join("runs/a/log.txt")).unwrap();
        let mut written: Vec<&str> = log.lines().filter(|line| line.contains("/checkpoints/")).collect();
        let all = written.len();
        assert!(all >= 2, "{log}");
        written.dedup();
        assert_eq!(written.len(), all, "{log}");
    }
}

#[test]
fn a_run_that_was_never_evaluated_has_no_best_state() {
    let folder = workshop(false);
    let folder = folder.path();
    let settings = ["train.evaluate_every=0", "train.keep=best"];
    let ran = drive(launch(folder, "a", &settings), |event| match event {
        Event::Step(step) if step.step == 14 => vec![Asked::Terminate],
        _ => Vec::new(),
    });
    assert_eq!((ran.summary().ending, ran.summary().holds), (Ending::Terminated, None));
    let error = refused(folder, &["export", "a", "--at", "best", "--output", "x"]);
    assert!(
        error.contains("a was never evaluated, so none of its states is the best; its kept states are step "),
        "{error}"
    );
    // Without an adapter, the newest state is taken.
    let (_, said) = export(folder, "a", &[]);
    assert!(said.starts_with(&format!("step {}: ", ran.summary().steps)), "{said}");
}
