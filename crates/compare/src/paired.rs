//! Compares two settings on the same rows.

use serde::Serialize;

use super::bootstrap::{Interval, interval};
use super::mcnemar::{McNemar, mcnemar};
use super::subject::Subject;
use spartui_facts::random::Source;
use spartui_run::{PredictedRows, Predictions};

/// The result of a paired test of a setting against another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// The paired runs: of the other setting, and of this one.
    pub pairs: Vec<(String, String)>,
    /// Whether the runs of a pair have the same seeds; else they are paired in the order of their seeds.
    pub same_seeds: bool,
    /// Validation rows.
    pub rows: usize,
    /// This setting's accuracy or loss minus the other's, in the state in which each run ended.
    pub difference: Interval,
    /// McNemar's test over the rows of all pairs; none for a language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcnemar: Option<McNemar>,
}

/// Tests a setting against another one.
///
/// # Errors
/// One sentence if that is not possible.
pub fn paired(against: &[&Subject], these: &[&Subject]) -> Result<Paired, String> {
    let (pairs, same_seeds) = pairs(against, these);
    let mut told: Vec<(&Predictions, &Predictions)> = Vec::new();
    for (a, b) in &pairs {
        told.push((predictions(a)?, predictions(b)?));
    }
    let first = told.first().ok_or("there is no pair of runs")?.0;
    for (index, (a, b)) in told.iter().enumerate() {
        if let Some(other) =
            [a, b].into_iter().position(|other| other.rows_hash != first.rows_hash || other.len() != first.len())
        {
            let run = if other == 0 { pairs[index].0 } else { pairs[index].1 };
            return Err(format!("{} was measured on other validation rows than {}", run.name, pairs[0].0.name));
        }
    }
    let rows = first.len();
    let mut differences = vec![0.0; rows];
    let mut weights = vec![1.0; rows];
    let mut only = (0, 0);
    for (a, b) in &told {
        match (&a.rows, &b.rows) {
            (PredictedRows::Labels { rows: a, .. }, PredictedRows::Labels { rows: b, .. }) => {
                for (difference, (a, b)) in differences.iter_mut().zip(a.iter().zip(b)) {
                    let right = (a.label == a.predicted, b.label == b.predicted);
                    only.0 += u64::from(right == (true, false));
                    only.1 += u64::from(right == (false, true));
                    *difference += f64::from(i8::from(right.1) - i8::from(right.0));
                }
            }
            (PredictedRows::Tokens(a), PredictedRows::Tokens(b)) => {
                for (row, (a, b)) in a.iter().zip(b).enumerate() {
                    differences[row] += b.loss - a.loss;
                    weights[row] = tokens(a.tokens);
                }
            }
            _ => return Err("one classifies and the other is a language model".into()),
        }
    }
    let count = tokens(told.len());
    for difference in &mut differences {
        *difference /= count;
    }
    let source = Source::new(0, "compare", &first.rows_hash);
    let difference = interval(&differences, &weights, &source).ok_or("a loss is not finite")?;
    let classifies = matches!(first.rows, PredictedRows::Labels { .. });
    let names = pairs.iter().map(|(a, b)| (a.name.clone(), b.name.clone())).collect();
    let mcnemar = classifies.then(|| mcnemar(only.0, only.1));
    Ok(Paired { pairs: names, same_seeds, rows, difference, mcnemar })
}

#[expect(clippy::cast_precision_loss, reason = "tokens and runs are below 2^53")]
fn tokens(count: usize) -> f64 {
    count as f64
}

fn predictions(subject: &Subject) -> Result<&Predictions, String> {
    subject.predictions.as_ref().map_err(|why| format!("{} {why}", subject.name))
}

/// Pairs of runs with equal seeds; if there are none, in the order of their seeds. Each run is in at most one pair.
fn pairs<'a>(against: &[&'a Subject], these: &[&'a Subject]) -> (Vec<(&'a Subject, &'a Subject)>, bool) {
    let sorted = |subjects: &[&'a Subject]| {
        let mut sorted = subjects.to_vec();
        sorted.sort_by_key(|subject| subject.seeds());
        sorted.dedup_by_key(|subject| subject.seeds());
        sorted
    };
    let (against, these) = (sorted(against), sorted(these));
    let same = |a: &&'a Subject| Some((*a, *these.iter().find(|b| b.seeds() == a.seeds())?));
    let found: Vec<_> = against.iter().filter_map(same).collect();
    if found.is_empty() { (against.into_iter().zip(these).collect(), false) } else { (found, true) }
}

#[cfg(test)]
mod tests {
    use super::super::mcnemar::Test;
    use super::super::tests::{classified, spoken, subject};
    use super::*;

    fn run(name: &str, seed: u32, right: &[bool]) -> Subject {
        let seed = format!("train.seed={seed}");
        Subject { predictions: Ok(classified("same", right)), ..subject(name, &[&seed]) }
    }

    #[test]
    fn runs_of_equal_seeds_are_put_beside_each_other() {
        let right = [true, true, false, true];
        let (a, b) = (run("a", 1, &right), run("b", 2, &[true, true, true, true]));
        let (c, d) = (run("c", 2, &[true, false, true, false]), run("d", 1, &right));
        let found = paired(&[&a, &b], &[&c, &d]).unwrap();
        assert_eq!(found.pairs, [("a".into(), "d".into()), ("b".into(), "c".into())]);
        assert!(found.same_seeds);
        let mcnemar = found.mcnemar.unwrap();
        assert_eq!((mcnemar.only_first, mcnemar.only_second, mcnemar.test), (2, 0, Test::ExactBinomial));
        // Two rows of one of two pairs, of four rows.
        assert_eq!(found.difference.difference, -0.25);
        let others = paired(&[&a], &[&c]).unwrap();
        assert!(!others.same_seeds && others.pairs.len() == 1);
    }

    #[test]
    fn a_run_is_no_different_from_itself() {
        let a = run("a", 1, &[true, false, true]);
        let found = paired(&[&a], &[&a]).unwrap();
        assert_eq!(found.mcnemar.unwrap().p, 1.0);
        assert_eq!((found.difference.low, found.difference.high), (0.0, 0.0));
    }

    #[test]
    fn a_language_models_loss_is_that_of_its_tokens() {
        let model = |name: &str, rows: &[(f64, usize)]| Subject {
            predictions: Ok(spoken("same", rows)),
            ..subject(name, &["task.kind=causal-lm"])
        };
        let (a, b) = (model("a", &[(4.0, 2), (3.0, 6)]), model("b", &[(2.0, 2), (1.0, 6)]));
        let found = paired(&[&a], &[&b]).unwrap();
        assert_eq!((found.difference.difference, found.mcnemar), (-0.5, None));
        assert!(found.difference.low >= -1.0 && found.difference.high <= -1.0 / 3.0);
        let broken = model("c", &[(f64::NAN, 2), (1.0, 6)]);
        assert_eq!(paired(&[&a], &[&broken]).unwrap_err(), "a loss is not finite");
    }

    #[test]
    fn incomparable_runs_are_refused() {
        let a = run("a", 1, &[true, false]);
        let other = Subject { predictions: Ok(classified("other", &[true, true])), ..subject("b", &[]) };
        assert!(paired(&[&a], &[&other]).unwrap_err().contains("b was measured on other validation rows than a"));
        let older = Subject { predictions: Err("has none".into()), ..subject("c", &[]) };
        assert_eq!(paired(&[&a], &[&older]).unwrap_err(), "c has none");
    }
}
