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
    let named = ["of its 3 rows, 2 bad left out (train.jsonl:2", "train.jsonl:3"];
    refused(&["a classifier needs two labels or more", named[0], named[1]], &[], write("train.jsonl", rows(good)));
    let settings = ["task.labels=[\"a\", \"b\"]", "data.validation=0.5"];
    refused(&["has one good row, too few", named[0], named[1]], &settings, write("train.jsonl", rows(good)));
}

/// What is printed where a program is done.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = spartui(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn rows_that_are_written_otherwise_are_read_and_what_was_guessed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 2\n");
    let row = |at: usize| format!("le café {at} coûte;{}\n", ["prix", "autre"][at % 2]);
    let rows: String = (0..30).map(row).chain(["x;Prix\n".into(), row(3), " ;autre\n".into()]).collect();
    let latin: Vec<u8> =
        format!("sentence;intent\n{rows}").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    std::fs::write(folder.path().join("rows.csv"), latin).unwrap();
    std::fs::write(folder.path().join("valid.csv"), "sentence;intent\nnouveau;prix\nencore;autre\n").unwrap();
    let recipe = "[model]\npath = \"model\"\n[data]\ntrain = \"rows.csv\"\nvalidation = \"valid.csv\"\nmax_length = 32\n[method]\nsparsity = 0.9\n\
                  [train]\nmax_steps = 2\n";
    std::fs::write(folder.path().join("other.toml"), recipe).unwrap();
    let said = [
        "guessed from the columns of \"rows.csv\": data.text = \"sentence\", data.label = \"intent\"; name them to take others",
        "\"rows.csv\" is read as windows-1252, since it is not valid UTF-8 (as in \"café\"), with \";\" between the fields",
        "training rows repeats an earlier one (rows.csv:33 repeats rows.csv:5)",
        "training rows has an empty text (rows.csv:34)",
        "2 of 3 labels differ from another only by case or space (\"Prix\" in 1 row, \"prix\" in ",
    ];
    let looked = printed(folder.path(), &["inspect", "--data", "other.toml"]);
    let planned = printed(folder.path(), &["plan", "other.toml", "--no-calibration"]);
    let trained = printed(folder.path(), &["train", "other.toml", "--run", "first", "--headless"]);
    let log = std::fs::read_to_string(folder.path().join("runs/first/log.txt")).unwrap();
    for part in said {
        for (what, text) in [("inspect", &looked), ("plan", &planned), ("train", &trained), ("log", &log)] {
            assert!(text.contains(part), "{what} does not say \"{part}\": {text}");
        }
    }
    // The run's recipe names what was guessed.
    let kept = std::fs::read_to_string(folder.path().join("runs/first/recipe.toml")).unwrap();
    assert!(kept.contains("text = \"sentence\"") && kept.contains("label = \"intent\""), "{kept}");
    // An adapter that has left its run has no columns to go by; the file's header is asked here too.
    let (from, to) = (folder.path().join("runs/first/adapter"), folder.path().join("away"));
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    for command in ["predict", "evaluate"] {
        let mut arguments = vec![command, "--model", "model", "--adapter", "away", "--input", "valid.csv"];
        arguments.extend(if command == "predict" { &["--output", "-"][..] } else { &[] });
        let output = spartui(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("guessed from the columns of \"valid.csv\": data.text = \"sentence\""), "{said}");
    }
}

#[test]
fn a_column_that_is_named_and_missing_is_refused_with_the_near_one() {
    refused(
        &["rows.csv", "no column \"sentance\" (did you mean \"sentence\"?)", "\"sentence\", \"intent\""],
        &["data.train=rows.csv", "data.text=sentance", "data.label=intent"],
        write("rows.csv", "sentence,intent\none,a\ntwo,b\nthree,a\nfour,b\n"),
    );
    refused(&["data.delimiter", "one character"], &["data.delimiter=;;"], |_| {});
    refused(&["data.encoding", "name of an encoding"], &["data.encoding=klingon"], |_| {});
    refused(
        &["rows.csv, line 3 is not valid Shift_JIS", "data.encoding"],
        &["data.train=rows.csv", "data.encoding=shift_jis"],
        write("rows.csv", b"text,label\nx,a\n\xff\xff,b\n"),
    );
}

/// A shell that runs the program with its standard output as `redirected` has it.
fn into(redirected: &str, folder: &Path, arguments: &[&str]) -> Output {
    let script = format!("exec \"$0\" \"$@\" {redirected}");
    let shell = ["-c", &script, env!("CARGO_BIN_EXE_spartui")];
    Command::new("sh").args(shell).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn nothing_is_said_to_a_standard_output_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 2\n");
    printed(folder.path(), &["train", "recipe.toml", "--run", "good"]);
    let adapter = ["--run", "good", "--input", "validation.jsonl"];
    let with = |command: &[&'static str], more: &[&'static str]| [command, &adapter, more].concat();
    let mut commands = vec![
        with(&["predict"], &["--output", "-"]),
        with(&["predict"], &["--output", "/dev/stdout"]),
        with(&["evaluate"], &[]),
        vec!["inspect", "model"],
        vec!["runs"],
        vec!["runs", "--json"],
        vec!["compare", "runs/good"],
        vec!["plan", "recipe.toml", "--no-calibration", "--json"],
        vec!["keys"],
        vec!["doctor"],
        vec!["--help"],
        vec!["train", "--help"],
        vec!["--version"],
        vec!["train", "recipe.toml", "--run", "closed"],
    ];
    let said = |redirected: &str, arguments: &[&str]| {
        let output = into(redirected, folder.path(), arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {redirected}: {error}");
        error
    };
    for arguments in &commands {
        let error = said(">&-", arguments);
        assert!(error.contains("standard output cannot be written: it is closed"), "{arguments:?}: {error}");
    }
    // A run goes on unheard.
    assert!(folder.path().join("runs/closed/adapter/sparse_deltas.safetensors").exists());
    commands.pop();
    for redirected in ["1</dev/null", ">/dev/full"] {
        for arguments in [&commands[0], &commands[4], &commands[10]] {
            let error = said(redirected, arguments);
            assert!(error.contains("standard output cannot be written: "), "{arguments:?} {redirected}: {error}");
        }
    }
    // What a closed one is replaced with can be meant, and a reader that goes ends the program quietly.
    let to_null = with(&["predict"], &["--output", "/dev/null"]);
    assert!(into(">&-", folder.path(), &to_null).status.success());
    let gone = into("| head -n 1 >/dev/null", folder.path(), &["train", "--help"]);
    assert!(gone.status.success() && gone.stderr.is_empty(), "{gone:?}");
}

#[test]
fn what_is_not_open_is_not_read_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nmax_steps = 2\n");
    let open = "no file of this number is open";
    refused(&["cannot read the data /dev/fd/987", open], &["data.train=/dev/fd/987"], |_| {});
    let output =
        spartui(folder.path(), &["predict", "--model", "none", "--input", "train.jsonl", "--output", "/dev/fd/987"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && error.contains(open), "before there is anything to write: {error}");
}
