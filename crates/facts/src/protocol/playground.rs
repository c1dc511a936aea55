//! The playground: a text for the base model and the adapted one, side by side.

use serde::{Deserialize, Serialize};

/// A question to both models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The models' input.
    pub about: About,
    /// Branch and step of the adapted model's state, one in [`Event::Snapshots`](super::Event); none for the current
    /// state.
    #[serde(default)]
    pub at: Option<(u32, u64)>,
    /// The most tokens that a language model writes, on each side.
    pub max_new_tokens: usize,
    /// The sampling temperature; 0 for greedy decoding.
    #[serde(default)]
    pub temperature: f64,
    /// Seed of the sampling, the same on both sides.
    #[serde(default)]
    pub seed: u64,
}

/// The models' input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum About {
    /// A text to classify or to continue.
    Text {
        /// The text; for a pair, both with `|||` between them.
        text: String,
    },
    /// A user's message, for the model's chat template.
    Chat {
        /// The message.
        text: String,
    },
    /// A row of the validation data: to classify, or up to its first target token.
    Row {
        /// Its number, from 0; modulo the number of rows.
        row: usize,
    },
}

/// One of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The base model.
    Base,
    /// The adapted model.
    Adapted,
}

impl Side {
    /// Both, in the order of display.
    pub const BOTH: [Self; 2] = [Self::Base, Self::Adapted];
}

/// A part of the answer to a [`Question`], in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Answer {
    /// The models have started.
    Begun {
        /// Branch and step of the adapted model.
        at: (u32, u64),
        /// The models' input, if it was not given as a text.
        text: Option<String>,
        /// The expected answer according to the data, for a row of it.
        expected: Option<String>,
        /// Tokens of the input.
        tokens: usize,
        /// Whether it was truncated to `data.max_length`.
        cut: bool,
        /// One sentence if the base model cannot answer.
        no_base: Option<String>,
    },
    /// The output of a classifier.
    Classes {
        /// Which model.
        side: Side,
        /// For each label, in the order of [`Ready::labels`](super::Ready).
        probabilities: Vec<f32>,
    },
    /// The text that a language model has written since the last part.
    Text {
        /// Which model.
        side: Side,
        /// The continuation of its text.
        text: String,
        /// Tokens that it has written so far.
        tokens: usize,
    },
    /// A language model has finished.
    Ended {
        /// Which model.
        side: Side,
        /// Whether it wrote an end token, rather than reaching the limit.
        by_itself: bool,
    },
}
