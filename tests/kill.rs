//! A process that is killed at any moment, and goes on: the same losses and the same adapter, bit for bit.

#![cfg(unix)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::runs::{course, result, workshop};
use serde_json::Value;

const SETTINGS: [&str; 4] =
    ["train.epochs=120", "train.checkpoint_every=40", "train.evaluate_every=60", "train.keep_checkpoints=2"];
/// Steps between two checkpoints.
const INTERVAL: u64 = 40;
/// Longest that one of these processes may take.
const LIMIT: Duration = Duration::from_secs(120);

fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_spartui"))
        .args(arguments)
        .current_dir(folder)
        .env("OMP_NUM_THREADS", "1")
        .env_remove("SPARTUI_RUNS")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn train(folder: &Path, name: &str) -> Child {
    let mut arguments = vec!["train", "recipe.toml", "--headless", "--run", name];
    for setting in SETTINGS {
        arguments.extend(["--set", setting]);
    }
    start(folder, &arguments)
}

fn end(mut child: Child) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < LIMIT, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
}

/// When a process is killed.
enum When {
    After(Duration),
    /// As soon as this is there.
    Exists(Box<dyn Fn(&Path) -> bool>),
}

fn kill(mut child: Child, run: &Path, when: &When) -> bool {
    let begun = Instant::now();
    loop {
        let is_time = match when {
            When::After(time) => begun.elapsed() >= *time,
            When::Exists(there) => there(run),
        };
        if is_time || child.try_wait().unwrap().is_some() {
            let was_alive = child.try_wait().unwrap().is_none();
            let _ = child.kill();
            child.wait().unwrap();
            return was_alive;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn holds(folder: &Path, begins: &'static str) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(begins))
}

fn last_step(run: &Path) -> u64 {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    let steps = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["step"].as_u64());
    steps.max().unwrap_or(0)
}

/// The step of the newest checkpoint that is whole.
fn checkpointed(run: &Path) -> u64 {
    let newest = spartui::run::read_newest_valid(&run.join("checkpoints"), 1 << 30).unwrap();
    newest.checkpoint.map_or(0, |(found, _)| found.moment.step)
}

/// A process that was killed before its run was there is started again, one that was killed later goes on.
fn go_on(folder: &Path, run: &Path, name: &str) -> Option<Child> {
    if !run.exists() {
        return Some(train(folder, name));
    }
    let status: Value = common::json(&run.join("status.json"));
    (status["state"] != "completed").then(|| start(folder, &["resume", name, "--headless"]))
}

fn moments(seed: u64, whole: Duration) -> Vec<When> {
    let mut state = seed;
    let mut share = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31)
    };
    let mut moments: Vec<When> = (0..10).map(|_| When::After(whole.mul_f64(share()))).collect();
    let checkpoints = |run: &Path| run.join("checkpoints");
    moments.push(When::Exists(Box::new(|run| run.join("recipe.toml").exists())));
    moments.push(When::Exists(Box::new(move |run| holds(&checkpoints(run), "tmp-"))));
    moments.push(When::Exists(Box::new(move |run| checkpointed_once(run) && holds(&checkpoints(run), "tmp-"))));
    moments.push(When::Exists(Box::new(|run| holds(run, ".adapter"))));
    moments.push(When::Exists(Box::new(|run| run.join("adapter").exists())));
    moments
}

fn checkpointed_once(run: &Path) -> bool {
    holds(&run.join("checkpoints"), "step-")
}

#[test]
fn killed_at_thirty_moments_a_run_ends_with_the_same_bytes() {
    let (mut killed, mut most, mut total) = (0, 0, 0);
    for causal in [false, true] {
        let folder = workshop(causal);
        let runs: PathBuf = folder.path().join("runs");
        let begun = Instant::now();
        end(train(folder.path(), "whole"));
        let whole = begun.elapsed();
        let (expected, steps) = (result(&runs.join("whole")), course(&runs.join("whole")));
        for (number, when) in moments(7 + u64::from(causal), whole).iter().enumerate() {
            let name = format!("killed-{number}");
            let run = runs.join(&name);
            killed += u32::from(kill(train(folder.path(), &name), &run, when));
            total += 1;
            let lost = last_step(&run).saturating_sub(checkpointed(&run));
            most = most.max(lost);
            // A second one while it goes on.
            if number % 3 == 0
                && let Some(child) = go_on(folder.path(), &run, &name)
            {
                kill(child, &run, &When::After(whole.mul_f64(0.5)));
            }
            if let Some(child) = go_on(folder.path(), &run, &name) {
                end(child);
            }
            assert_eq!(course(&run), steps, "{name}");
            assert_eq!(result(&run), expected, "{name}");
        }
    }
    println!("{killed} of {total} were killed before their end; at most {most} logged steps were taken again");
    assert_eq!(total, 30);
    assert!(killed >= 20, "only {killed} were alive when they were to be killed");
    // A checkpoint is on the disk when a tenth of the next interval is over.
    assert!(most <= INTERVAL + INTERVAL.div_ceil(10), "{most} steps were lost");
}
