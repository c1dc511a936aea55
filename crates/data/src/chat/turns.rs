//! Finds the assistant's turns in the text of a conversation.

use std::ops::Range;

use serde_json::Value as Json;

use super::super::columns::is_assistant;
use super::generation::Mark;
use super::messages::REASONING;
use super::{Why, Writer};

/// Of the turns that a template marks, those to learn: one is marked for each message of the assistant.
pub fn marked(turns: Vec<Range<usize>>, all: &[Json], learned: &[bool]) -> Result<Vec<Range<usize>>, Why> {
    let answers: Vec<bool> =
        all.iter().zip(learned).filter(|(message, _)| is_assistant(message)).map(|(_, learned)| *learned).collect();
    let mut kept = match answers.iter().all(|learned| *learned) {
        true => turns,
        false if answers.len() == turns.len() => {
            turns.into_iter().zip(answers).filter(|(_, learned)| *learned).map(|(turn, _)| turn).collect()
        }
        false => {
            return Err(
                "leaves out some of the assistant's messages, which the model's chat template does not write one \
                        by one"
                    .into(),
            );
        }
    };
    kept.retain(|turn| !turn.is_empty());
    Ok(kept)
}

/// The byte spans of the turns to learn in the text of these messages. A turn begins where the text of the messages
/// before it ends (with the generation prompt), and ends where the text up to it ends. If a template renders those
/// differently (without the reasoning of earlier turns, for example), marks within the message locate it.
pub fn spans(chat: &Writer<'_>, all: &[Json], text: &str, learned: &[bool]) -> Result<Vec<Range<usize>>, Why> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (at, _) in learned.iter().enumerate().filter(|(_, learned)| **learned) {
        let from = spans.last().map_or(0, |before| before.end);
        let header = header(chat, &all[..at]).unwrap_or_default();
        let start = prefix(chat, &all[..at], true, text)
            .or_else(|| start_by_marks(chat, all, at, &header, text, from))
            .or_else(|| start_by_header(chat, &all[..at], &header, text))
            .ok_or_else(rewritten)?;
        let end = match prefix(chat, &all[..=at], false, text) {
            _ if at + 1 == all.len() => text.len(),
            Some(end) => end,
            None => end_when_continued(chat, &all[..=at], &header, text)
                .or_else(|| end_by_marks(chat, all, at, &header, text))
                .ok_or_else(rewritten)?,
        };
        if start > end || from > start {
            return Err(rewritten());
        }
        spans.push(start..end);
    }
    spans.retain(|span| !span.is_empty());
    Ok(spans)
}

/// Length of the text of these messages, if the whole text begins with it.
fn prefix(chat: &Writer<'_>, messages: &[Json], add_generation_prompt: bool, text: &str) -> Option<usize> {
    let part = chat.render(&Json::from(messages), Some(add_generation_prompt)).ok()?;
    continued(chat, &part, text).map(str::len)
}

/// The part, if the text begins with it. Some templates put the end token after a whole conversation, so it is missing
/// after a part.
fn continued<'a>(chat: &Writer<'_>, part: &'a str, text: &str) -> Option<&'a str> {
    let bare = chat.end_token().and_then(|end| part.strip_suffix(end));
    [Some(part), bare].into_iter().flatten().find(|part| text.starts_with(part))
}

/// The start of a turn: after the header before its first mark.
fn start_by_marks(chat: &Writer<'_>, all: &[Json], at: usize, header: &str, text: &str, from: usize) -> Option<usize> {
    let first = Probe::find(chat, all, at, text)?.places.first().copied()?;
    let before = text.get(from..first)?;
    // The header may end in something that only the last turn has, such as an empty reasoning block: then some of its
    // lines are found. Else the turn begins at the mark.
    let lines = header.match_indices('\n').map(|(at, _)| at + 1).filter(|end| *end < header.len()).rev();
    let found = std::iter::once(header.len()).chain(lines).filter(|end| *end > 0).find_map(|end| {
        let found = before.rfind(&header[..end])?;
        Some(from + found + end)
    });
    Some(found.unwrap_or(first))
}

/// The start of a turn in which nothing can be marked: after as much of its header as the text has.
fn start_by_header(chat: &Writer<'_>, before: &[Json], header: &str, text: &str) -> Option<usize> {
    let start = prefix(chat, before, false, text)?;
    let same = text[start..].char_indices().zip(header.chars()).find(|((_, ours), theirs)| ours != theirs);
    Some(same.map_or(start, |((at, _), _)| start + at))
}

/// The generation prompt after these messages.
fn header(chat: &Writer<'_>, before: &[Json]) -> Option<String> {
    let before = Json::from(before);
    let asked = chat.render(&before, Some(true)).ok()?;
    let plain = chat.render(&before, Some(false)).ok()?;
    let header = asked.get(continued(chat, &plain, &asked)?.len()..)?;
    (!header.is_empty()).then(|| header.to_owned())
}

/// The end of a turn that a template ends differently if it is the last: where the generation prompt begins.
fn end_when_continued(chat: &Writer<'_>, messages: &[Json], header: &str, text: &str) -> Option<usize> {
    let asked = chat.render(&Json::from(messages), Some(true)).ok()?;
    let part = asked.strip_suffix(header).filter(|_| !header.is_empty())?;
    text.starts_with(part).then_some(part.len())
}

