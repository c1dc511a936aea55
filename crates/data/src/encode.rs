//! Encodes a row's content as an example.

use std::ops::Range;

use super::chat::{Arguments, ChatTemplate};
use super::columns::{Content, Row};
use super::conversation::Conversation;
use super::example::{Example, Target};
use super::labels::Labels;
use super::tokenizer::{OffsetTokens, Tokenizer};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_facts::recipe::Data;

/// The settings for encoding rows.
pub(super) struct RowEncoder<'a> {
    tokenizer: &'a Tokenizer,
    purpose: Purpose<'a>,
    max_length: usize,
    /// Whether longer ones are truncated.
    cut: bool,
    /// The token appended to a text or a completion.
    end: Option<u32>,
    chat: Option<ChatTemplate>,
}

/// The purpose of the examples.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// Training or evaluation with these labels.
    Labels(&'a Labels),
    /// Prediction of a label.
    NoLabels,
    /// Training or evaluation with token targets.
    Tokens,
    /// The log-probability of each token.
    AllTokens,
}

/// Why a row is bad, as it reads after "line 3".
type Why = String;

impl<'a> RowEncoder<'a> {
    /// An encoder for these rows of a file. A chat template is read if a row needs one.
    ///
    /// # Errors
    /// Refuses a `max_length` without room for a text, a model without the end token that is to be appended, and one
    /// without the chat template that its rows need.
    pub fn new(tokenizer: &'a Tokenizer, purpose: Purpose<'a>, data: &Data, cut: bool, rows: &[Row]) -> Result<Self> {
        let any = |is: fn(&Content) -> bool| rows.iter().any(|row| is(&row.content));
        let pairs = any(|content| matches!(content, Content::Pair(..)));
        let added = if pairs { tokenizer.special_tokens_of_pair() } else { tokenizer.special_tokens() };
        if data.max_length <= added {
            return Err(Error::refused(format!(
                "data.max_length = {} leaves no room beside the tokenizer's {added} special tokens; raise it",
                data.max_length
            )));
        }
        let ends = matches!(purpose, Purpose::Tokens)
            && data.append_end
            && any(|content| matches!(content, Content::Text(_) | Content::Completion { .. }));
        let end = if ends { Some(tokenizer.end_token().ok_or_else(|| no_end(tokenizer))?) } else { None };
        let chats = any(|content| matches!(content, Content::Messages(_)));
        let chat = if chats { Some(chat_template(tokenizer, data)?) } else { None };
        Ok(Self { tokenizer, purpose, max_length: data.max_length, cut, end, chat })
    }

    /// The example, and whether it was truncated. It may be longer than `max_length` if nothing is truncated.
    pub fn encode(&self, row: &Row) -> std::result::Result<(Example, bool), Why> {
        match self.purpose {
            Purpose::Labels(labels) => self.labelled(&row.content, labels.place(&row.label)?),
            Purpose::NoLabels => self.labelled(&row.content, 0),
            Purpose::Tokens | Purpose::AllTokens => self.unlabelled(&row.content),
        }
    }

    fn labelled(&self, content: &Content, label: usize) -> std::result::Result<(Example, bool), Why> {
        let most = if self.cut { self.max_length } else { usize::MAX };
        let outcome = match content {
            Content::Text(text) => self.tokenizer.encode_within(text, most).map(|(ids, cut)| (ids, Vec::new(), cut)),
            Content::Pair(first, second) => self.tokenizer.encode_pair_within(first, second, most),
            Content::Completion { .. } | Content::Messages(_) => return Err("holds no text to classify".into()),
        };
        let (tokens, token_types, cut) = outcome.map_err(|error| untokenized(&error))?;
        not_empty(&tokens)?;
        Ok((Example { tokens, token_types, target: Target::Label(label) }, cut))
    }

    fn unlabelled(&self, content: &Content) -> std::result::Result<(Example, bool), Why> {
        let (mut tokens, mut trained) = match content {
            Content::Text(text) => self.whole_text(text)?,
            Content::Completion { prompt, completion } => self.completion(prompt, completion)?,
            Content::Messages(conversation) => self.conversation(conversation)?,
            Content::Pair(..) => return Err("holds a pair of texts, which no language model learns".into()),
        };
        not_empty(&tokens)?;
        let cut = self.cut && tokens.len() > self.max_length;
        if cut {
            tokens.truncate(self.max_length);
            trained.truncate(self.max_length);
        }
        // There is nothing before the first token to predict it from.
        trained[0] = false;
        if matches!(self.purpose, Purpose::Tokens) && !trained.contains(&true) {
            let within = if cut { format!(" within {} tokens", self.max_length) } else { String::new() };
            return Err(format!("has no token to learn{within}"));
        }
        Ok((Example { tokens, token_types: Vec::new(), target: Target::Tokens(trained) }, cut))
    }

