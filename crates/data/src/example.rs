//! Tokenized rows.

/// A tokenized row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Token ids, including special tokens.
    pub tokens: Vec<u32>,
    /// Token types; empty if all are 0.
    pub token_types: Vec<u8>,
    /// The training target.
    pub target: Target,
}

/// The training target of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Index of its label among the logits.
    Label(usize),
    /// For each token, whether the model learns to predict it from the previous ones. Always false for the first.
    Tokens(Vec<bool>),
}

impl Example {
    /// Number of target tokens; 0 for a label.
    #[must_use]
    pub fn target_tokens(&self) -> usize {
        match &self.target {
            Target::Label(_) => 0,
            Target::Tokens(trained) => trained.iter().filter(|&&trained| trained).count(),
        }
    }
}
