//! Word embeddings and language-model head: one tensor, or two.
//!
//! config.json says so with `tie_word_embeddings`, but the files may hold two that differ, or the head alone. What counts
//! then is what transformers makes of it: two that differ are kept apart, and whichever is there stands for both.

use tch::Tensor;

use super::Weights;
use super::config::{Architecture, Config};

/// The language-model head in the files.
pub(super) const LM_HEAD: &str = "lm_head.weight";

/// Rows that are compared at a time.
const ROWS: i64 = 4096;

/// The name under which the files hold the word embeddings, if they do.
pub(super) fn stored_words(weights: &Weights, prefix: &str, config: &Config) -> Option<String> {
    let bare = config.family.words;
    let names = [format!("{prefix}{bare}"), bare.to_owned()];
    let stand_in = is_tied(config).then(|| LM_HEAD.to_owned());
    names.into_iter().chain(stand_in).find(|name| weights.contains(name))
}

/// Whether config.json says that both are one.
fn is_tied(config: &Config) -> bool {
    matches!(&config.architecture, Architecture::Decoder(decoder) if decoder.tied)
}

/// Whether the files hold both, and they differ, although config.json says that they are one.
pub(super) fn is_broken(weights: &Weights, prefix: &str, config: &Config) -> bool {
    let Some(words) = stored_words(weights, prefix, config).filter(|_| is_tied(config)) else { return false };
    words != LM_HEAD
        && weights.peek(LM_HEAD).zip(weights.peek(&words)).is_some_and(|(head, words)| !are_equal(head, words))
}

/// Notes in the configuration that the two are apart where the files hold two that differ; what is to be said of that.
pub(super) fn settle(weights: &Weights, prefix: &str, config: &mut Config) -> Option<String> {
    if !is_broken(weights, prefix, config) {
        return None;
    }
    if let Architecture::Decoder(decoder) = &mut config.architecture {
        decoder.tied = false;
    }
    Some(format!(
        "config.json says tie_word_embeddings, but the files hold {LM_HEAD} and word embeddings that differ: both are kept, as \
         transformers does; tie_word_embeddings = false in config.json says so"
    ))
}

fn are_equal(one: &Tensor, other: &Tensor) -> bool {
    let [rows, _] = one.size()[..] else { return false };
    let part = |tensor: &Tensor, from: i64| tensor.narrow(0, from, ROWS.min(rows - from));
    one.size() == other.size()
        && (0..rows).step_by(usize::try_from(ROWS).unwrap_or(1)).all(|from| {
            let (one, other) = (part(one, from), part(other, from));
            if one.kind() == other.kind() { one.equal(&other) } else { one.equal(&other.to_kind(one.kind())) }
        })
}
