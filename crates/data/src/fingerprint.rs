//! Identifies the examples of a data set.

use super::columns::{Content, Row};
use super::example::{Example, Target};

/// A hash of examples in order: texts and labels; for token targets also the tokens, since they then depend on the
/// tokenizer.
#[derive(Debug, Default)]
pub(super) struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Adds an example.
    pub fn add(&mut self, row: &Row, example: &Example) {
        self.part(row.label.as_bytes());
        match &row.content {
            Content::Text(text) => self.part(text.as_bytes()),
            Content::Pair(first, second) | Content::Completion { prompt: first, completion: second } => {
                self.part(first.as_bytes());
                self.part(second.as_bytes());
            }
            Content::Messages(conversation) => self.part(conversation.messages.to_string().as_bytes()),
        }
        if let Target::Tokens(asked) = &example.target {
            let tokens: Vec<u8> = example.tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
            self.part(&tokens);
            self.part(&asked.iter().map(|&asked| u8::from(asked)).collect::<Vec<u8>>());
        }
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The hash of everything added.
    pub fn finish(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}
