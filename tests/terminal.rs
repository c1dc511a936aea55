//! The real program in a pseudo-terminal, from launch to exit, its screen read as a person would.

#![cfg(unix)]

mod common;

#[path = "support/cockpit.rs"]
mod cockpit;

use std::path::Path;

use cockpit::Cockpit;
use portable_pty::PtySize;
use serde_json::Value;

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Enough rows for a long run on the smallest model, whose steps take about a millisecond.
fn start(folder: &Path) -> Cockpit {
    let model = common::small_model(folder);
    common::small_recipe(
        folder,
        &model,
        "[train]\nepochs = 100000\nbatch_size = 8\nevaluate_every = 0\ncheckpoint_every = 0\n",
    );
    Cockpit::start(folder, &["train", "recipe.toml", "--run", "steered"])
}

#[test]
fn launch_steer_pause_resume_export_quit() {
    let folder = tempfile::tempdir().unwrap();
    let mut cockpit = start(folder.path());
    cockpit.shows("training");
    cockpit.press("]");
    cockpit.shows("Enter");
    cockpit.press("\r");
    cockpit.shows("method.sparsity 0.9 → 0.95");
    cockpit.press("[");
    cockpit.shows("Enter");
    cockpit.press("\r");
    cockpit.shows("method.sparsity 0.95 → 0.9");
    cockpit.press("=");
    cockpit.press("\r");
    cockpit.shows("learning_rate 0.001 → 0.002");
    cockpit.press(" ");
    cockpit.shows("paused");
    cockpit.press(" ");
    cockpit.shows("training");
    cockpit.press("x");
    let adapter = folder.path().join("runs/steered/adapter/sparse_deltas.safetensors");
    cockpit.waits("an adapter", |_| adapter.exists());
    cockpit.pty.resize(PtySize { rows: 20, cols: 60, pixel_width: 0, pixel_height: 0 }).unwrap();
    cockpit.screen.lock().unwrap().screen_mut().set_size(20, 60);
    cockpit.shows("training");
    cockpit.press("q");
    cockpit.waits("the question", |text| text.to_lowercase().contains("stop"));
    cockpit.press("s");
    cockpit.waits("the end", |text| text.contains("stopped"));
    cockpit.press("q");
    assert_eq!(cockpit.ends(), 0);

    let run = folder.path().join("runs/steered");
    let journal: Vec<Value> =
        lines(&run.join("journal.jsonl")).into_iter().filter(|line| line["field"].is_string()).collect();
    let changes: Vec<(String, Value, Value)> = journal
        .iter()
        .map(|line| (line["field"].as_str().unwrap().to_owned(), line["from"].clone(), line["to"].clone()))
        .collect();
    assert_eq!(
        changes,
        [
            ("method.sparsity".into(), 0.9.into(), 0.95.into()),
            ("method.sparsity".into(), 0.95.into(), 0.9.into()),
            ("optimizer.learning_rate".into(), 0.001.into(), 0.002.into()),
        ]
    );
    let steps: Vec<Value> =
        lines(&run.join("metrics.jsonl")).into_iter().filter(|line| line["loss"].is_number()).collect();
    let trainable_after = |change: usize| {
        let step = journal[change]["step"].as_u64().unwrap();
        steps.iter().find(|line| line["step"].as_u64() == Some(step + 1)).unwrap()["trainable"].as_u64().unwrap()
    };
    let first = steps[0]["trainable"].as_u64().unwrap();
    assert!(trainable_after(0) < first);
    assert_eq!(trainable_after(1), first);
    let numbers: Vec<u64> = steps.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "every step is there, once");
}

#[test]
fn a_termination_signal_writes_a_checkpoint_and_gives_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = start(folder.path());
    cockpit.shows("training");
    rustix::process::kill_process(cockpit.process(), rustix::process::Signal::TERM).unwrap();
    cockpit.ends();
    assert!(folder.path().join("runs/steered/checkpoints").read_dir().unwrap().next().is_some());
}

#[test]
fn a_refused_run_gives_the_terminal_back_and_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "");
    let mut cockpit = Cockpit::start(folder.path(), &["train", "recipe.toml", "--set", "method.sparsity=0.2"]);
    cockpit.shows("too low");
    cockpit.press("q");
    assert_eq!(cockpit.ends(), 2);
}
