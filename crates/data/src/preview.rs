//! A preview of an example.

use super::example::{Example, Target};
use super::tokenizer::Tokenizer;

/// An example, token by token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Its tokens.
    pub pieces: Vec<Piece>,
    /// Its label, if the target is a label.
    pub label: Option<String>,
}

/// A token of a [`Preview`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its text, with control characters escaped.
    pub text: String,
    /// Whether the model learns to predict it.
    pub trained: bool,
}

/// The preview of an example. `labels` are those of the logits, in order.
#[must_use]
pub fn preview(tokenizer: &Tokenizer, example: &Example, labels: &[String]) -> Preview {
    let (trained, label) = match &example.target {
        Target::Label(place) => (&[][..], labels.get(*place).cloned()),
        Target::Tokens(trained) => (trained.as_slice(), None),
    };
    let piece = |(at, &token): (usize, &u32)| Piece {
        text: escaped(&tokenizer.token_text(token)),
        trained: trained.get(at).copied().unwrap_or(false),
    };
    Preview { pieces: example.tokens.iter().enumerate().map(piece).collect(), label }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        match character {
            '"' | '\'' | '\\' => escaped.push(character),
            _ => escaped.extend(character.escape_debug()),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::super::tokenizer::tests::small_tokenizer;
    use super::*;

    #[test]
    fn trained_tokens_are_marked() {
        let target = Target::Tokens(vec![false, false, true]);
        let example = Example { tokens: vec![2, 4, 5], token_types: Vec::new(), target };
        let shown = preview(&small_tokenizer(), &example, &[]);
        assert_eq!(shown.pieces.iter().map(|piece| piece.trained).collect::<Vec<_>>(), [false, false, true]);
        assert!(shown.pieces[1].text.contains("w0") && shown.label.is_none(), "{shown:?}");
    }

    #[test]
    fn a_label_is_named() {
        let example = Example { tokens: vec![2, 4], token_types: Vec::new(), target: Target::Label(1) };
        let shown = preview(&small_tokenizer(), &example, &["a".into(), "b".into()]);
        assert_eq!(shown.label.as_deref(), Some("b"));
        assert!(shown.pieces.iter().all(|piece| !piece.trained));
    }

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        assert_eq!(escaped("a \"b\"\n\u{1b}[2J\u{202e}"), "a \"b\"\\n\\u{1b}[2J\\u{202e}");
    }
}
