//! What eight lanes of the demo cost beside each other, and what they cost one after the other: each as a process of its own, from
//! the first step to the last file.

use std::path::Path;
use std::process::Command;

use spartui::protocol::{Event, Summary};

/// The rates in which the lanes differ.
const RATES: [&str; 8] = ["1e-4", "2e-4", "5e-4", "1e-3", "2e-3", "3e-3", "5e-3", "1e-2"];

const STEPS: u32 = 25;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = root.join("examples/support/recipe.toml");
    let common = [
        format!("model.path={}", toml::Value::from(root.join("models/all-MiniLM-L6-v2").display().to_string())),
        format!("train.max_steps={STEPS}"),
    ];
    let run = |arguments: &[String]| -> Summary {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
        command.arg("--runs-dir").arg(folder.path()).args(arguments).arg("--json");
        for set in &common {
            command.args(["--set", set]);
        }
        let output = command.output().expect("the program");
        let told = String::from_utf8_lossy(&output.stdout);
        let last = told.lines().last().unwrap_or_default();
        match serde_json::from_str(last) {
            Ok(Event::Finished(summary)) => *summary,
            _ => panic!("no end: {last}{}", String::from_utf8_lossy(&output.stderr)),
        }
    };
    let recipe = recipe.display().to_string();
    let mut alone = Vec::new();
    // Half of them before the race and half after it, so that what else the machine does meets both.
    let single =
        |rate: &str| run(&["train".into(), recipe.clone(), "--set".into(), format!("optimizer.learning_rate={rate}")]);
    alone.extend(RATES[..4].iter().map(|rate| single(rate)));
    let race =
        run(&["race".into(), recipe.clone(), "--vary".into(), format!("optimizer.learning_rate={}", RATES.join(","))]);
    alone.extend(RATES[4..].iter().map(|rate| single(rate)));
    let seconds: f64 = alone.iter().map(|summary| summary.seconds).sum();
    let memory = alone.iter().map(|summary| summary.peak_memory).max().unwrap_or(1);
    println!("{} lanes of {STEPS} steps, {} of the parameters train in each", RATES.len(), race.trainable);
    println!("one after the other: {seconds:.1} s, at most {} MiB", memory >> 20);
    println!("in turns on one copy of the model: {:.1} s, {} MiB", race.seconds, race.peak_memory >> 20);
    #[expect(clippy::cast_precision_loss, reason = "bytes are below 2^53")]
    let growth = race.peak_memory as f64 / memory as f64;
    println!("ratios: time {:.3}, memory {growth:.3}", race.seconds / seconds);
}
