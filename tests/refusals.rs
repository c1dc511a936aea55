//! Bad input: one sentence with the place and the remedy, exit status 2, nothing half-written left behind.

mod common;

use std::path::Path;
use std::process::{Command, Output};

fn spartui(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spartui")).args(arguments).current_dir(folder).output().unwrap()
}

/// Trains on the small model after `spoil` has spoilt something, and expects a refusal that says `expected`.
fn refused(expected: &[&str], set: &[&str], spoil: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 2\n");
    spoil(folder.path());
    let mut arguments = vec!["train", "recipe.toml"];
    arguments.extend(set.iter().flat_map(|field| ["--set", field]));
    let output = spartui(folder.path(), &arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    assert!(error.chars().all(|c| !c.is_control() || c == '\n'), "{error:?}");
    for part in expected {
        assert!(error.contains(part), "no \"{part}\" in: {error}");
    }
    assert!(!folder.path().join("runs").exists(), "something was left behind: {error}");
}

fn write(file: &'static str, contents: impl AsRef<[u8]> + 'static) -> impl FnOnce(&Path) {
    move |folder| std::fs::write(folder.join(file), contents).unwrap()
}

#[test]
fn a_good_run_is_not_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 2\n");
    let output = spartui(folder.path(), &["train", "recipe.toml", "--run", "good"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().last(), Some("runs/good"));
    assert!(folder.path().join("runs/good/adapter/sparse_deltas.safetensors").exists());
}

#[test]
fn models() {
    refused(&["model.safetensors"], &[], |folder| {
        std::fs::remove_file(folder.join("model/model.safetensors")).unwrap();
    });
    refused(&["model.safetensors", "broken"], &[], |folder| {
        let path = folder.join("model/model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    });
    refused(&["config.json", "model_type \"mamba\""], &[], write("model/config.json", "{\"model_type\": \"mamba\"}"));
    refused(&["config.json", "no JSON"], &[], write("model/config.json", "{"));
    refused(&["tokenizer.json"], &[], write("model/tokenizer.json", "{}"));
    refused(&["tokenizer.json"], &[], |folder| {
        let path = folder.join("model/tokenizer.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["model"]["vocab"]["beyond"] = 5000.into();
        std::fs::write(&path, json.to_string()).unwrap();
    });
}

#[test]
fn recipes() {
    refused(&["method.sparsty", "method.sparsity"], &["method.sparsty=0.9"], |_| {});
    refused(&["method.sparsity", "too low"], &["method.sparsity=0.1"], |_| {});
    refused(&["method.sparsity", "too high"], &["method.sparsity=0.99999"], |_| {});
    refused(&["method.targets", "wings"], &["method.targets=[\"wings\"]"], |_| {});
    refused(&["model.device", "cuda:7"], &["model.device=cuda:7"], |_| {});
    refused(&["data.max_length"], &["data.max_length=4000"], |_| {});
    refused(&["recipe.toml", "line 1"], &[], write("recipe.toml", "[model"));
    refused(&["nothing.jsonl"], &["data.train=nothing.jsonl"], |_| {});
}

#[test]
fn data() {
    refused(&["train.jsonl"], &[], write("train.jsonl", ""));
    refused(&["train.jsonl", "line 2"], &["data.bad_rows=fail"], |folder| {
        std::fs::write(folder.join("train.jsonl"), "{\"text\": \"a\", \"label\": \"b\"}\nnot json\n").unwrap();
    });
    refused(&["train.jsonl", "body"], &["data.text=body"], |_| {});
    refused(
        &["train.jsonl", "line 1"],
        &["data.bad_rows=fail"],
        write("train.jsonl", b"{\"text\": \"\xff\", \"label\": \"b\"}\n"),
    );
    refused(&["train.jsonl", "line 1"], &["data.bad_rows=fail", "task.labels=[\"a\", \"b\"]"], |folder| {
        std::fs::write(folder.join("train.jsonl"), "{\"text\": \"x\", \"label\": \"\\u001b[31mred\"}\n").unwrap();
    });
}

#[test]
fn a_megabyte_of_text_is_cut_or_left_out_and_said() {
    for way in ["truncate", "drop"] {
        let folder = tempfile::tempdir().unwrap();
        let model = common::small_model(folder.path());
        common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 1\n");
        let path = folder.path().join("train.jsonl");
        let mut rows = std::fs::read_to_string(&path).unwrap();
        rows += &format!("{{\"text\": \"{}\", \"label\": \"a\"}}\n", "late parcel ".repeat(90_000));
        std::fs::write(&path, rows).unwrap();
        let output = spartui(folder.path(), &["train", "recipe.toml", "--set", &format!("data.too_long={way}")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 "));
    }
}

#[test]
fn a_run_folder_that_cannot_be_made() {
    refused_place("file/inside", |folder| std::fs::write(folder.join("file"), "").unwrap());
}

fn refused_place(runs: &str, prepare: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 1\n");
    prepare(folder.path());
    let output = spartui(folder.path(), &["--runs-dir", runs, "train", "recipe.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn rows_that_were_left_out_are_named_where_too_few_are_left() {
    let rows = |good: &str| format!("{good}\n{{\"text\": \"no label\"}}\n{{\"label\": \"b\"}}\n");
    let good = "{\"text\": \"late\", \"label\": \"a\"}";
    let named = ["of 3 rows of \"train.jsonl\": 2 bad left out (line 2", "line 3"];
    refused(&["a classifier needs two labels or more", named[0], named[1]], &[], write("train.jsonl", rows(good)));
    let settings = ["task.labels=[\"a\", \"b\"]", "data.validation=0.5"];
    refused(&["has one good row, too few", named[0], named[1]], &settings, write("train.jsonl", rows(good)));
}
