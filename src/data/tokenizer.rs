//! The model's own tokenizer.

use std::path::Path;

use tokenizers::{Encoding, PostProcessor, Token};

use super::quote::{one_line, place};
use crate::error::{Error, Result};

/// Turns a text into token ids, special tokens included.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocab_size: usize,
    special_tokens: usize,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a model whose embedding has `vocab_size` rows.
    ///
    /// # Errors
    /// Refuses a file that is missing or broken, and one with ids that the model does not have.
    pub fn load(model_folder: &Path, vocab_size: usize) -> Result<Self> {
        let path = model_folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::refused(format!(
                "cannot read the tokenizer {}: {error}; give a model folder that holds a tokenizer.json",
                place(&path)
            ))
        })?;
        let broken = |error: &dyn std::fmt::Display| {
            let why = one_line(&error.to_string());
            Error::refused(format!("{} is not a tokenizer ({why}); copy it from the model again", place(&path)))
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| broken(&error))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| broken(&error))?;
        // The special tokens of a template need not be in the vocabulary that the same file lists.
        let empty = inner.encode_fast("", true).map_err(|error| broken(&error))?;
        let largest = inner.get_vocab(true).into_values().chain(empty.get_ids().iter().copied()).max();
        let Some(largest) = largest else {
            return Err(broken(&"it has no tokens"));
        };
        if largest as usize >= vocab_size {
            return Err(Error::refused(format!(
                "{} has token id {largest}, but the model's vocabulary (vocab_size in config.json) ends at {}; use the \
                 tokenizer that belongs to the model",
                place(&path),
                vocab_size.saturating_sub(1),
            )));
        }
        Ok(Self { inner, vocab_size, special_tokens: empty.len() })
    }

    /// How many special tokens each text gets.
    #[must_use]
    pub fn special_tokens(&self) -> usize {
        self.special_tokens
    }

    /// The ids of a text, all of them.
    ///
    /// # Errors
    /// Says why this text cannot be tokenized.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, true).map_err(|error| fault(&error))?;
        self.checked(encoding.get_ids().to_vec())
    }

    /// The ids of a text, its end cut off where there are more than `max_length`; the special tokens stay. Also whether
    /// it was cut.
    ///
    /// # Errors
    /// Says why this text cannot be tokenized.
    pub fn encode_within(&self, text: &str, max_length: usize) -> Result<(Vec<u32>, bool)> {
        let whole = self.encode(text)?;
        if whole.len() <= max_length { Ok((whole, false)) } else { Ok((self.cut(text, max_length)?, true)) }
    }

    /// The library's own truncation keeps all that it cuts off, in pieces of `max_length`: too slow for long texts.
    fn cut(&self, text: &str, max_length: usize) -> Result<Vec<u32>> {
        let bare = self.inner.encode_fast(text, false).map_err(|error| fault(&error))?;
        let room = max_length.saturating_sub(self.special_tokens);
        let kept = bare.get_ids().iter().take(room).map(|&id| Token::new(id, String::new(), (0, 0))).collect();
        let kept = Encoding::from_tokens(kept, 0);
        let finished = match self.inner.get_post_processor() {
            Some(processor) => processor.process(kept, None, true).map_err(|error| fault(&error))?,
            None => kept,
        };
        self.checked(finished.get_ids().to_vec())
    }

    fn checked(&self, ids: Vec<u32>) -> Result<Vec<u32>> {
        match ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            Some(id) => Err(Error::refused(format!("the tokenizer gives id {id}, which the model does not have"))),
            None => Ok(ids),
        }
    }
}

fn fault(error: &dyn std::fmt::Display) -> Error {
    Error::refused(one_line(&error.to_string()))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// Words `w0` to `w9` with [CLS] and [SEP] around; the file pads to 128 and cuts at 4, which is to be ignored.
    pub fn small_tokenizer_json() -> serde_json::Value {
        let mut vocab = serde_json::Map::new();
        for (id, token) in ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].into_iter().enumerate() {
            vocab.insert(token.into(), id.into());
        }
        for word in 0..10 {
            vocab.insert(format!("w{word}"), (4 + word).into());
        }
        let special = |id: u32, content: &str| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        };
        json!({
            "version": "1.0",
            "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")],
            "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
        })
    }

    pub fn small_tokenizer() -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), small_tokenizer_json().to_string()).unwrap();
        Tokenizer::load(folder.path(), 14).unwrap()
    }

    #[test]
    fn padding_and_truncation_of_the_file_are_off() {
        assert_eq!(small_tokenizer().encode("w0 w1 w2 w3 w4").unwrap(), [2, 4, 5, 6, 7, 8, 3]);
    }

    #[test]
    fn a_cut_text_keeps_its_special_tokens() {
        let tokenizer = small_tokenizer();
        assert_eq!(tokenizer.encode_within("w0 w1 w2 w3 w4", 4).unwrap(), (vec![2, 4, 5, 3], true));
        assert_eq!(tokenizer.encode_within("w0 w1", 4).unwrap(), (vec![2, 4, 5, 3], false));
        assert_eq!(tokenizer.encode_within("", 4).unwrap(), (vec![2, 3], false));
    }

    #[test]
    fn a_tokenizer_of_another_model_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), small_tokenizer_json().to_string()).unwrap();
        let error = Tokenizer::load(folder.path(), 13).unwrap_err();
        assert!(error.message().contains("token id 13") && error.message().contains("ends at 12"), "{error}");
    }

    #[test]
    fn missing_and_broken_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Tokenizer::load(folder.path(), 14).unwrap_err().message().contains("cannot read the tokenizer"));
        for broken in ["", "{", "[]", "{\"version\": \"1.0\"}", "\u{0}\u{1}"] {
            std::fs::write(folder.path().join("tokenizer.json"), broken).unwrap();
            let error = Tokenizer::load(folder.path(), 14).unwrap_err();
            assert!(error.message().contains("is not a tokenizer"), "{error}");
        }
        let mut template = small_tokenizer_json();
        template["post_processor"]["sep"][1] = 99.into();
        std::fs::write(folder.path().join("tokenizer.json"), template.to_string()).unwrap();
        assert!(Tokenizer::load(folder.path(), 14).unwrap_err().message().contains("token id 99"));
    }
}
