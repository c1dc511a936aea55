//! A row as the model sees it.

/// A tokenized row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Token ids, special tokens included.
    pub tokens: Vec<u32>,
    /// Token types; empty: all 0.
    pub token_types: Vec<u8>,
    /// What the model learns from it.
    pub target: Target,
}

/// What a model learns from an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Place of its label among the logits.
    Label(usize),
    /// For each token, whether the model learns to predict it from the ones before it. The first is never trained on.
    Tokens(Vec<bool>),
}

impl Example {
    /// Tokens that the model learns to predict; 0 where it learns a label.
    #[must_use]
    pub fn target_tokens(&self) -> usize {
        match &self.target {
            Target::Label(_) => 0,
            Target::Tokens(trained) => trained.iter().filter(|&&trained| trained).count(),
        }
    }
}
