//! The one error type: what went wrong in one sentence, and the exit status that goes with it.

use std::process::ExitCode;

/// Shorthand for results with [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in one sentence that says what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input was refused before anything was done: usage, recipe, model, data. Exit status 2.
    #[error("{0}")]
    Refused(String),
    /// It failed while running. Exit status 1.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// The input is refused.
    pub fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }

    /// It failed while running.
    pub fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed(sentence.into())
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Refused(sentence) | Self::Failed(sentence) => sentence,
        }
    }

    /// The exit status of a program that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
        }
    }
}
