//! Whether word embeddings and language-model head are tied, that is, one tensor.
//!
//! config.json says so with `tie_word_embeddings`, but the files may hold two tensors that differ, or the head alone.
//! As in transformers, two tensors that differ are untied, and a single one serves as both.

use tch::Tensor;

use super::Weights;
use super::config::{Architecture, Config};

/// Name of the language-model head in the files.
pub(super) const LM_HEAD: &str = "lm_head.weight";

/// Name of the bias of the language-model head, in families that have one.
pub(super) const LM_HEAD_BIAS: &str = "lm_head.bias";

/// Rows compared at a time.
const ROWS: i64 = 4096;

/// The name of the word embeddings in the files, if they are there.
pub(super) fn stored_words(weights: &Weights, prefix: &str, config: &Config) -> Option<String> {
    let bare = config.family.words;
    let names = [format!("{prefix}{bare}"), bare.to_owned()];
    let stand_in = is_tied(config).then(|| LM_HEAD.to_owned());
    names.into_iter().chain(stand_in).find(|name| weights.contains(name))
}

/// Whether config.json says that the two are tied.
fn is_tied(config: &Config) -> bool {
    matches!(&config.architecture, Architecture::Decoder(decoder) if decoder.tied)
}

/// Whether the files contradict config.json: it says that the two are tied, but the files hold two tensors that differ.
pub(super) fn contradicts_config(weights: &Weights, prefix: &str, config: &Config) -> bool {
    let Some(words) = stored_words(weights, prefix, config).filter(|_| is_tied(config)) else { return false };
    words != LM_HEAD
        && weights.peek(LM_HEAD).zip(weights.peek(&words)).is_some_and(|(head, words)| !are_equal(head, words))
}

/// Sets `tied` to false in the configuration where the files hold two tensors that differ. Returns the warning for
/// that.
pub(super) fn untie_if_different(weights: &Weights, prefix: &str, config: &mut Config) -> Option<String> {
    if !contradicts_config(weights, prefix, config) {
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
