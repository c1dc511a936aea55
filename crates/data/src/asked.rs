//! Prompts for the playground, outside any file.

use serde_json::{Map, Value};

use super::columns::{Row, content_of_text};
use super::encode::{Purpose, RowEncoder};
use super::example::{Example, Target};
use super::tokenizer::Tokenizer;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;
use spartui_facts::recipe::Data;

/// The separator between the two texts of a pair.
const BETWEEN: &str = "|||";

/// Encodes a text for a classifier, as [`super::read_for_prediction`] would encode a row with this text; also whether
/// it was truncated. Of `data`, the columns, the template and the length matter.
///
/// # Errors
/// Says why this text cannot be used, and what to type instead.
pub fn encode_prompt(text: &str, data: &Data, tokenizer: &Tokenizer) -> Result<(Example, bool)> {
    let refuse = |why: String| Error::refused(format!("the text {why}; change it and ask again"));
    let content = if data.text_pair.is_empty() {
        let columns: Map<String, Value> = [(data.text.clone(), text.into())].into_iter().collect();
        content_of_text(&columns, data).map_err(refuse)?
    } else {
        let Some((first, second)) = text.split_once(BETWEEN) else {
            return Err(Error::refused(format!("this run classifies pairs; put {BETWEEN} between the two texts")));
        };
        let column = |name: &str, text: &str| (name.to_owned(), text.trim().into());
        let columns = [column(&data.text, first), column(&data.text_pair, second)];
        content_of_text(&columns.into_iter().collect(), data).map_err(refuse)?
    };
    let rows = [Row { line: 1, content, label: String::new() }];
    let encoder = RowEncoder::new(tokenizer, Purpose::NoLabels, data, true, &rows)?;
    encoder.encode(&rows[0]).map_err(refuse)
}

/// A tokenized row as a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The models' input.
    pub example: Example,
    /// The input as text.
    pub text: String,
    /// The expected answer according to the data.
    pub expected: String,
}

/// A row of the data as a prompt: all of it for a classifier; for a language model the tokens before its first target
/// token, or the first half if the whole text is a target.
///
/// # Errors
/// Says why these tokens have no text.
/// Says why these tokens have no text.
pub fn prompt_of(example: &Example, labels: &[String], tokenizer: &Tokenizer) -> Result<Prompt> {
    let asked =
        |example: Example, expected: String| Ok(Prompt { text: tokenizer.decode(&example.tokens)?, example, expected });
    match &example.target {
        Target::Label(label) => {
            let name = labels.get(*label).cloned().unwrap_or_else(|| quoted(&label.to_string()));
            asked(example.clone(), name)
        }
        Target::Tokens(trained) => {
            let tokens = &example.tokens;
            let first = trained.iter().position(|trained| *trained).unwrap_or(tokens.len());
            // Of a text that is a target from its beginning, some has to be given.
            let given = if first <= 1 { tokens.len().div_ceil(2) } else { first };
            let (given, rest) = tokens.split_at(given.min(tokens.len()));
            let example =
                Example { tokens: given.to_vec(), token_types: Vec::new(), target: Target::Tokens(Vec::new()) };
            asked(example, tokenizer.decode(rest)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokenizer::tests::small_tokenizer;
    use super::*;

    fn data() -> Data {
        Data { max_length: 6, ..Data::default() }
    }

    #[test]
    fn a_text_is_encoded_like_a_row_of_a_file() {
        let tokenizer = small_tokenizer();
        let (example, cut) = encode_prompt("w0 w1", &data(), &tokenizer).unwrap();
        assert_eq!((example.tokens, cut), (tokenizer.encode("w0 w1").unwrap(), false));
        let (example, cut) = encode_prompt("w0 w1 w0 w1 w0 w1 w0", &data(), &tokenizer).unwrap();
        assert_eq!((example.tokens.len(), cut), (6, true));
        let template = Data { template: "{{ text }} w1".into(), ..data() };
        let (example, _) = encode_prompt("w0", &template, &tokenizer).unwrap();
        assert_eq!(example.tokens, tokenizer.encode("w0 w1").unwrap());
        let wants_more = Data { template: "{{ title }}: {{ text }}".into(), ..data() };
        let why = encode_prompt("w0", &wants_more, &tokenizer).unwrap_err();
        assert!(why.message().contains("data.template"), "{}", why.message());
    }

    #[test]
    fn a_pair_is_typed_with_bars_between() {
        let pairs = Data { text_pair: "second".into(), ..data() };
        let tokenizer = small_tokenizer();
        let (example, _) = encode_prompt("w0 ||| w1", &pairs, &tokenizer).unwrap();
        assert_eq!(example.tokens, tokenizer.encode_pair("w0", "w1").unwrap().0);
        assert!(encode_prompt("w0", &pairs, &tokenizer).unwrap_err().message().contains("|||"));
    }

    #[test]
    fn a_prompt_from_a_row_ends_before_its_target() {
        let tokenizer = small_tokenizer();
        let row = |trained: &[bool]| Example {
            tokens: vec![4, 5, 4, 5],
            token_types: Vec::new(),
            target: Target::Tokens(trained.to_vec()),
        };
        let of = |example: &Example| prompt_of(example, &[], &tokenizer).unwrap().example.tokens;
        assert_eq!(of(&row(&[false, false, false, true])), [4, 5, 4]);
        assert_eq!(of(&row(&[false, true, true, true])), [4, 5]);
        assert_eq!(of(&row(&[false; 4])), [4, 5, 4, 5]);
        let labelled = Example { target: Target::Label(1), ..row(&[]) };
        assert_eq!(prompt_of(&labelled, &["a".into(), "b".into()], &tokenizer).unwrap().expected, "b");
    }
}
