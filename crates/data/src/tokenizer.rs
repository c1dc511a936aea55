//! The model's tokenizer.

use std::ops::Range;
use std::path::{Path, PathBuf};

use tokenizers::{Encoding, PostProcessor, Token};

use super::caught::caught;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;

mod added;
mod ends;

pub(super) use ends::json as read_json;

use added::Beside;
use ends::Ends;

/// Converts texts to token ids and back.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    folder: PathBuf,
    vocab_size: usize,
    special_tokens: usize,
    special_tokens_of_pair: usize,
    ends: Ends,
}

/// The tokens of a text, with their positions in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetTokens {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Byte span of each token in the text; empty for special tokens that the tokenizer adds.
    pub spans: Vec<Range<usize>>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a model whose embedding has `vocab_size` rows (which may be more than there are
    /// tokens), and the added and end tokens from the files beside it.
    ///
    /// # Errors
    /// Refuses a file that is missing or invalid, and one with ids that the model does not have.
    pub fn load(model_folder: &Path, vocab_size: usize) -> Result<Self> {
        let path = model_folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::refused(format!(
                "cannot read the tokenizer {}: {error}; give a model folder that holds a tokenizer.json",
                place(&path)
            ))
        })?;
        let broken = |why: String| {
            Error::refused(format!("{} is not a tokenizer ({why}); copy it from the model again", place(&path)))
        };
        let mut inner = caught(|| read(&bytes)).map_err(broken)?;
        let beside = Beside::read(model_folder)?;
        caught(|| add(&mut inner, &beside)).map_err(broken)?;
        // The special tokens of a template may be missing in the vocabulary of the same file.
        let empty = caught(|| inner.encode_fast("", true)).map_err(broken)?;
        let empty_pair = caught(|| inner.encode_fast(("", ""), true)).map_err(broken)?;
        // Added tokens beyond the model's vocabulary are not an error: Gemma 3's smaller models have one for images,
        // which they do not read. Only a text with such a token is refused.
        let added = empty.get_ids().iter().chain(empty_pair.get_ids()).copied();
        let Some(largest) = inner.get_vocab(false).into_values().chain(added).max() else {
            return Err(broken("it has no tokens".into()));
        };
        if largest as usize >= vocab_size {
            return Err(Error::refused(format!(
                "{} has token id {largest}, but the model's vocabulary (vocab_size in config.json) ends at {}; use the \
                 tokenizer that belongs to the model",
                place(&path),
                vocab_size.saturating_sub(1),
            )));
        }
        let end = beside.named("eos_token").and_then(|token| inner.token_to_id(token));
        let ends = Ends::read(model_folder, end, vocab_size)?;
        let (special_tokens, special_tokens_of_pair) = (empty.len(), empty_pair.len());
        Ok(Self { inner, folder: model_folder.to_owned(), vocab_size, special_tokens, special_tokens_of_pair, ends })
    }

    /// Adds special tokens, which are found in texts wherever they stand. Returns their ids; the vocabulary ends after
    /// the last of them, or where it did.
    ///
    /// # Errors
    /// Refuses a token that is empty, or that the tokenizer has already.
    pub fn add(&mut self, texts: &[String]) -> Result<Vec<u32>> {
        let refuse = |text: &str, why: &str| {
            Error::refused(format!("model.new_tokens: {} {why}", spartui_facts::quote::quoted(text)))
        };
        let mut ids = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            if texts[..at].contains(text) {
                return Err(refuse(text, "is named twice; name it once"));
            }
            if text.trim().is_empty() {
                return Err(refuse(text, "is no token; give a text such as <sep>"));
            }
            if self.inner.token_to_id(text).is_some() {
                return Err(refuse(
                    text,
                    "is a token of the model already; leave it out, or name it in method.sparta.trainable_tokens to train it",
                ));
            }
            let token = tokenizers::AddedToken::from(text.clone(), true);
            run(|| self.inner.add_special_tokens([token]))?;
            let id = self.inner.token_to_id(text).ok_or_else(|| refuse(text, "cannot be added to the tokenizer"))?;
            self.vocab_size = self.vocab_size.max(id as usize + 1);
            ids.push(id);
        }
        Ok(ids)
    }

    /// The id of a token, given by its text.
    #[must_use]
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text).filter(|id| (*id as usize) < self.vocab_size)
    }

    /// Number of ids that the model knows.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.vocab_size
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Number of special tokens added to a text.
    #[must_use]
    pub fn special_tokens(&self) -> usize {
        self.special_tokens
    }

    /// Number of special tokens added to a pair of texts.
    #[must_use]
    pub fn special_tokens_of_pair(&self) -> usize {
        self.special_tokens_of_pair
    }

    /// The end-of-text token, if the model defines one.
    #[must_use]
    pub fn end_token(&self) -> Option<u32> {
        self.ends.of_text
    }

    /// The tokens at which generation stops; empty if the model defines none.
    #[must_use]
    pub fn end_tokens(&self) -> &[u32] {
        &self.ends.of_generation
    }

    /// The padding token, if the tokenizer defines one.
    #[must_use]
    pub fn padding_token(&self) -> Option<u32> {
        Beside::read(&self.folder).ok()?.named("pad_token").and_then(|token| self.inner.token_to_id(token))
    }

    /// The ids of a text, including special tokens.
    ///
    /// # Errors
    /// Says why this text cannot be tokenized.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = run(|| self.inner.encode_fast(text, true))?;
        self.checked(encoding.get_ids().to_vec())
    }

    /// The ids of a text, truncated at its end to `max_length` including the special tokens. Also whether it was
    /// truncated.
    ///
    /// # Errors
    /// Says why this text cannot be tokenized.
    pub fn encode_within(&self, text: &str, max_length: usize) -> Result<(Vec<u32>, bool)> {
        let whole = self.encode(text)?;
        if whole.len() <= max_length {
            return Ok((whole, false));
        }
        let room = max_length.saturating_sub(self.special_tokens);
        let cut = self.finish(first_tokens(&self.bare(text)?, room, 0), None)?;
        Ok((self.checked(cut.get_ids().to_vec())?, true))
    }

    /// The ids of a pair of texts and their token types (empty if all are 0), including special tokens.
    ///
    /// # Errors
    /// Says why these texts cannot be tokenized.
    pub fn encode_pair(&self, first: &str, second: &str) -> Result<(Vec<u32>, Vec<u8>)> {
        let encoding = run(|| self.inner.encode_fast((first, second), true))?;
        Ok((self.checked(encoding.get_ids().to_vec())?, types(&encoding)))
    }

    /// As [`Tokenizer::encode_pair`], truncated to `max_length`: first the end of the longer text, then of both. Also
    /// whether anything was truncated.
    ///
    /// # Errors
    /// Says why these texts cannot be tokenized.
    pub fn encode_pair_within(
        &self,
        first: &str,
        second: &str,
        max_length: usize,
    ) -> Result<(Vec<u32>, Vec<u8>, bool)> {
        let (ids, types_of_whole) = self.encode_pair(first, second)?;
        if ids.len() <= max_length {
            return Ok((ids, types_of_whole, false));
        }
        let room = max_length.saturating_sub(self.special_tokens_of_pair());
        let (first, second) = (self.bare(first)?, self.bare(second)?);
        let (keep_first, keep_second) = share_room(first.len(), second.len(), room);
        let cut = self.finish(first_tokens(&first, keep_first, 0), Some(first_tokens(&second, keep_second, 1)))?;
        Ok((self.checked(cut.get_ids().to_vec())?, types(&cut), true))
    }

    /// The tokens of a text with their positions in it.
    ///
    /// # Errors
    /// Says why this text cannot be tokenized.
    pub fn encode_with_offsets(&self, text: &str, special_tokens: bool) -> Result<OffsetTokens> {
        let encoding = run(|| self.inner.encode(text, special_tokens))?;
        let added = encoding.get_sequence_ids();
        let span = |(&(start, end), added): (&(usize, usize), &Option<usize>)| match added {
            Some(_) => start..end,
            None => 0..0,
        };
        let spans = encoding.get_offsets().iter().zip(&added).map(span).collect();
        Ok(OffsetTokens { ids: self.checked(encoding.get_ids().to_vec())?, spans })
    }

    /// Decodes tokens, without the special ones.
    ///
    /// # Errors
    /// Says why these tokens have no text.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        run(|| self.inner.decode(tokens, true))
    }

    /// The text of one token within a text, special or not; its name in the vocabulary if it is only part of a
    /// character.
    #[must_use]
    pub fn token_text(&self, token: u32) -> String {
        let decode = |tokens: &[u32]| run(|| self.inner.decode(tokens, false)).unwrap_or_default();
        // Decoders treat the first token differently (a space before it is lost), so the second one is used.
        let (one, two) = (decode(&[token]), decode(&[token, token]));
        match two.strip_prefix(&one) {
            Some(text) if !text.is_empty() && !two.contains(char::REPLACEMENT_CHARACTER) => text.to_owned(),
            _ => self.inner.id_to_token(token).unwrap_or_else(|| format!("<{token}>")),
        }
    }

    /// The tokens of a text without special ones.
    fn bare(&self, text: &str) -> Result<Encoding> {
        run(|| self.inner.encode_fast(text, false))
    }

    /// Adds the special tokens.
    fn finish(&self, first: Encoding, second: Option<Encoding>) -> Result<Encoding> {
        match self.inner.get_post_processor() {
            Some(processor) => run(|| processor.process(first, second, true)),
            None => Ok(Encoding::merge(std::iter::once(first).chain(second), false)),
        }
    }

    fn checked(&self, ids: Vec<u32>) -> Result<Vec<u32>> {
        match ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            Some(id) => Err(Error::refused(format!("the tokenizer gives id {id}, which the model does not have"))),
            None => Ok(ids),
        }
    }
}

