//! The playground: prompts and their answers from the base and the adapted model.

pub mod act;
pub mod draw;

use std::time::Duration;

use crate::typed::Typed;
use spartui_facts::protocol::{About, Answer, CommandId, Side};

/// The most prompts in the history.
const PAST: usize = 100;
/// The most characters of a text.
const LONGEST: usize = 8000;
/// Choices for the most new tokens.
const TOKENS: [usize; 6] = [16, 32, 64, 128, 256, 512];

/// The playground.
#[derive(Debug, Clone, PartialEq)]
pub struct Playground {
    /// The text that is being typed.
    pub typed: Typed,
    /// Whether keys go into the text.
    pub typing: bool,
    /// Earlier prompts, newest last.
    pub past: Vec<String>,
    /// The recalled prompt, by its place in the history.
    recalled: Option<usize>,
    /// Whether the text is a message for the model's chat template.
    pub chat: bool,
    /// Whether to ask again automatically when the step has changed.
    pub live: bool,
    /// The kept state to ask; none for the current model.
    pub at: Option<(u32, u64)>,
    /// The most new tokens: an index into [`TOKENS`].
    tokens: usize,
    /// The validation row used last.
    pub row: Option<usize>,
    /// The question being answered.
    pub asked: Option<CommandId>,
    /// The prompt of the last question.
    pub about: About,
    /// When it last asked automatically.
    pub last: Duration,
    /// The answer so far.
    pub coming: Option<Reply>,
    /// The answer that is shown.
    pub shown: Option<Reply>,
    /// Why there is no answer.
    pub refused: Option<String>,
    /// First line of the answer that is shown.
    pub scroll: usize,
}

/// An answer, possibly incomplete.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The prompt.
    pub about: About,
    /// Branch and step of the adapted model.
    pub at: (u32, u64),
    /// The expected answer according to the data.
    pub expected: Option<String>,
    /// Tokens of the prompt.
    pub read: usize,
    /// Whether the end of the text was cut off.
    pub cut: bool,
    /// Why the base model cannot answer.
    pub no_base: Option<String>,
    /// A classifier's probabilities, of base and adapted model.
    pub classes: [Option<Vec<f32>>; 2],
    /// The generated texts.
    pub written: [String; 2],
    /// Tokens of each generated text.
    pub tokens: [usize; 2],
    /// Whether each model generated an end token.
    pub ended: [Option<bool>; 2],
}

impl Default for Playground {
    fn default() -> Self {
        Self {
            typed: Typed { text: String::new(), cursor: 0, fresh: false },
            typing: true,
            past: Vec::new(),
            recalled: None,
            chat: false,
            live: false,
            at: None,
            tokens: 2,
            row: None,
            asked: None,
            about: About::Text { text: String::new() },
            last: Duration::ZERO,
            coming: None,
            shown: None,
            refused: None,
            scroll: 0,
        }
    }
}

impl Playground {
    /// The most new tokens.
    #[must_use]
    pub fn max_new_tokens(&self) -> usize {
        TOKENS[self.tokens.min(TOKENS.len() - 1)]
    }

    /// Increases or decreases the most new tokens.
    pub fn lengthen(&mut self, by: isize) {
        self.tokens = self.tokens.saturating_add_signed(by).min(TOKENS.len() - 1);
    }

    /// Types a character, if there is room.
    pub fn insert(&mut self, c: char) {
        if self.typed.text.chars().count() < LONGEST && (c == '\n' || c == '\t' || !c.is_control()) {
            self.typed.insert(c);
            self.recalled = None;
        }
    }

    /// Puts a text into the input line.
    pub fn put(&mut self, text: &str) {
        let text: String = text.chars().take(LONGEST).collect();
        self.typed = Typed { cursor: text.chars().count(), text, fresh: false };
    }

    /// Recalls an earlier or later prompt.
    pub fn recall(&mut self, by: isize) {
        let last = self.past.len();
        let now = self.recalled.unwrap_or(last);
        let next = now.saturating_add_signed(by).min(last);
        match self.past.get(next).cloned() {
            Some(text) => {
                self.put(&text);
                self.recalled = Some(next);
            }
            None if self.recalled.take().is_some() => self.put(""),
            None => {}
        }
    }

