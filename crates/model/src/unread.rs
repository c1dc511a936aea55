//! Tensors of a model's files that are not loaded.

use super::tie::LM_HEAD;
use super::{Config, Parameter, Weights};
use spartui_facts::recipe::TaskKind;

/// Number of names in a message.
const SHOWN: usize = 5;

/// Suffixes of buffers that are recomputed and not loaded, in other programs too.
const COMPUTED: [&str; 5] =
    ["position_ids", "rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".crossattention.bias"];

/// Prefixes of heads: many files still hold the heads of other tasks.
const HEADS: [&str; 10] = [
    "cls.",
    "classifier.",
    "lm_head.",
    "pre_classifier.",
    "pooler.",
    "bert.pooler.",
    "roberta.pooler.",
    "qa_outputs.",
    "score.",
    "vocab_",
];

/// A remark about a model's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A sentence without a full stop.
    pub text: String,
    /// Whether it is a warning: the model may differ from what the user expects.
    pub warns: bool,
}

impl Remark {
    /// A remark that warns.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self { text: text.into(), warns: true }
    }
}

/// A remark about stored tensors that belong neither to the parameters nor to the head; `head` holds the names of the
/// head's tensors.
pub(super) fn remark(
    weights: &Weights,
    config: &Config,
    task: TaskKind,
    parameters: &[Parameter],
    head: &[&str],
) -> Option<Remark> {
    let taken = |name: &str| {
        parameters.iter().any(|parameter| parameter.stored == name)
            || head.contains(&name)
            || COMPUTED.iter().any(|end| name.ends_with(end))
            // A tied head repeats the word embeddings, and a classifier's head may be initialized from it.
            || (name == LM_HEAD && config.family.is_decoder() && (task == TaskKind::SequenceClassification || is_tied(config)))
    };
    let mut unread: Vec<&str> = weights.names().filter(|name| !taken(name)).collect();
    unread.sort_unstable();
    let warns = unread.iter().any(|name| !HEADS.iter().any(|start| name.starts_with(start)));
    let why = if warns { "config.json has no place for them" } else { "they belong to another head" };
    listed("tensor", &unread)
        .map(|tensors| Remark { text: format!("the model's files hold {tensors} that nobody reads: {why}"), warns })
}

/// The number of names and the first of them, as in "7 tensors (a, b, c, d, e and 2 more)"; none for an empty list.
#[must_use]
pub fn listed<T: AsRef<str>>(noun: &str, names: &[T]) -> Option<String> {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| short(name.as_ref())).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let plural = if names.len() == 1 { "" } else { "s" };
    (!shown.is_empty()).then(|| format!("{} {noun}{plural} ({}{more})", names.len(), shown.join(", ")))
}

/// A name from a file: escaped, and shortened.
fn short(name: &str) -> String {
    let name: String = name.chars().take(120).collect();
    name.escape_debug().to_string()
}

fn is_tied(config: &Config) -> bool {
    matches!(&config.architecture, super::config::Architecture::Decoder(decoder) if decoder.tied)
}
