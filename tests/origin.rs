//! What a command uses and where it writes: the model and the columns of a run, and an output that is a link, a pipe or a
//! stream.

mod common;

use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::runs::{drive, launch, workshop};
use serde_json::Value;
use spartui::run::Metrics;

fn spartui(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
    command.args(arguments).current_dir(folder).env_remove("SPARTUI_RUNS").output().unwrap()
}

fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = spartui(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = spartui(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with rows whose columns have names of their own.
fn with_own_columns() -> tempfile::TempDir {
    let folder = workshop(false);
    for file in ["train.jsonl", "validation.jsonl"] {
        let path = folder.path().join(file);
        let rows = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, rows.replace("\"text\"", "\"body\"").replace("\"label\"", "\"kind\"")).unwrap();
    }
    folder
}

const COLUMNS: [&str; 3] = ["data.text=body", "data.label=kind", "train.max_steps=20"];

#[test]
fn a_run_knows_its_model_its_adapter_and_its_columns() {
    let folder = with_own_columns();
    let folder = folder.path();
    drive(launch(folder, "a", &COLUMNS), |_| Vec::new()).summary();
    let predict = |arguments: &[&str]| {
        said(folder, &[&["predict", "--input", "validation.jsonl", "--output", "-"], arguments].concat())
    };
    let named = predict(&["--model", "model", "--adapter", "runs/a/adapter", "--text", "body"]);
    assert_eq!(named.lines().count(), 12);
    assert_eq!(predict(&["--run", "a"]), named);
    assert_eq!(predict(&["--adapter", "runs/a/adapter"]), named);
    let data = said(folder, &["predict", "--run", "a", "--data", "validation.jsonl", "--output", "-"]);
    assert_eq!(data, named, "--data is --input");
    let last = *Metrics::read(&folder.join("runs/a/metrics.jsonl")).unwrap().evaluations.last().unwrap();
    for arguments in [["--run", "a"], ["--adapter", "runs/a/adapter"]] {
        let json = said(folder, &[&["evaluate", "--input", "validation.jsonl", "--json"], &arguments[..]].concat());
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["accuracy"], last.accuracy);
        assert!((json["eval_loss"].as_f64().unwrap() - last.eval_loss).abs() < 1e-6);
    }
    // A kept state is used as what is exported of it.
    said(folder, &["export", "a", "--at", "14", "--output", "fourteen"]);
    let of_step = predict(&["--model", "model", "--adapter", "fourteen", "--text", "body"]);
    assert_ne!(of_step, named);
    assert_eq!(predict(&["--run", "a", "--at", "14"]), of_step);
    let rows = ["--input", "validation.jsonl", "--output", "-"];
    let none = refused(folder, &[&["predict"], &rows[..]].concat());
    assert!(none.contains("no model is named; give a run with --run NAME"), "{none}");
    let state = refused(folder, &[&["predict", "--model", "model", "--at", "best"], &rows[..]].concat());
    assert!(state.contains("name the run with --run"), "{state}");
    std::fs::rename(folder.join("model"), folder.join("elsewhere")).unwrap();
    let gone = refused(folder, &[&["predict", "--adapter", "runs/a/adapter"], &rows[..]].concat());
    assert!(gone.contains("which does not exist; give the model with --model DIR"), "{gone}");
}

#[test]
fn a_run_of_all_parameters_or_of_a_language_model_is_named_the_same_way() {
    let folder = with_own_columns();
    let folder = folder.path();
    drive(launch(folder, "whole", &[&COLUMNS[..], &["method.kind=full"]].concat()), |_| Vec::new()).summary();
    let predict = |arguments: &[&str]| {
        said(folder, &[&["predict", "--input", "validation.jsonl", "--output", "-"], arguments].concat())
    };
    assert_eq!(predict(&["--run", "whole"]), predict(&["--model", "runs/whole/model", "--text", "body"]));
    assert_eq!(predict(&["--model", "runs/whole/model"]), predict(&["--run", "whole"]));
    let folder = workshop(true);
    let folder = folder.path();
    drive(launch(folder, "writer", &["train.max_steps=20", "method.kind=lora"]), |_| Vec::new()).summary();
    let generate = |arguments: &[&str]| {
        said(folder, &[&["generate", "--prompt", "the rain", "--max-new-tokens", "5", "--json"], arguments].concat())
    };
    let named = generate(&["--model", "model", "--adapter", "runs/writer/adapter"]);
    assert_eq!(generate(&["--run", "writer"]), named);
    assert_eq!(generate(&["--adapter", "runs/writer/adapter"]), named);
}

#[test]
fn an_output_is_written_where_it_leads() {
    let folder = with_own_columns();
    let folder = folder.path();
    drive(launch(folder, "a", &COLUMNS), |_| Vec::new()).summary();
    let predict = |output: &'static str| ["predict", "--run", "a", "--input", "validation.jsonl", "--output", output];
    let lines = said(folder, &predict("-"));
    assert_eq!(lines.lines().count(), 12);
    assert_eq!(said(folder, &predict("/dev/stdout")), lines);
    symlink("target.jsonl", folder.join("link.jsonl")).unwrap();
    said(folder, &predict("link.jsonl"));
    assert!(folder.join("link.jsonl").is_symlink());
    assert_eq!(std::fs::read_to_string(folder.join("target.jsonl")).unwrap(), lines);
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    said(folder, &predict("pipe"));
    assert_eq!(String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap(), lines);
    assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    let folder_named = refused(folder, &predict("runs"));
    assert!(folder_named.contains("it is a folder; give --output another file"), "{folder_named}");
    let missing = refused(folder, &predict("none/lines.jsonl"));
    assert!(missing.contains("there is no folder"), "{missing}");
    // The same of a comparison.
    symlink("compared.txt", folder.join("compared")).unwrap();
    said(folder, &["compare", "a", "--output", "compared"]);
    assert!(folder.join("compared").is_symlink() && folder.join("compared.txt").is_file());
    assert_eq!(
        said(folder, &["compare", "a", "--output", "-"]),
        std::fs::read_to_string(folder.join("compared.txt")).unwrap()
    );
    // A link to a folder stays one.
    std::fs::create_dir(folder.join("adapters")).unwrap();
    symlink("adapters/first", folder.join("adapter")).unwrap();
    for _ in 0..2 {
        said(folder, &["export", "a", "--output", "adapter"]);
        assert!(folder.join("adapter").is_symlink() && folder.join("adapters/first/config.json").is_file());
    }
}
