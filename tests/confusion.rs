//! Precision, recall, F1 and confusion matrices against scikit-learn, and where they are shown.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::runs::{drive, launch, workshop};
use common::{golden, json};
use serde_json::Value;
use spartui::protocol::{Confusion, Event};
use spartui::run::{PredictedRows, Predictions};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect()
}

fn close(found: &[f64], expected: &Value) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
}

#[test]
fn every_number_is_scikit_learns() {
    let cases = json(&golden("confusion.json"));
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let places = |name: &str| -> Vec<usize> { serde_json::from_value(case[name].clone()).unwrap() };
        let labels: Vec<String> = serde_json::from_value(case["labels"].clone()).unwrap();
        let confusion = Confusion::of(&labels, places("truth").into_iter().zip(places("told")));
        let classes = confusion.classes();
        close(&classes.iter().map(|class| class.precision).collect::<Vec<_>>(), &case["precision"]);
        close(&classes.iter().map(|class| class.recall).collect::<Vec<_>>(), &case["recall"]);
        close(&classes.iter().map(|class| class.f1).collect::<Vec<_>>(), &case["f1"]);
        let rows: Vec<u64> = classes.iter().map(|class| class.rows).collect();
        assert_eq!(serde_json::to_value(rows).unwrap(), case["rows"]);
        for (mean, name) in [(confusion.macro_mean(), "macro"), (confusion.weighted_mean(), "weighted")] {
            close(&[mean.precision, mean.recall, mean.f1], &case[name]);
        }
        assert_eq!(serde_json::to_value(confusion.matrix()).unwrap(), case["matrix"], "{}", case["name"]);
        let mistakes: u64 = confusion.mistakes().iter().map(|(.., rows)| rows).sum();
        let right: u64 = (0..labels.len()).map(|place| confusion.count(place, place)).sum();
        assert_eq!(mistakes + right, confusion.rows());
    }
}

fn spartui(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
    let output = command.args(arguments).current_dir(folder).env_remove("SPARTUI_RUNS").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_run_the_evaluation_and_the_comparison_tell_the_same() {
    let folder = workshop(false);
    let folder = folder.path();
    let ran = drive(launch(folder, "a", &["train.max_steps=20"]), |_| Vec::new());
    let told = ran.events.iter().rev().find_map(|event| match event {
        Event::Confused(confusion) => Some((**confusion).clone()),
        _ => None,
    });
    let told = told.unwrap();
    // What the run wrote of each row, counted here.
    let PredictedRows::Labels { names, rows } =
        Predictions::read(&folder.join("runs/a/predictions.jsonl")).unwrap().unwrap().rows
    else {
        panic!("it classifies")
    };
    let count = |label: usize, given: usize| {
        rows.iter().filter(|row| (row.label, row.predicted) == (label, given)).count() as u64
    };
    let matrix: Vec<Vec<u64>> =
        (0..names.len()).map(|label| (0..names.len()).map(|given| count(label, given)).collect()).collect();
    assert_eq!((told.matrix(), &told.labels, told.step), (matrix.clone(), &names, 20));
    // The model and the columns are the run's.
    let json: Value = serde_json::from_slice(
        &spartui(folder, &["evaluate", "--run", "a", "--data", "validation.jsonl", "--json"]).stdout,
    )
    .unwrap();
    assert_eq!(json["confusion"], serde_json::to_value(&matrix).unwrap());
    assert_eq!(json["classes"], serde_json::to_value(told.classes()).unwrap());
    let text = said(&spartui(folder, &["evaluate", "--run", "a", "--input", "validation.jsonl"]));
    assert!(text.contains("precision    recall        F1    rows") && text.contains("weighted mean"), "{text}");
    // One unit for one metric: as accuracy, and as the comparison has it.
    let f1 = format!("{:.2} %", told.macro_mean().f1 * 100.0);
    let line = text.lines().find(|line| line.starts_with("mean ")).unwrap();
    assert!(line.contains(&f1), "{line}");
    let compared = said(&spartui(folder, &["compare", "a", "--format", "json"]));
    let compared: Value = serde_json::from_str(&compared).unwrap();
    assert_eq!(compared["settings"][0]["classes"], serde_json::to_value(told.classes()).unwrap());
    assert_eq!(compared["settings"][0]["macro_f1"], serde_json::to_value(told.macro_mean().f1).unwrap());
    let text = said(&spartui(folder, &["compare", "a"]));
    assert!(text.contains("F1 by label") && text.contains(&f1), "{text}");
}
