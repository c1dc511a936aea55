//! The playground: a text through the base model and the adapted one, side by side.

use serde::{Deserialize, Serialize};

/// What is asked of both models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What they read.
    pub about: About,
    /// Branch and step of the kept state that the adapted model shall be of, one of those that
    /// [`Event::Snapshots`](super::Event) lists; none: as it is now.
    #[serde(default)]
    pub at: Option<(u32, u64)>,
    /// Most tokens that a language model writes, on each side.
    pub max_new_tokens: usize,
    /// 0: always the likeliest token; higher: more varied.
    #[serde(default)]
    pub temperature: f64,
    /// Seed of the draws, the same on both sides.
    #[serde(default)]
    pub seed: u64,
}

/// What the models read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum About {
    /// A text: to classify, or to go on with.
    Text {
        /// The text; of a pair, both with `|||` between them.
        text: String,
    },
    /// What a user says, put into the model's chat template.
    Chat {
        /// The message.
        text: String,
    },
    /// A row of the validation data: to classify, or as far as its first learned token.
    Row {
        /// Its number, from 0; counted round where there are fewer.
        row: usize,
    },
}

/// One of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// As it was before any training.
    Base,
    /// With what training changed.
    Adapted,
}

impl Side {
    /// Both, in the order in which they are shown.
    pub const BOTH: [Self; 2] = [Self::Base, Self::Adapted];
}

/// A part of the answer to a [`Question`], in the order of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Answer {
    /// The models have begun to read.
    Begun {
        /// Branch and step that the adapted model is of.
        at: (u32, u64),
        /// What they read, where it was not given as a text.
        text: Option<String>,
        /// What the data says that the answer should be, for a row of it.
        expected: Option<String>,
        /// Tokens that they read.
        tokens: usize,
        /// Whether the end was cut off, as `data.max_length` says.
        cut: bool,
        /// One sentence why the base model cannot answer; none where it can.
        no_base: Option<String>,
    },
    /// What a classifier finds.
    Classes {
        /// Which model.
        side: Side,
        /// Of each label, in the order of [`Ready::labels`](super::Ready).
        probabilities: Vec<f32>,
    },
    /// What a language model has written since the last part.
    Text {
        /// Which model.
        side: Side,
        /// Its text goes on with this.
        text: String,
        /// Tokens that it has written so far.
        tokens: usize,
    },
    /// A language model writes no more.
    Ended {
        /// Which model.
        side: Side,
        /// Whether it wrote the token that ends a text, rather than as many tokens as were asked for.
        by_itself: bool,
    },
}
