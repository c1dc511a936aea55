//! The error type: one sentence, and the exit status that goes with it.

use std::process::{ExitCode, ExitStatus};

/// Shorthand for results with [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error, in one sentence that says what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input was refused before anything was done: usage, recipe, model, data. Exit status 2.
    #[error("{0}")]
    Refused(String),
    /// The program failed while running. Exit status 1.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// An error for refused input.
    pub fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }

    /// An error while running.
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

/// How a process of this program ended without reporting it, as the rest of a sentence: "was killed (SIGKILL)".
#[must_use]
pub fn how_it_ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name =
            signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned);
        return format!("was killed ({name})");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with exit status {code}"))
}
