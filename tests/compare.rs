//! The statistics of a comparison against scipy's, and the comparison of real runs.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::runs::{drive, launch, workshop};
use common::{golden, json};
use spartui::compare::{Interval, chi_square_1, interval, mcnemar, quantile};
use spartui::engine::{Replay, Resume};
use spartui::random::Source;
use spartui::run::{Metrics, PredictedRows, Predictions};

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs().max(1e-300)
}

#[test]
fn mcnemars_test_is_scipys() {
    let golden = json(&golden("compare.json"));
    let cases = golden["mcnemar"].as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let found = mcnemar(case["only_first"].as_u64().unwrap(), case["only_second"].as_u64().unwrap());
        assert!(close(found.p, case["p"].as_f64().unwrap(), 1e-11), "{found:?} {case}");
        assert_eq!(serde_json::to_value(found.test).unwrap(), case["test"]);
        assert_eq!(found.statistic, case["statistic"].as_f64());
    }
    for case in golden["chi_square_1"].as_array().unwrap() {
        let (x, p) = (case[0].as_f64().unwrap(), case[1].as_f64().unwrap());
        assert!(close(chi_square_1(x), p, 1e-11), "{x}: {} {p}", chi_square_1(x));
    }
}

#[test]
fn intervals_are_scipys_and_quantiles_numpys() {
    let golden = json(&golden("compare.json"));
    for case in golden["bootstrap"].as_array().unwrap() {
        let list = |name: &str| -> Vec<f64> {
            case[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        let source = Source::new(7, "test", "");
        let found = interval(&list("differences"), &list("weights"), &source).unwrap();
        let number = |name: &str| case[name].as_f64().unwrap();
        let Interval { difference, low, high } = found;
        assert!((difference - number("difference")).abs() < 1e-12, "{}: {difference}", case["name"]);
        // The end of an interval of 10,000 resamples has an error of some hundredths of the standard error.
        let error = number("standard_error") * 0.15;
        assert!((low - number("scipy_low")).abs() < error && (high - number("scipy_high")).abs() < error, "{found:?}");
    }
    let sorted: Vec<f64> = serde_json::from_value(golden["quantiles"]["sorted"].clone()).unwrap();
    for case in golden["quantiles"]["shares"].as_array().unwrap() {
        let (share, expected) = (case[0].as_f64().unwrap(), case[1].as_f64().unwrap());
        assert!((quantile(&sorted, share) - expected).abs() < 1e-12, "{share}: {expected}");
    }
}

fn spartui(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
    command.args(arguments).current_dir(folder).env_remove("SPARTUI_RUNS").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn predictions(folder: &Path, run: &str) -> Predictions {
    Predictions::read(&folder.join("runs").join(run).join("predictions.jsonl")).unwrap().unwrap()
}

#[test]
fn a_run_says_of_each_row_what_its_last_evaluation_says_of_all() {
    for causal in [false, true] {
        let folder = workshop(causal);
        let folder = folder.path();
        drive(launch(folder, "a", &["train.epochs=9"]), |_| Vec::new()).summary();
        let told = predictions(folder, "a");
        let readings = Metrics::read(&folder.join("runs/a/metrics.jsonl")).unwrap();
        let last = readings.evaluations.last().unwrap();
        assert_eq!((told.step, told.len()), (last.step, last.examples));
        #[expect(clippy::cast_precision_loss, reason = "rows and tokens are few")]
        let (accuracy, loss) = match &told.rows {
            PredictedRows::Labels { rows, .. } => {
                let right = rows.iter().filter(|row| row.label == row.predicted).count();
                let loss: f64 = rows.iter().map(|row| -f64::from(row.logprob)).sum();
                (right as f64 / rows.len() as f64, loss / rows.len() as f64)
            }
            PredictedRows::Tokens(rows) => {
                let tokens: usize = rows.iter().map(|row| row.tokens).sum();
                let right: usize = rows.iter().map(|row| row.right).sum();
                (right as f64 / tokens as f64, rows.iter().map(|row| row.loss).sum::<f64>() / tokens as f64)
            }
        };
        assert!((accuracy - last.accuracy).abs() < 1e-12 && (loss - last.eval_loss).abs() < 1e-6);
        // The same rows have the same hash, whatever was trained; other rows have another.
        drive(launch(folder, "b", &["train.epochs=3", "train.seed=9"]), |_| Vec::new()).summary();
        assert_eq!(predictions(folder, "b").rows_hash, told.rows_hash);
        drive(launch(folder, "c", &["train.epochs=3", "data.validation=0.25"]), |_| Vec::new()).summary();
        assert_ne!(predictions(folder, "c").rows_hash, told.rows_hash);
        let output = spartui(folder, &["compare", "a", "b", "c", "--format", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json: serde_json::Value = serde_json::from_str(&said(&output)).unwrap();
        let settings = json["settings"].as_array().unwrap();
        assert_eq!(settings[1]["test"]["rows"].as_u64().unwrap(), told.len() as u64);
        assert!(settings[2]["untested"].as_str().unwrap().contains("other validation rows"));
        assert!(settings[0]["peak_memory"]["mean"].as_f64().unwrap() > 1e6);
    }
}

#[test]
fn predictions_are_those_of_the_state_that_was_exported() {
    use spartui::protocol::{Command, Event};
    let folder = workshop(false);
    let folder = folder.path();
    // It stops between two evaluations, after a change that none has seen.
    let set = || {
        let value = spartui::recipe::Value::Float(0.95);
        Command::Set { id: 1, field: "method.sparsity".into(), value }
    };
    let stopped = drive(launch(folder, "stopped", &["method.on_shrink=revert"]), |event| match event {
        Event::Step(step) if step.step == 30 => vec![set(), Command::Stop],
        _ => Vec::new(),
    });
    let steps = stopped.summary().steps;
    let told = predictions(folder, "stopped");
    assert_eq!(told.step, steps);
    let PredictedRows::Labels { rows, .. } = &told.rows else { panic!("it classifies") };
    let model = folder.join("model");
    let input = folder.join("validation.jsonl");
    let (model, input) = (model.display().to_string(), input.display().to_string());
    let arguments = ["predict", "--model", &model, "--adapter", "runs/stopped/adapter", "--input", &input];
    let output = spartui(folder, &[&arguments[..], &["--output", "out.jsonl"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = ["a", "b", "c"];
    for (row, line) in rows.iter().zip(std::fs::read_to_string(folder.join("out.jsonl")).unwrap().lines()) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["label"], names[row.predicted]);
        let probability = line["probabilities"][row.label].as_f64().unwrap();
        assert!((probability.ln() - f64::from(row.logprob)).abs() < 1e-4, "{row:?} {line}");
    }
    // It goes on, and ends elsewhere.
    let runs = folder.join("runs");
    let go_on = Resume { runs: runs.clone(), run: "stopped".into(), ..Resume::default() };
    drive(go_on, |_| Vec::new()).summary();
    assert_eq!(predictions(folder, "stopped").step, 300);
    let repeat = Replay { runs, run: "stopped".into(), name: Some("again".into()), ..Replay::default() };
    drive(repeat, |_| Vec::new()).summary();
    let bytes = |run: &str| std::fs::read(folder.join("runs").join(run).join("predictions.jsonl")).unwrap();
    assert_eq!(bytes("again"), bytes("stopped"));
}

#[test]
fn missing_predictions_are_said_and_can_be_made() {
    let folder = workshop(true);
    let folder = folder.path();
    for (name, seed) in [("a", "train.seed=1"), ("b", "train.seed=2"), ("c", "method.sparsity=0.85")] {
        drive(launch(folder, name, &["train.epochs=3", seed]), |_| Vec::new()).summary();
    }
    let file = folder.join("runs/a/predictions.jsonl");
    let whole = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = said(&spartui(folder, &["compare", "a", "b", "c"]));
    assert!(text.contains("no test, a has no predictions.jsonl") && text.contains("--evaluate"), "{text}");
    let output = spartui(folder, &["compare", "a", "b", "c", "--evaluate", "--format", "markdown", "--output", "r.md"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    let report = std::fs::read_to_string(folder.join("r.md")).unwrap();
    assert!(report.contains("| sparta, sparsity 0.85 | 1 |") && report.contains("eval\\_loss"), "{report}");
    // Against another run than the first.
    let text = said(&spartui(folder, &["compare", "a", "b", "--against", "c"]));
    assert!(text.contains("against sparta, sparsity 0.85"), "{text}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = workshop(false);
    let output = spartui(folder.path(), &["compare", "nothing"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not a run folder"));
    assert_eq!(spartui(folder.path(), &["compare"]).status.code(), Some(2));
}
