//! Text generation, token by token, with a key/value cache.

use std::ops::ControlFlow;

use rand::Rng;
use tch::{Kind, Tensor};

use super::{Cache, Model};
use spartui_facts::error::{Error, Result};
use spartui_facts::random::Source;

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divisor of the logits; 0 means greedy decoding.
    pub temperature: f64,
    /// Nucleus sampling (Holtzman et al., 2020): draws from the likeliest tokens that together have this probability;
    /// 1: all.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
}

/// Continues `prompt` by up to `most` tokens and stops before one of `ends`. `each` is called with every token and may
/// stop generation.
///
/// # Errors
/// Refuses a prompt without tokens, and one that leaves no room in the model's positions.
pub fn generate(
    model: &Model,
    prompt: &[u32],
    most: usize,
    ends: &[u32],
    sampling: Sampling,
    mut each: impl FnMut(u32) -> ControlFlow<()>,
) -> Result<Vec<u32>> {
    let mut writing = Writing::new(model, prompt)?;
    while writing.written.len() < most
        && let Some(next) = writing.next(model, ends, sampling)?
    {
        if each(next).is_break() {
            break;
        }
    }
    Ok(writing.written)
}

/// The generation of one text, token by token. Between two tokens the model may change, if it is the same again at the
/// next.
#[derive(Debug)]
pub struct Writing {
    cache: Cache,
    /// Tokens that the model has not processed yet.
    unread: Vec<i64>,
    /// Number of tokens in the cache.
    from: i64,
    /// Number of tokens that fit the model's positions after the prompt.
    room: usize,
    written: Vec<u32>,
}

impl Writing {
    /// Starts generation after `prompt`.
    ///
    /// # Errors
    /// As [`generate`].
    pub fn new(model: &Model, prompt: &[u32]) -> Result<Self> {
        let room = usize::try_from(model.config.max_positions).unwrap_or(usize::MAX);
        if prompt.is_empty() {
            return Err(Error::refused("the prompt has no tokens; give some text"));
        }
        if prompt.len() >= room {
            return Err(Error::refused(format!(
                "the prompt has {} tokens, and the model has {room} positions; shorten it",
                prompt.len()
            )));
        }
        Ok(Self {
            cache: Cache::default(),
            unread: prompt.iter().map(|&token| i64::from(token)).collect(),
            from: 0,
            room: room - prompt.len(),
            written: Vec::new(),
        })
    }

    /// The tokens generated so far.
    #[must_use]
    pub fn written(&self) -> &[u32] {
        &self.written
    }

    /// The next token; none where the text ends or the model has no position left.
    ///
    /// # Errors
    /// Where the model is an encoder, or its logits are not finite.
    pub fn next(&mut self, model: &Model, ends: &[u32], sampling: Sampling) -> Result<Option<u32>> {
        if self.written.len() >= self.room {
            return Ok(None);
        }
        let Some(logits) = model.next_logits(&self.unread, self.from, &mut self.cache) else {
            return Err(Error::refused("the model is an encoder and writes no text; take a decoder"));
        };
        if !logits.max().double_value(&[]).is_finite() {
            return Err(Error::refused(
                "the model's output is not a number; get its files again, or take --dtype float32",
            ));
        }
        self.from += self.unread.len().cast_signed() as i64;
        let next = choose(&logits, sampling, self.written.len() as u64);
        if ends.contains(&next) {
            return Ok(None);
        }
        self.written.push(next);
        self.unread = vec![i64::from(next)];
        Ok(Some(next))
    }
}

/// Samples the next token from logits `[vocab_size]`; `place` counts the tokens generated before it and keys the draw.
fn choose(logits: &Tensor, sampling: Sampling, place: u64) -> u32 {
    let token = |id: i64| u32::try_from(id).unwrap_or(0);
    if sampling.temperature <= 0.0 {
        return token(logits.argmax(-1, false).int64_value(&[]));
    }
    let probabilities = (logits.to_kind(Kind::Double) / sampling.temperature).softmax(-1, Kind::Double);
    let (sorted, ids) = probabilities.sort(-1, true);
    let sorted: Vec<f64> = Vec::try_from(sorted).unwrap_or_default();
    let mut kept = 0;
    let mut mass = 0.0;
    while kept < sorted.len() && (kept == 0 || mass < sampling.top_p) {
        mass += sorted[kept];
        kept += 1;
    }
    let mut left = Source::new(sampling.seed, "generate", "").sequence(place).random::<f64>() * mass;
    let drawn = sorted[..kept].iter().position(|probability| {
        left -= probability;
        left < 0.0
    });
    token(ids.int64_value(&[drawn.unwrap_or(kept.saturating_sub(1)).cast_signed() as i64]))
}
