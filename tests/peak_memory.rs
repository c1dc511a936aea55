//! The peak of a process that trains on rows of natural lengths: it does not grow with the number of steps, and it is what
//! was predicted. The program itself is run, since it brings its own allocator.

#![cfg(target_os = "linux")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths of rows, drawn"
)]

mod common;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Rows whose lengths spread as those of texts do: most are short, a few are ten times as long.
fn rows(folder: &Path) {
    let words = ["the", "parcel", "is", "late"];
    let mut state = 7_u64;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut lines = String::new();
    for row in 0..1200 {
        // A lognormal of median 20 words, from a sum of uniform numbers.
        let normal = (0..12).map(|_| draw()).sum::<f64>() - 6.0;
        let length = (20.0 * (0.6 * normal).exp()).clamp(3.0, 180.0) as usize;
        let text = (0..length).map(|at| words[(row + at * 7) % 4]).collect::<Vec<_>>().join(" ");
        let label = ["a", "b", "c"][row % 3];
        lines += &json!({"text": text, "label": label}).to_string();
        lines.push('\n');
    }
    std::fs::write(folder.join("train.jsonl"), &lines).unwrap();
    let few: Vec<&str> = lines.split_inclusive('\n').take(24).collect();
    std::fs::write(folder.join("validation.jsonl"), few.concat()).unwrap();
}

/// A model without weights, large enough that what a step takes outweighs the program, and the recipe of a run on it, with
/// evaluations and checkpoints. The run keeps no states to rewind to: they fill their budget step by step, as is predicted.
fn recipe(folder: &Path, causal: bool) {
    let model = folder.join("model");
    std::fs::create_dir(&model).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = if causal { root.join("examples/tiny-llama/model") } else { common::golden("bert-a") };
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(source.join(file), model.join(file)).unwrap();
    }
    let mut config = common::json(&source.join("config.json"));
    let heads = if causal { "num_key_value_heads" } else { "type_vocab_size" };
    let sizes = [
        ("hidden_size", 128),
        ("intermediate_size", 512),
        ("num_hidden_layers", if causal { 4 } else { 8 }),
        ("num_attention_heads", 4),
        ("max_position_embeddings", 512),
        (heads, 2),
    ];
    for (name, size) in sizes {
        config[name] = size.into();
    }
    if let Some(config) = config.as_object_mut() {
        config.remove("head_dim");
    }
    std::fs::write(model.join("config.json"), config.to_string()).unwrap();
    let kind = if causal { "causal-lm" } else { "sequence-classification" };
    let targets = if causal { "all-linear" } else { "value" };
    let recipe = format!(
        "[model]\npath = \"model\"\ninit = \"random\"\n[task]\nkind = \"{kind}\"\n\
         [data]\ntrain = \"train.jsonl\"\nvalidation = \"validation.jsonl\"\nmax_length = 256\n\
         [method]\nkind = \"full\"\nsparsity = 0.99\ntargets = [\"{targets}\"]\n\
         [train]\nepochs = 100\nbatch_size = 24\nevaluate_every = 20\ncheckpoint_every = 20\n\
         [history]\nevery = 0\n"
    );
    std::fs::write(folder.join("recipe.toml"), recipe).unwrap();
}

/// Peak and prediction of a run, in MiB.
fn peak(folder: &Path, method: &str, steps: u32) -> (f64, f64) {
    let output = Command::new(env!("CARGO_BIN_EXE_spartui"))
        .current_dir(folder)
        // The tests of this program run side by side: a thread each is quicker.
        .env("OMP_NUM_THREADS", "1")
        .args(["train", "recipe.toml", "--headless", "--json", "--run", &format!("{method}-{steps}")])
        .args(["--set", &format!("train.max_steps={steps}"), "--set", &format!("method.kind={method}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let summary = events.find(|event| event["event"] == "finished").unwrap();
    let mib = |name: &str| summary[name].as_f64().unwrap() / f64::from(1 << 20);
    (mib("peak_memory"), mib("predicted_memory"))
}

fn is_flat_and_as_predicted(causal: bool, methods: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    recipe(folder.path(), causal);
    for method in methods {
        let (short, _) = peak(folder.path(), method, 100);
        // All parameters train: the most that is allocated and freed in a step, and what grew without bound.
        let steps = if *method == "full" { 600 } else { 300 };
        let (long, predicted) = peak(folder.path(), method, steps);
        println!("{method}: {short:.0} MiB after 100 steps, {long:.0} after {steps}, {predicted:.0} predicted");
        assert!(long < 1.1 * short, "{method}: {short:.0} MiB after 100 steps, {long:.0} after {steps}");
        assert!((long / predicted - 1.0).abs() < 0.15, "{method}: {long:.0} MiB, {predicted:.0} predicted");
    }
}

#[test]
fn the_peak_of_a_classifier_does_not_grow() {
    is_flat_and_as_predicted(false, &["full", "sparta", "lora", "head"]);
}

#[test]
fn the_peak_of_a_language_model_does_not_grow() {
    is_flat_and_as_predicted(true, &["full", "sparta", "lora"]);
}