/// The first tokens of a text. The library's own truncation keeps everything that it cuts off, in pieces of the kept
/// length: too slow for long texts.
fn first_tokens(encoding: &Encoding, most: usize, type_id: u32) -> Encoding {
    let kept = encoding.get_ids().iter().take(most).map(|&id| Token::new(id, String::new(), (0, 0))).collect();
    Encoding::from_tokens(kept, type_id)
}

/// The number of tokens kept of each text within a common `room`: the longer one is truncated first.
fn share_room(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first > second {
        let (second, first) = share_room(second, first, room);
        return (first, second);
    }
    let first = first.min(room / 2);
    (first, second.min(room - first))
}

fn types(encoding: &Encoding) -> Vec<u8> {
    let types = encoding.get_type_ids();
    if types.iter().all(|&kind| kind == 0) {
        return Vec::new();
    }
    types.iter().map(|&kind| u8::try_from(kind).unwrap_or(u8::MAX)).collect()
}

/// A tokenizer from the bytes of its file, without the file's padding and truncation.
fn read(bytes: &[u8]) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes)?;
    inner.with_padding(None);
    inner.with_truncation(None)?;
    Ok(inner)
}

/// Adds the tokens of the files beside the tokenizer's own.
fn add(inner: &mut tokenizers::Tokenizer, beside: &Beside) -> tokenizers::Result<()> {
    let present: Vec<_> = inner.get_added_tokens_decoder().into_iter().collect();
    let missing = beside.missing(&present);
    if !missing.is_empty() {
        inner.add_tokens(missing)?;
    }
    Ok(())
}

/// Names and texts of the special tokens in a model's files.
pub(super) fn special_tokens(model_folder: &Path) -> Result<Vec<(String, String)>> {
    Ok(Beside::read(model_folder)?.names())
}

fn run<T>(step: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    caught(step).map_err(Error::refused)
}

#[cfg(test)]
pub(super) mod tests;
