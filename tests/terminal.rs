//! The real program in a pseudo-terminal, from launch to exit, its screen read as a person would.

#![cfg(unix)]

mod common;

#[path = "support/cockpit.rs"]
mod cockpit;

use std::path::Path;

use cockpit::Cockpit;
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
    cockpit.shows("● training");
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
    cockpit.shows("● training");
    cockpit.press("x");
    let adapter = folder.path().join("runs/steered/adapter/sparse_deltas.safetensors");
    cockpit.waits("an adapter", |_| adapter.exists());
    cockpit.resize(60, 20);
    cockpit.shows("● training");
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
    cockpit.shows("● training");
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

/// Rows of one's own, and `MiniLM` in a folder beside them.
fn own_folder(folder: &Path) {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-MiniLM-L6-v2");
    std::fs::create_dir(folder.join("models")).unwrap();
    std::os::unix::fs::symlink(model, folder.join("models/all-MiniLM-L6-v2")).unwrap();
    let row = |at: usize| match at % 3 {
        0 => format!("\"where is my parcel {at}?\",delivery\n"),
        1 => format!("\"money back, please, for order {at}\",refund\n"),
        _ => format!("\"I cannot sign in, case {at}\",login\n"),
    };
    let rows: String = (0..48).map(row).collect();
    std::fs::write(folder.join("tickets.csv"), format!("review,category\n{rows}")).unwrap();
}

#[test]
fn from_an_empty_folder_to_a_finished_run_and_its_curves_by_keys_alone() {
    let folder = tempfile::tempdir().unwrap();
    own_folder(folder.path());
    let mut cockpit = Cockpit::start(folder.path(), &[]);
    cockpit.shows("No runs in ./runs yet");
    cockpit.press("n");
    cockpit.shows("choose one: Enter");
    cockpit.press("\r");
    cockpit.shows("models/all-MiniLM-L6-v2");
    cockpit.press("\r");
    cockpit.shows("48 rows, 2 columns");
    cockpit.press("\r");
    cockpit.shows("from the header: data.text = review, data.label = category");
    cockpit.shows("trains");
    cockpit.shows("timed");
    cockpit.shows("$ spartui train runs/recipes/tickets.toml --run tickets");
    cockpit.press("s");
    cockpit.shows("all steps taken");
    cockpit.press("q");
    cockpit.shows("tickets has taken all its steps");
    cockpit.waits("the run in the list", |text| text.contains("completed") && text.contains("1 run in ./runs"));
    let run = folder.path().join("runs/tickets");
    assert!(run.join("adapter/sparse_deltas.safetensors").exists());
    cockpit.press("\r");
    cockpit.waits("its curves", |text| text.contains("tickets") && !text.contains("1 run in ./runs"));
    cockpit.press("q");
    cockpit.shows("1 run in ./runs");
    cockpit.press("d");
    cockpit.shows("Delete the run tickets");
    cockpit.press("y");
    cockpit.shows("No runs in ./runs yet");
    assert!(!run.exists() && folder.path().join("runs/recipes/tickets.toml").exists());
    cockpit.press("q");
    assert_eq!(cockpit.ends(), 0);
}

#[test]
fn the_launcher_comes_back_to_a_run_that_goes_on_and_gives_the_terminal_back_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(
        folder.path(),
        &model,
        "[train]\nepochs = 100000\nbatch_size = 8\nevaluate_every = 0\ncheckpoint_every = 0\n",
    );
    let mut cockpit = Cockpit::start(folder.path(), &[]);
    cockpit.shows("No runs in");
    cockpit.press("o");
    cockpit.shows("recipe.toml");
    cockpit.press("\r");
    cockpit.shows("from recipe.toml");
    cockpit.press("s");
    cockpit.shows("● training");
    cockpit.press("d");
    cockpit.shows(" goes on");
    cockpit.waits("the run in the list", |text| text.contains("1 training"));
    cockpit.press("d");
    cockpit.shows("cannot be deleted");
    cockpit.press("\r");
    cockpit.shows("● training");
    cockpit.press("s");
    cockpit.shows("Stop the run");
    cockpit.press("\r");
    cockpit.shows("● stopped");
    cockpit.press("q");
    cockpit.waits("the end in the list", |text| text.contains("stopped") && text.contains("1 run in ./runs"));
    rustix::process::kill_process(cockpit.process(), rustix::process::Signal::TERM).unwrap();
    cockpit.ends();
}

#[test]
fn without_a_terminal_there_is_help_and_exit_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_spartui")).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: spartui"));
}
