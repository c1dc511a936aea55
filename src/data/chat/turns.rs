//! Which part of a conversation's text the assistant wrote, where the template does not say.

use std::ops::Range;

use serde_json::Value as Json;

use super::super::columns::is_answer;
use super::ChatTemplate;
use super::generation::Mark;

/// The bytes of the assistant's turns in the text of these messages. A turn begins where the text of the messages before
/// it ends (with the header that asks the assistant to answer), and ends where the text up to it ends. Where a template
/// writes those otherwise (thoughts of earlier turns left out, say), marks around the message's own content tell.
pub fn spans(chat: &ChatTemplate, messages: &Json, text: &str) -> Result<Vec<Range<usize>>, String> {
    let all = messages.as_array().ok_or("holds no list of messages")?;
    let mut spans = Vec::new();
    for (at, _) in all.iter().enumerate().filter(|(_, message)| is_answer(message)) {
        let start = match prefix(chat, &all[..at], true, text) {
            Some(start) => start,
            None => marked(chat, all, at, text).ok_or_else(rewritten)?.start,
        };
        let end = match prefix(chat, &all[..=at], false, text) {
            _ if at + 1 == all.len() => text.len(),
            Some(end) => end,
            None => end_of_marked(chat, all, at, text).ok_or_else(rewritten)?,
        };
        if start > end || spans.last().is_some_and(|before: &Range<usize>| before.end > start) {
            return Err(rewritten());
        }
        spans.push(start..end);
    }
    spans.retain(|span| !span.is_empty());
    Ok(spans)
}

/// Length of the text of these messages, if the whole text begins with it.
fn prefix(chat: &ChatTemplate, messages: &[Json], add_generation_prompt: bool, text: &str) -> Option<usize> {
    let part = chat.render(&Json::from(messages), add_generation_prompt).ok()?;
    continued(chat, &part, text).map(str::len)
}

/// The part, if the text begins with it. Some templates put the end token behind a conversation as a whole; behind its
/// first half it is not there.
fn continued<'a>(chat: &ChatTemplate, part: &'a str, text: &str) -> Option<&'a str> {
    let bare = chat.end_token().and_then(|end| part.strip_suffix(end));
    [Some(part), bare].into_iter().flatten().find(|part| text.starts_with(part))
}

/// Where the content of a message stands in the text.
fn marked(chat: &ChatTemplate, messages: &[Json], at: usize, text: &str) -> Option<Range<usize>> {
    let (found, span) = render_marked(chat, messages, at)?;
    (found == text).then_some(span)
}

fn end_of_marked(chat: &ChatTemplate, messages: &[Json], at: usize, text: &str) -> Option<usize> {
    let content = marked(chat, messages, at, text)?;
    let (part, own) = render_marked(chat, &messages[..=at], at)?;
    let tail = continued(chat, &part[own.end..], &text[content.end..])?;
    Some(content.end + tail.len())
}

/// The text of messages, and where the content of one of them stands in it. Marks stand within the white space that its
/// content begins and ends with, so that a template can trim it.
fn render_marked(chat: &ChatTemplate, messages: &[Json], at: usize) -> Option<(String, Range<usize>)> {
    let mut messages = messages.to_vec();
    let content = messages.get(at)?["content"].as_str()?.to_owned();
    let core = content.trim();
    let mark = Mark::for_text(&Json::from(messages.as_slice()).to_string());
    let start = content.len() - content.trim_start().len();
    messages[at]["content"] =
        format!("{}{}{}", &content[..start], mark.around(core), &content[start + core.len()..]).into();
    let (text, mut spans) = mark.strip(&chat.render(&Json::from(messages), false).ok()?);
    let span = spans.pop()?;
    spans.is_empty().then_some((text, span))
}

fn rewritten() -> String {
    "has an assistant's turn that the model's chat template writes another way once the conversation goes on, so that what \
     the assistant wrote cannot be told; give its messages as prompt and completion"
        .into()
}
