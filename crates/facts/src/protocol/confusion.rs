//! The confusion matrix of a classifier, and the scores of each label.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A sparse confusion matrix: with many labels, most pairs never occur.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Optimizer steps done.
    #[serde(default)]
    pub step: u64,
    /// The branch of that step.
    #[serde(default)]
    pub branch: u32,
    /// The labels, in the order of the logits.
    pub labels: Vec<String>,
    /// Indices of a label and of a prediction, and the number of rows with both.
    pub cells: Vec<(usize, usize, u64)>,
}

/// The scores of one label. A share of zero rows is 0, as in scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// The label.
    pub label: String,
    /// Of the rows with this prediction, the share with this label.
    pub precision: f64,
    /// Of the rows with this label, the share with this prediction.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Rows with this label.
    pub rows: u64,
    /// Rows with this prediction.
    pub predicted: u64,
}

/// Means over the labels that occur, as a label or as a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// Of the precisions.
    pub precision: f64,
    /// Of the recalls.
    pub recall: f64,
    /// Of the F1 scores.
    pub f1: f64,
}

impl Confusion {
    /// From label and prediction of each row, by their indices.
    #[must_use]
    pub fn of(labels: &[String], rows: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for pair in rows {
            *counts.entry(pair).or_default() += 1;
        }
        let cells = counts.into_iter().map(|((label, predicted), rows)| (label, predicted, rows)).collect();
        Self { labels: labels.to_vec(), cells, ..Self::default() }
    }

    /// The sum of both, if they have the same labels.
    #[must_use]
    pub fn with(&self, other: &Self) -> Option<Self> {
        let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (label, predicted, rows) in self.cells.iter().chain(&other.cells) {
            *counts.entry((*label, *predicted)).or_default() += rows;
        }
        let cells = counts.into_iter().map(|((label, predicted), rows)| (label, predicted, rows)).collect();
        (self.labels == other.labels).then(|| Self { cells, ..self.clone() })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.cells.iter().map(|(.., rows)| rows).sum()
    }

    /// Number of rows with this label and this prediction.
    #[must_use]
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        self.cells.iter().find(|cell| (cell.0, cell.1) == (label, predicted)).map_or(0, |cell| cell.2)
    }

    /// The dense matrix, `[label][prediction]`.
    #[must_use]
    pub fn matrix(&self) -> Vec<Vec<u64>> {
        let mut matrix = vec![vec![0; self.labels.len()]; self.labels.len()];
        for &(label, predicted, rows) in &self.cells {
            if let Some(cell) = matrix.get_mut(label).and_then(|row| row.get_mut(predicted)) {
                *cell += rows;
            }
        }
        matrix
    }

    /// The scores of the labels, in the order of the logits.
    #[must_use]
    pub fn classes(&self) -> Vec<Class> {
        let mut sums = vec![(0, 0, 0); self.labels.len()];
        for &(label, predicted, rows) in &self.cells {
            if let Some((_, has, _)) = sums.get_mut(label) {
                *has += rows;
            }
            if let Some((right, _, given)) = sums.get_mut(predicted) {
                *given += rows;
                *right += if label == predicted { rows } else { 0 };
            }
        }
        let class = |(label, (right, has, given)): (&String, (u64, u64, u64))| Class {
            label: label.clone(),
            precision: share(right, given),
            recall: share(right, has),
            f1: share(2 * right, has + given),
            rows: has,
            predicted: given,
        };
        self.labels.iter().zip(sums).map(class).collect()
    }

    /// The mean over labels.
    #[must_use]
    pub fn macro_mean(&self) -> Mean {
        mean(&self.classes(), |class| if class.rows + class.predicted > 0 { 1.0 } else { 0.0 })
    }

    /// The mean weighted by rows.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rows are below 2^53")]
    pub fn weighted_mean(&self) -> Mean {
        mean(&self.classes(), |class| class.rows as f64)
    }

    /// The wrong predictions, the most frequent first.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&str, &str, u64)> {
        let name = |place: usize| self.labels.get(place).map_or("", String::as_str);
        let wrong = self.cells.iter().filter(|(label, predicted, _)| label != predicted);
        let mut mistakes: Vec<_> = wrong.map(|&(label, given, rows)| (name(label), name(given), rows)).collect();
        mistakes.sort_by_key(|(.., rows)| std::cmp::Reverse(*rows));
        mistakes
    }
}

#[expect(clippy::cast_precision_loss, reason = "rows are below 2^53")]
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

fn mean(classes: &[Class], weight: impl Fn(&Class) -> f64) -> Mean {
    let all: f64 = classes.iter().map(&weight).sum();
    let of = |value: &dyn Fn(&Class) -> f64| {
        let sum: f64 = classes.iter().map(|class| weight(class) * value(class)).sum();
        if all > 0.0 { sum / all } else { 0.0 }
    };
    Mean { precision: of(&|class| class.precision), recall: of(&|class| class.recall), f1: of(&|class| class.f1) }
}
