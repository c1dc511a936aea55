//! How well a language model predicts the tokens of a text.

use std::ops::ControlFlow;

use tch::{Kind, Reduction, Tensor};

use super::Scores;
use super::evaluate::in_batches;
use super::targets::{Targets, chunks, pick, to_tensors};
use spartui_data::{self as data, Example, Target};
use spartui_model::Model;
use spartui_run::TokenRow;

/// Mean loss and share of right predictions over the target tokens of all rows; none if `progress`, which hears the rows
/// done, broke off.
pub fn language_scores(
    model: &Model,
    examples: &[Example],
    batch_size: usize,
    progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Option<Scores> {
    told(model, examples, batch_size, progress).map(|rows| scores(&rows))
}

/// Of how each row was told, the scores over the target tokens of all.
#[expect(clippy::cast_precision_loss, reason = "tokens are below 2^53")]
pub(super) fn scores(rows: &[TokenRow]) -> Scores {
    let (mut loss, mut right, mut tokens) = (0.0, 0, 0);
    for row in rows {
        loss += row.loss;
        right += row.right;
        tokens += row.tokens;
    }
    let tokens = tokens.max(1) as f64;
    Scores { loss: loss / tokens, accuracy: right as f64 / tokens, mcc: None }
}

/// How well the model tells each row, in order; none if `progress` broke off. The lines are those of nothing yet: 0.
pub(super) fn told(
    model: &Model,
    examples: &[Example],
    batch_size: usize,
    progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Option<Vec<TokenRow>> {
    let mut rows = vec![TokenRow { line: 0, loss: 0.0, tokens: 0, right: 0 }; examples.len()];
    in_batches(examples, batch_size, progress, |places| {
        let mut found: Vec<(f32, bool)> = Vec::new();
        for_each_chunk(model, places.iter().map(|&row| &examples[row]), |logits, ids| {
            let losses = logits.cross_entropy_loss::<Tensor>(ids, None, Reduction::None, -100, 0.0);
            let losses: Vec<f32> = Vec::try_from(losses.to_kind(Kind::Float)).unwrap_or_default();
            let right: Vec<bool> = Vec::try_from(logits.argmax(-1, false).eq_tensor(ids)).unwrap_or_default();
            found.extend(losses.into_iter().zip(right));
        });
        let mut found = found.into_iter();
        for &row in places {
            for (loss, right) in found.by_ref().take(asked(&examples[row])) {
                let told = &mut rows[row];
                told.loss += f64::from(loss);
                told.tokens += 1;
                told.right += usize::from(right);
            }
        }
    })?;
    Some(rows)
}

/// Tokens of a row that are asked for: there is nothing from which the first could be told.
fn asked(example: &Example) -> usize {
    match &example.target {
        Target::Label(_) => 0,
        Target::Tokens(trained) => trained.iter().skip(1).filter(|&&trained| trained).count(),
    }
}

/// For each row, the natural-log probability of each token but the first, given the tokens before it.
pub fn token_logprobs(
    model: &Model,
    rows: &[Vec<u32>],
    batch_size: usize,
    progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Option<Vec<Vec<f32>>> {
    let examples: Vec<Example> = rows.iter().map(|tokens| predicted_throughout(tokens)).collect();
    let mut logprobs = vec![Vec::new(); rows.len()];
    in_batches(&examples, batch_size, progress, |places| {
        let mut found: Vec<f32> = Vec::new();
        for_each_chunk(model, places.iter().map(|&row| &examples[row]), |logits, ids| {
            let chosen = logits.log_softmax(-1, logits.kind()).gather(-1, &ids.unsqueeze(-1), false).squeeze_dim(-1);
            found.extend(Vec::<f32>::try_from(chosen.to_kind(Kind::Float)).unwrap_or_default());
        });
        let mut found = found.into_iter();
        for &row in places {
            logprobs[row] = found.by_ref().take(rows[row].len().saturating_sub(1)).collect();
        }
    })?;
    Some(logprobs)
}

fn predicted_throughout(tokens: &[u32]) -> Example {
    let target = Target::Tokens((0..tokens.len()).map(|at| at > 0).collect());
    Example { tokens: tokens.to_vec(), token_types: Vec::new(), target }
}

/// Hands out the logits of the vocabulary, `[targets, vocab_size]`, before each target token, and the tokens, a bounded
/// number at a time, row by row.
fn for_each_chunk<'a>(
    model: &Model,
    examples: impl Iterator<Item = &'a Example>,
    mut each: impl FnMut(&Tensor, &Tensor),
) {
    let (batch, targets) = to_tensors(model, &data::collate(examples));
    let Targets::Tokens { at, ids } = targets else { return };
    tch::no_grad(|| {
        let finished = model.finish(&pick(&model.hidden(&batch), &at));
        for (from, size) in chunks(model, finished.size()[0]) {
            each(&model.vocabulary(&finished.narrow(0, from, size)), &ids.narrow(0, from, size));
        }
    });
}
