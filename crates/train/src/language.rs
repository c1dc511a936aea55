//! Evaluation of language models: losses and probabilities of target tokens.

use std::ops::ControlFlow;

use tch::{Kind, Reduction, Tensor};

use super::Scores;
use super::evaluate::in_batches;
use super::targets::{Targets, chunks, pick, to_tensors};
use spartui_data::{self as data, Example, Target};
use spartui_model::Model;
use spartui_run::TokenRow;

/// Mean loss and accuracy over the target tokens of all rows. `progress` is called with the number of rows done and may
/// stop the evaluation; then the result is none.
pub fn language_scores(
    model: &Model,
    examples: &[Example],
    batch_size: usize,
    progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Option<Scores> {
    row_losses(model, examples, batch_size, progress).map(|rows| scores(&rows))
}

/// The scores over the target tokens of all rows, from the losses of each row.
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

/// The loss and the number of right predictions of each row, in order; none if `progress` stopped. The line numbers are
/// not set yet: 0.
pub(super) fn row_losses(
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
            for (loss, right) in found.by_ref().take(scored_tokens(&examples[row])) {
                let entry = &mut rows[row];
                entry.loss += f64::from(loss);
                entry.tokens += 1;
                entry.right += usize::from(right);
            }
        }
    })?;
    Some(rows)
}

/// Number of target tokens of a row that are scored: the first token has no context to predict it from.
fn scored_tokens(example: &Example) -> usize {
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

/// Calls `each` with the logits that predict target tokens, `[targets, vocab_size]`, and these tokens, `[targets]`, for
/// a bounded number of targets at a time, row by row.
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