    fn whole_text(&self, text: &str) -> std::result::Result<(Vec<u32>, Vec<bool>), Why> {
        let tokens = self.tokenizer.encode(text).map_err(|error| untokenized(&error))?;
        let trained = vec![true; tokens.len()];
        Ok(self.ended(tokens, trained))
    }

    /// Prompt and completion are tokenized as one text, since that is the model's input: their tokens may differ from
    /// those of the two texts alone.
    fn completion(&self, prompt: &str, completion: &str) -> std::result::Result<(Vec<u32>, Vec<bool>), Why> {
        let text = format!("{prompt}{completion}");
        let found = self.offsets(&text, true)?;
        let learned = prompt.len()..text.len();
        let mut trained = overlapping(&found.spans, std::slice::from_ref(&learned));
        // Some tokenizers add the end token themselves.
        if found.ids.last().copied() == self.tokenizer.end_token()
            && let (Some(last), Some(span)) = (trained.last_mut(), found.spans.last())
        {
            *last |= span.is_empty();
        }
        Ok(self.ended(found.ids, trained))
    }

    fn conversation(&self, conversation: &Conversation) -> std::result::Result<(Vec<u32>, Vec<bool>), Why> {
        let chat = self.chat.as_ref().ok_or("holds messages, for which the model has no chat template")?;
        let Conversation { messages, learned_from, arguments } = conversation;
        let (text, turns) = chat.render_with_spans(messages, arguments, *learned_from)?;
        // The template has written the special tokens.
        let found = self.offsets(&text, false)?;
        let trained = overlapping(&found.spans, &turns);
        Ok((found.ids, trained))
    }

    fn offsets(&self, text: &str, special_tokens: bool) -> std::result::Result<OffsetTokens, Why> {
        self.tokenizer.encode_with_offsets(text, special_tokens).map_err(|error| untokenized(&error))
    }

    fn ended(&self, mut tokens: Vec<u32>, mut trained: Vec<bool>) -> (Vec<u32>, Vec<bool>) {
        if let Some(end) = self.end.filter(|end| tokens.last() != Some(end)) {
            tokens.push(end);
            trained.push(true);
        }
        (tokens, trained)
    }
}

/// Which tokens overlap one of the `learned` spans, which are in order. A token that straddles the start of a span is
/// included: it has the first characters of the target (often a space before a word), and a model that never learned
/// it could not begin as its examples do.
fn overlapping(tokens: &[Range<usize>], learned: &[Range<usize>]) -> Vec<bool> {
    let has_part = |token: &Range<usize>| {
        let next = learned.partition_point(|span| span.end <= token.start);
        learned.get(next).is_some_and(|span| token.end > span.start.max(token.start))
    };
    tokens.iter().map(has_part).collect()
}

fn not_empty(tokens: &[u32]) -> std::result::Result<(), Why> {
    if tokens.is_empty() { Err("has a text without a single token".into()) } else { Ok(()) }
}

fn untokenized(error: &Error) -> Why {
    format!("cannot be tokenized: {}", error.message())
}

fn no_end(tokenizer: &Tokenizer) -> Error {
    Error::refused(format!(
        "{} names no end token (eos_token in tokenizer_config.json, eos_token_id in generation_config.json or \
         config.json) to put behind each text; name one, or set data.append_end = false",
        place(tokenizer.folder())
    ))
}

fn chat_template(tokenizer: &Tokenizer, data: &Data) -> Result<ChatTemplate> {
    let template = ChatTemplate::load(tokenizer.folder())?.ok_or_else(|| {
        Error::refused(format!(
            "{} has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json) to write messages \
             with; take a model that has one, or set data.format to text or completion",
            place(tokenizer.folder())
        ))
    })?;
    Ok(template.with_arguments(&Arguments::of_recipe(&data.template_arguments)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_learned_where_any_of_it_is() {
        let tokens = [0..0, 0..3, 3..5, 5..5, 4..8, 8..9, 9..12, 12..12];
        assert_eq!(overlapping(&tokens, &[4..8, 20..30]), [false, false, true, false, true, false, false, false]);
        assert_eq!(overlapping(&tokens, &[0..1, 9..12]), [false, true, false, false, false, false, true, false]);
        assert_eq!(overlapping(&tokens, &[]), [false; 8]);
    }
}