/// The end of a turn: as far after its last mark as in the text that ends with it, or with the generation prompt.
fn end_by_marks(chat: &Writer<'_>, all: &[Json], at: usize, header: &str, text: &str) -> Option<usize> {
    let whole = Probe::find(chat, all, at, text)?;
    let tail_of = |prompt: bool| {
        let (part, places) = whole.render(chat, &all[..=at], prompt)?;
        part.get(*places.last()?..).map(str::to_owned)
    };
    let plain = tail_of(false)?;
    let asked =
        tail_of(true).and_then(|tail| tail.strip_suffix(header).filter(|_| !header.is_empty()).map(str::to_owned));
    // Marked text may recur in later messages: for example the name of a call in the header of its result.
    whole.places.iter().rev().find_map(|&last| {
        let rest = text.get(last..)?;
        let tail = continued(chat, &plain, rest).or_else(|| asked.as_deref().filter(|tail| rest.starts_with(tail)))?;
        Some(last + tail.len())
    })
}

/// Marks within a message, and their positions in the text.
struct Probe {
    mark: Mark,
    parts: &'static [Part],
    at: usize,
    places: Vec<usize>,
}

/// The marked part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Content,
    Reasoning,
    Calls,
}

impl Probe {
    /// Marks as much of the message as possible without other changes to the text.
    fn find(chat: &Writer<'_>, all: &[Json], at: usize, text: &str) -> Option<Self> {
        const TRIED: [&[Part]; 5] = [
            &[Part::Content, Part::Reasoning, Part::Calls],
            &[Part::Content, Part::Calls],
            &[Part::Content],
            &[Part::Calls],
            &[Part::Reasoning],
        ];
        let mark = Mark::for_text(&Json::from(all).to_string());
        TRIED.into_iter().find_map(|parts| {
            let mut probe = Self { mark, parts, at, places: Vec::new() };
            let (found, places) = probe.render(chat, all, false)?;
            probe.places = places;
            (found == text && !probe.places.is_empty()).then_some(probe)
        })
    }

    /// The text of these messages, and the positions of the marks in it.
    fn render(&self, chat: &Writer<'_>, messages: &[Json], prompt: bool) -> Option<(String, Vec<usize>)> {
        let mut messages = messages.to_vec();
        self.mark_message(messages.get_mut(self.at)?);
        let marked = chat.render(&Json::from(messages), Some(prompt)).ok()?;
        Some(self.mark.places(&marked))
    }

    fn mark_message(&self, message: &mut Json) {
        if self.parts.contains(&Part::Content) {
            match message.get_mut("content") {
                Some(Json::Array(parts)) => parts.iter_mut().for_each(|part| self.mark_entry(part, "text")),
                _ => self.mark_entry(message, "content"),
            }
        }
        if self.parts.contains(&Part::Reasoning) {
            for name in REASONING {
                self.mark_entry(message, name);
            }
        }
        if self.parts.contains(&Part::Calls) {
            for call in message.get_mut("tool_calls").and_then(Json::as_array_mut).into_iter().flatten() {
                match call.get_mut("function") {
                    Some(function) => self.mark_entry(function, "name"),
                    None => self.mark_entry(call, "name"),
                }
            }
        }
    }

    /// Puts marks around each part of a text between white space and tags such as `<think>`, at which templates split
    /// it.
    fn mark_entry(&self, object: &mut Json, name: &str) {
        let Some(value) = object.get_mut(name) else { return };
        let Some(text) = value.as_str() else { return };
        let mut marked = String::new();
        for (is_tag, part) in parts(text) {
            let core = part.trim();
            if is_tag || core.is_empty() {
                marked.push_str(part);
                continue;
            }
            let start = part.len() - part.trim_start().len();
            marked.push_str(&part[..start]);
            marked.push_str(&self.mark.around(core));
            marked.push_str(&part[start + core.len()..]);
        }
        *value = marked.into();
    }
}

/// The parts of the text; whether each is a tag.
fn parts(text: &str) -> Vec<(bool, &str)> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((start, length)) = next_tag(rest) {
        parts.push((false, &rest[..start]));
        parts.push((true, &rest[start..start + length]));
        rest = &rest[start + length..];
    }
    parts.push((false, rest));
    parts
}

/// Start and length of the next tag: a word between `<` and `>`, or an upper-case one between `[` and `]`.
fn next_tag(text: &str) -> Option<(usize, usize)> {
    /// The longest tag in bytes.
    const LONGEST: usize = 40;
    text.match_indices(['<', '[']).find_map(|(start, open)| {
        let (close, inner) = if open == "<" { ('>', &text[start + 1..]) } else { (']', &text[start + 1..]) };
        let length = inner.find(close).filter(|length| (1..LONGEST).contains(length))?;
        let fits = |c: char| match open {
            "<" => !c.is_whitespace() && c != '<',
            _ => c.is_ascii_uppercase() || matches!(c, '/' | '_'),
        };
        inner[..length].chars().all(fits).then_some((start, length + 2))
    })
}

fn rewritten() -> Why {
    "has an assistant's turn that the model's chat template writes another way once the conversation goes on, so that what \
     the assistant wrote cannot be told; give its messages as prompt and completion"
        .into()
}
