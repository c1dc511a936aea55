//! Runs as they are compared, for the tests of this crate and of those above it.

use std::path::PathBuf;

use spartui_compare::Subject;
use spartui_facts::protocol::Evaluation;
use spartui_facts::recipe::{Recipe, parse_assignment};
use spartui_run::{LabelRow, PredictedRows, Predictions, State};

/// A run with these fields in its recipe.
pub fn subject(name: &str, assignments: &[&str]) -> Subject {
    let mut recipe = Recipe::default();
    // The recipe of a run contains a number.
    for assignment in ["optimizer.learning_rate=1e-4"].iter().chain(assignments) {
        let (field, value) = parse_assignment(assignment).unwrap();
        recipe.set(&field, value).unwrap();
    }
    let evaluation = |step, accuracy, eval_loss| Evaluation {
        step,
        eval_loss,
        accuracy,
        mcc: Some(0.5),
        examples: 4,
        seconds: 0.1,
        branch: 0,
    };
    Subject {
        name: name.into(),
        folder: PathBuf::from("runs").join(name),
        recipe,
        state: Some(State::Completed),
        changes: Vec::new(),
        more: Vec::new(),
        steps: 300,
        best: Some(evaluation(200, 0.8, 0.7)),
        last: Some(evaluation(300, 0.75, 0.72)),
        trainable: Some(227_178),
        sparsity: Some(0.99),
        peak_memory: Some(559 << 20),
        step_seconds: Some(0.1774),
        result_bytes: Some(1_900_000),
        predictions: Err("has none".into()),
    }
}

/// Predictions of a classifier of two labels.
pub fn classified(rows: &str, right: &[bool]) -> Predictions {
    let row =
        |(line, right): (usize, &bool)| LabelRow { line, label: 1, predicted: usize::from(*right), logprob: -0.5 };
    let predicted = PredictedRows::Labels {
        names: vec!["a".into(), "b".into()],
        rows: right.iter().enumerate().map(row).collect(),
    };
    Predictions { step: 300, branch: 0, rows_hash: rows.into(), rows: predicted }
}

/// Three settings, the first with three seeds.
pub fn six_runs() -> Vec<Subject> {
    let right = |miss: usize| (0..200).map(|row| row % miss != 0).collect::<Vec<_>>();
    let run = |name: &str, assignments: &[&str], miss: usize, accuracy: f64| {
        let mut subject = subject(name, assignments);
        subject.predictions = Ok(classified("same", &right(miss)));
        subject.best.as_mut().unwrap().accuracy = accuracy;
        subject
    };
    let seeds = ["train.seed=1", "train.seed=2", "train.seed=3"];
    let mut runs: Vec<Subject> =
        (0..3_u8).map(|at| run(&format!("a{at}"), &[seeds[usize::from(at)]], 5, 0.8 + 0.01 * f64::from(at))).collect();
    let head = ["method.kind=head", "train.seed=1", "optimizer.learning_rate=0.01"];
    runs.push(Subject { trainable: Some(4620), sparsity: Some(0.999_796), ..run("h", &head, 2, 0.5) });
    runs.push(run("b1", &["method.sparsity=0.995", seeds[0]], 7, 0.86));
    runs.push(Subject {
        predictions: Err("has no predictions.jsonl".into()),
        ..run("b2", &["method.sparsity=0.998"], 7, 0.84)
    });
    runs
}