    /// Adds the prompt to the history.
    pub fn remember(&mut self) {
        let text = self.typed.text.clone();
        self.recalled = None;
        if text.is_empty() || self.past.last() == Some(&text) {
            return;
        }
        self.past.retain(|known| *known != text);
        self.past.push(text);
        if self.past.len() > PAST {
            self.past.remove(0);
        }
    }

    /// Adds a part of the answer to the last question.
    pub fn receive(&mut self, answer: Answer) {
        match answer {
            Answer::Begun { at, text, expected, tokens, cut, no_base } => {
                if let Some(text) = text
                    && !self.typing
                {
                    self.put(&text);
                }
                self.refused = None;
                self.coming = Some(Reply {
                    about: self.about.clone(),
                    at,
                    expected,
                    read: tokens,
                    cut,
                    no_base,
                    classes: [None, None],
                    written: Default::default(),
                    tokens: [0; 2],
                    ended: [None; 2],
                });
            }
            Answer::Classes { side, probabilities } => {
                self.with(side, |reply, at| reply.classes[at] = Some(probabilities));
            }
            Answer::Text { side, text, tokens } => {
                self.with(side, |reply, at| {
                    reply.written[at].push_str(&text);
                    reply.tokens[at] = tokens;
                });
                // Text is shown as it arrives; probabilities are shown when both sides are there.
                self.show();
            }
            Answer::Ended { side, by_itself } => self.with(side, |reply, at| reply.ended[at] = Some(by_itself)),
        }
    }

    /// The answer is complete.
    pub fn done(&mut self) {
        self.asked = None;
        self.show();
        self.coming = None;
    }

    fn show(&mut self) {
        if let Some(coming) = &self.coming {
            if self.shown.as_ref().is_none_or(|shown| shown.about != coming.about) {
                self.scroll = 0;
            }
            self.shown = Some(coming.clone());
        }
    }

    fn with(&mut self, side: Side, change: impl FnOnce(&mut Reply, usize)) {
        if let Some(reply) = &mut self.coming {
            change(reply, side as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(text: Option<&str>) -> Answer {
        let text = text.map(str::to_owned);
        Answer::Begun { at: (0, 7), text, expected: None, tokens: 3, cut: false, no_base: None }
    }

    #[test]
    fn earlier_prompts_are_recalled_and_none_is_kept_twice() {
        let mut playground = Playground::default();
        for text in ["one", "two", "one", "one"] {
            playground.put(text);
            playground.remember();
        }
        assert_eq!(playground.past, ["two", "one"]);
        playground.put("");
        playground.recall(-1);
        assert_eq!(playground.typed.text, "one");
        playground.recall(-1);
        playground.recall(-1);
        assert_eq!(playground.typed.text, "two");
        playground.recall(1);
        playground.recall(1);
        assert_eq!(playground.typed.text, "");
        playground.put("draft");
        playground.recall(1);
        assert_eq!(playground.typed.text, "draft", "there is nothing after what is being typed");
    }

    #[test]
    fn probabilities_are_shown_together_and_text_as_it_comes() {
        let mut playground = Playground { about: About::Text { text: "a".into() }, ..Playground::default() };
        playground.receive(begun(None));
        playground.receive(Answer::Classes { side: Side::Base, probabilities: vec![0.5, 0.5] });
        assert_eq!(playground.shown, None);
        playground.receive(Answer::Classes { side: Side::Adapted, probabilities: vec![0.1, 0.9] });
        playground.done();
        assert!(playground.shown.as_ref().is_some_and(|reply| reply.classes.iter().all(Option::is_some)));
        playground.receive(begun(None));
        for text in ["he", "llo"] {
            playground.receive(Answer::Text { side: Side::Adapted, text: text.into(), tokens: 2 });
        }
        assert_eq!(playground.shown.as_ref().unwrap().written[1], "hello");
    }

    #[test]
    fn a_row_fills_the_input_unless_something_is_being_typed() {
        let mut playground = Playground { typing: false, about: About::Row { row: 0 }, ..Playground::default() };
        playground.receive(begun(Some("from the data")));
        assert_eq!(playground.typed.text, "from the data");
        playground.typing = true;
        playground.receive(begun(Some("another")));
        assert_eq!(playground.typed.text, "from the data");
    }
}
