//! Folders of runs as training leaves them, for tests of what reads them.

#![allow(dead_code, reason = "each test uses its part")]
#![expect(clippy::cast_precision_loss, reason = "the numbers are made up, and small")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use spartui_facts::recipe::{Recipe, Value};

/// A number between -1 and 1 that looks random and never changes.
fn noise(number: u64) -> f64 {
    let mixed = (number ^ 0x5eed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11;
    mixed as f64 / (1u64 << 52) as f64 - 1.0
}

/// A line of metrics of a step, the loss of which falls to `floor`.
pub fn step(number: u64, branch: u32, floor: f64) -> String {
    let progress = number as f64;
    let loss = 2.05 * (-progress / 160.0).exp() + floor + 0.1 * noise(number + 1000 * u64::from(branch));
    format!(
        "{{\"step\":{number},\"epoch\":{},\"loss\":{loss},\"learning_rate\":{},\"grad_norm\":{},\"examples\":24,\"tokens\":{},\
         \"seconds\":{},\"trainable\":227178,\"sparsity\":0.99,\"branch\":{branch}}}\n",
        progress / 250.0,
        5e-4 * (progress / 100.0).min(1.0),
        1.4 + 0.4 * noise(number + 7),
        600 + number % 17,
        0.046 + 0.004 * noise(number + 99),
    )
}

/// A line of metrics of an evaluation.
pub fn evaluation(number: u64, branch: u32, floor: f64) -> String {
    let progress = number as f64;
    let accuracy = 0.914 - 0.72 * (-progress / 150.0).exp() - floor / 10.0;
    format!(
        "{{\"step\":{number},\"eval_loss\":{},\"accuracy\":{accuracy},\"mcc\":{},\"examples\":300,\"seconds\":1.2,\"branch\":{branch}}}\n",
        1.9 * (-progress / 170.0).exp() + floor + 0.07,
        accuracy - 0.02,
    )
}

/// All lines of the steps from one to another.
pub fn steps(from: u64, to: u64, branch: u32, floor: f64) -> String {
    let mut lines = String::new();
    for number in from..=to {
        lines.push_str(&step(number, branch, floor));
        if number % 100 == 0 {
            lines.push_str(&evaluation(number, branch, floor));
        }
    }
    lines
}

/// A run's folder with these metrics and this journal, begun so many seconds after the first.
pub fn run(runs: &Path, name: &str, began: u64, set: &[(&str, Value)], metrics: &str, journal: &str) -> PathBuf {
    let folder = runs.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let mut recipe = Recipe::default();
    recipe.model.path = "models/all-MiniLM-L6-v2".into();
    for (field, value) in set {
        recipe.set(field, value.clone()).unwrap();
    }
    std::fs::write(folder.join("recipe.toml"), recipe.to_toml()).unwrap();
    let mut status = String::new();
    write!(
        status,
        "{{\"state\":\"completed\",\"pid\":1,\"started\":{},\"steps\":400,\"total_steps\":400,\"best_accuracy\":0.9}}",
        1_700_000_000 + began
    )
    .unwrap();
    std::fs::write(folder.join("status.json"), status).unwrap();
    std::fs::write(folder.join("metrics.jsonl"), metrics).unwrap();
    std::fs::write(folder.join("journal.jsonl"), journal).unwrap();
    folder
}

/// Three runs: one that was steered and rewound, one with another rate, one with a name and metrics that wish ill.
pub fn three(runs: &Path) {
    let journal = "{\"step\":210,\"field\":\"method.sparsity\",\"from\":0.99,\"to\":0.995,\"id\":1,\"time\":1.7e9}\n\
                   {\"step\":300,\"kind\":\"rewind\",\"to\":200,\"branch\":1,\"id\":2,\"time\":1.7e9}\n\
                   {\"step\":260,\"field\":\"optimizer.learning_rate\",\"from\":5e-4,\"to\":2e-4,\"id\":3,\"time\":1.7e9}\n";
    let metrics = steps(1, 300, 0, 0.34) + &steps(201, 400, 1, 0.25);
    run(runs, "support-tickets", 30, &[], &metrics, journal);
    let faster = [("optimizer.learning_rate", Value::Float(1e-3)), ("train.batch_size", Value::Integer(48))];
    run(runs, "faster", 20, &faster, &steps(1, 350, 0, 0.45), "");
    let bad = String::from("not json\n{\"step\": 3\n")
        + &steps(1, 50, 0, 0.6)
        + &step(20, 0, 9.0)
        + &step(51, 0, 0.6).replacen("\"loss\":", "\"loss\":null,\"was\":", 1)
        + &steps(52, 90, 0, 0.6)
        + "{\"step\": 91, \"lo";
    run(runs, "evil\u{1b}[2J\u{202e}", 10, &[("method.sparsity", Value::Float(0.999))], &bad, "");
}
