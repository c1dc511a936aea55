mod sample_runs;

use super::*;
use spartui_run::{PredictedRows, Predictions, State, TokenRow};

pub use sample_runs::{classified, six_runs, subject};

/// Predictions of a language model: loss and tokens of each row.
pub fn spoken(rows: &str, told: &[(f64, usize)]) -> Predictions {
    let row = |(line, &(loss, tokens)): (usize, &(f64, usize))| TokenRow { line, loss, tokens, right: 0 };
    let predicted = PredictedRows::Tokens(told.iter().enumerate().map(row).collect());
    Predictions { step: 300, branch: 0, rows_hash: rows.into(), rows: predicted }
}

#[test]
fn settings_have_their_spread_and_their_tests() {
    let comparison = Comparison::of(&six_runs(), 0).unwrap();
    let labels: Vec<&str> = comparison.settings.iter().map(|row| row.setting.as_str()).collect();
    let expected = [
        "sparta, sparsity 0.99, learning rate 1e-4",
        "head, learning rate 0.01",
        "sparta, sparsity 0.995, learning rate 1e-4",
        "sparta, sparsity 0.998, learning rate 1e-4",
    ];
    assert_eq!(labels, expected);
    let first = &comparison.settings[0];
    let best = first.best.unwrap();
    assert!((best.mean - 0.81).abs() < 1e-12 && (best.deviation.unwrap() - 0.01).abs() < 1e-12);
    assert!(first.test.is_none() && first.untested.is_none());
    let head = comparison.settings[1].test.as_ref().unwrap();
    assert_eq!(head.pairs, [("a0".to_owned(), "h".to_owned())]);
    // 160 rows are right in one and 100 in the other; every tenth is wrong in both.
    assert!((head.difference.difference + 0.3).abs() < 1e-12);
    let mcnemar = head.mcnemar.unwrap();
    assert_eq!((mcnemar.only_first, mcnemar.only_second), (80, 20));
    assert_eq!(comparison.settings[3].untested.as_deref(), Some("b2 has no predictions.jsonl"));
    assert!(comparison.notes.iter().any(|note| note.contains("b2 has no predictions.jsonl")), "{:?}", comparison.notes);
    assert_eq!(Comparison::of(&six_runs(), 4).unwrap().against, 2);
}

#[test]
fn tasks_are_not_mixed_and_none_is_refused() {
    let runs = [subject("a", &[]), subject("b", &["task.kind=causal-lm"])];
    assert!(Comparison::of(&runs, 0).unwrap_err().contains("a and b have different tasks"));
    assert!(Comparison::of(&[], 0).is_err());
}

#[test]
fn misleading_numbers_have_notes() {
    let mut runs = vec![subject("a", &[]), subject("b", &[]), subject("c", &["train.seed=5"])];
    runs[2].state = Some(State::Running);
    let notes = Comparison::of(&runs, 0).unwrap().notes;
    assert_eq!(notes, ["a and b have the same seeds: they are no two samples", "c is still training"]);
}

#[test]
fn a_difference_says_of_which_state_it_is() {
    let at = |step: u64| {
        let mut runs = six_runs();
        for run in &mut runs {
            if let Ok(told) = &mut run.predictions {
                told.step = step;
            }
        }
        let comparison = Comparison::of(&runs, 0).unwrap();
        (comparison.tested, Column::Difference.heading(&comparison).title)
    };
    assert_eq!(at(300), (Tested::Last, "difference of last, 95 %".into()));
    assert_eq!(at(200), (Tested::Best, "difference of best, 95 %".into()));
    assert_eq!(at(250), (Tested::Adapter, "difference of adapters, 95 %".into()));
}
