//! Evaluation: loss, accuracy and Matthews correlation over rows.

use std::ops::ControlFlow;

use tch::{Kind, Reduction, Tensor};

use super::targets::{labels as label_tensor, to_tensors};
use spartui_data::{self as data, Example};
use spartui_facts::protocol::Confusion;
use spartui_model::{Head, Model, Outputs};
use spartui_run::LabelRow;

/// The scores of a model on some rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Mean loss, in nats.
    pub loss: f64,
    /// Share of rows with the right label; of a language model, share of target tokens that have the highest logit.
    pub accuracy: f64,
    /// Matthews correlation coefficient over all labels (Gorodkin, 2004); 0 where it is not defined, none for a
    /// language model.
    pub mcc: Option<f64>,
}

impl Scores {
    /// From logits `[rows, labels]` (`f32`) and the rows' labels.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rows are below 2^53")]
    pub fn of(logits: &Tensor, labels: &[usize]) -> Self {
        let (rows, classes) = (labels.len(), usize::try_from(logits.size()[1]).unwrap_or(0));
        let targets = label_tensor(labels);
        let loss = logits.cross_entropy_loss::<Tensor>(&targets, None, Reduction::Mean, -100, 0.0);
        let predicted: Vec<i64> = Vec::try_from(logits.argmax(1, false)).unwrap_or_default();
        let mut confusion = vec![0_f64; classes * classes];
        for (label, predicted) in labels.iter().zip(predicted) {
            confusion[label * classes + usize::try_from(predicted).unwrap_or(0)] += 1.0;
        }
        let right: f64 = (0..classes).map(|class| confusion[class * classes + class]).sum();
        Self {
            loss: loss.to_kind(Kind::Double).double_value(&[]),
            accuracy: right / rows as f64,
            mcc: Some(matthews(&confusion, classes, right, rows as f64)),
        }
    }
}

fn matthews(confusion: &[f64], classes: usize, right: f64, rows: f64) -> f64 {
    let actual: Vec<f64> = confusion.chunks(classes).map(|row| row.iter().sum()).collect();
    let predicted: Vec<f64> = (0..classes).map(|class| confusion.iter().skip(class).step_by(classes).sum()).collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let spread = |counts: &[f64]| rows * rows - product(counts, counts);
    let norm = (spread(&actual) * spread(&predicted)).sqrt();
    if norm > 0.0 { (right * rows - product(&actual, &predicted)) / norm } else { 0.0 }
}

/// The prediction for each row, from logits `[rows, labels]` (`f32`), the rows' labels, and their lines in the file.
#[must_use]
pub(super) fn labelled(logits: &Tensor, labels: &[usize], lines: &[usize]) -> Vec<LabelRow> {
    let targets = label_tensor(labels).unsqueeze(1);
    let logprobs = logits.log_softmax(1, Kind::Float).gather(1, &targets, false).squeeze_dim(1);
    let logprobs: Vec<f32> = Vec::try_from(logprobs).unwrap_or_default();
    let predicted: Vec<i64> = Vec::try_from(logits.argmax(1, false)).unwrap_or_default();
    let rows = labels.iter().zip(lines).zip(predicted.into_iter().zip(logprobs));
    rows.map(|((&label, &line), (predicted, logprob))| LabelRow {
        line,
        label,
        predicted: usize::try_from(predicted).unwrap_or(0),
        logprob,
    })
    .collect()
}

/// The probability of each label from logits `[.., labels]`, `f32`; none for regression.
#[must_use]
pub fn probabilities(logits: &Tensor, outputs: Outputs) -> Option<Tensor> {
    let logits = logits.to_kind(Kind::Float);
    match outputs {
        Outputs::OneLabel => Some(logits.softmax(-1, Kind::Float)),
        Outputs::AnyLabels => Some(logits.sigmoid()),
        Outputs::Numbers => None,
    }
}

/// The confusion matrix of logits `[rows, labels]` of rows with these labels.
#[must_use]
pub fn confusion(logits: &Tensor, labels: &[usize], names: &[String]) -> Confusion {
    let predicted: Vec<i64> = Vec::try_from(logits.argmax(1, false)).unwrap_or_default();
    let predicted = predicted.into_iter().map(|place| usize::try_from(place).unwrap_or(0));
    Confusion::of(names, labels.iter().copied().zip(predicted))
}

/// Logits of every row, in order, `[rows, labels]`, `f32`, on the CPU. `progress` is called after each batch with the
/// number of rows done and may stop the evaluation; then the result is none.
pub fn predict_logits(
    model: &Model,
    head: &Head,
    examples: &[Example],
    batch_size: usize,
    progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Option<Tensor> {
    let mut parts = Vec::new();
    let order = in_batches(examples, batch_size, progress, |rows| {
        let batch = data::collate(rows.iter().map(|&row| &examples[row]));
        parts.push(model.logits(&to_tensors(model, &batch).0, head).to_device(tch::Device::Cpu));
    })?;
    let order: Vec<i64> = order.into_iter().map(|row| row.cast_signed() as i64).collect();
    let back = Tensor::from_slice(&order).argsort(0, false);
    Some(Tensor::cat(&parts, 0).index_select(0, &back))
}

/// Calls `each` with batches of all rows, longest rows first: rows of a batch have similar lengths, and the first batch
/// needs the most memory. `progress` is called after each batch with the number of rows done and may stop; then the
/// result is none. Else it is the order of the rows.
pub(super) fn in_batches(
    examples: &[Example],
    batch_size: usize,
    mut progress: impl FnMut(usize) -> ControlFlow<()>,
    mut each: impl FnMut(&[usize]),
) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(examples[row].tokens.len()));
    let mut done = 0;
    for rows in order.chunks(batch_size.max(1)) {
        each(rows);
        done += rows.len();
        if progress(done).is_break() {
            return None;
        }
    }
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_known_confusion() {
        // Two classes: three hits, one miss; MCC by the textbook formula is (2*1 - 1*0) / sqrt(3*2*1*2).
        let logits = Tensor::from_slice(&[2.0_f32, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0, 2.0]).view([4, 2]);
        let scores = Scores::of(&logits, &[0, 0, 1, 1]);
        assert!((scores.accuracy - 0.75).abs() < 1e-12);
        assert!((scores.mcc.unwrap() - 2.0 / 12_f64.sqrt()).abs() < 1e-12);
        let (hit, miss) = ((1.0 + (-2.0_f64).exp()).ln(), (1.0 + 2.0_f64.exp()).ln());
        assert!((scores.loss - (3.0 * hit + miss) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn each_row_has_its_own_probability() {
        let logits = Tensor::from_slice(&[2.0_f32, 0.0, 0.0, 2.0]).view([2, 2]);
        let rows = labelled(&logits, &[0, 0], &[4, 7]);
        let found: Vec<_> = rows.iter().map(|row| (row.line, row.label, row.predicted)).collect();
        assert_eq!(found, [(4, 0, 0), (7, 0, 1)]);
        let (hit, miss) = (-(1.0 + (-2.0_f32).exp()).ln(), -(1.0 + 2.0_f32.exp()).ln());
        assert!((rows[0].logprob - hit).abs() < 1e-6 && (rows[1].logprob - miss).abs() < 1e-6);
    }

    #[test]
    fn one_class_alone_has_no_correlation() {
        let logits = Tensor::from_slice(&[2.0_f32, 0.0, 2.0, 0.0]).view([2, 2]);
        assert!(Scores::of(&logits, &[0, 0]).mcc.unwrap().abs() < 1e-12);
    }
}
