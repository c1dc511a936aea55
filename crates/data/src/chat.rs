//! Chat templates: the model's format for a conversation as one text.

use std::ops::Range;
use std::path::Path;

use chrono::NaiveDateTime;
use minijinja::{Environment, Value};
use serde_json::{Map, Value as Json};

use super::bounds;
use super::caught::caught;
use super::columns::{is_answer, reason};
use super::tokenizer::special_tokens;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;

mod arguments;
mod files;
mod generation;
mod messages;
mod python;
mod source;
mod turns;

pub use arguments::Arguments;

use generation::Mark;

/// Name of the template in its environment.
const NAME: &str = "chat template";
/// Name of a separate template for conversations with tools.
const WITH_TOOLS: &str = "chat template for tools";

/// A model's chat template, rendered as transformers does with Jinja2.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    plain: Kind,
    with_tools: Option<Kind>,
    special_tokens: Vec<(String, String)>,
    /// Arguments for every conversation.
    arguments: Arguments,
}

/// One of a model's templates.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    /// Whether it marks the assistant's turns itself.
    marks_turns: bool,
    /// The marks.
    mark: Mark,
}

/// Why a conversation cannot be rendered, as it reads after "line 3".
type Why = String;

impl ChatTemplate {
    /// Reads `chat_template.jinja`, else `chat_template` of `tokenizer_config.json`; none without either.
    ///
    /// # Errors
    /// Refuses unreadable files, and a template with a syntax error.
    pub fn load(model_folder: &Path) -> Result<Option<Self>> {
        let Some(files) = files::read(model_folder)? else { return Ok(None) };
        let place = place(&files.path);
        let refuse =
            |why: Why| Error::refused(format!("{place}: the chat template {why}; copy it from the model again"));
        let mut template = Self::new(&files.source, special_tokens(model_folder)?, now).map_err(refuse)?;
        if let Some(source) = &files.with_tools {
            template.with_tools = Some(add(&mut template.environment, WITH_TOOLS, source).map_err(refuse)?);
        }
        Ok(Some(template))
    }

    fn new(
        source: &str,
        special_tokens: Vec<(String, String)>,
        clock: fn() -> NaiveDateTime,
    ) -> std::result::Result<Self, Why> {
        let mut environment = python::environment(clock);
        let plain = add(&mut environment, NAME, source)?;
        Ok(Self { environment, plain, with_tools: None, special_tokens, arguments: Arguments::default() })
    }

    /// Adds arguments for every conversation: `enable_thinking`, `tools`, …
    #[must_use]
    pub fn with_arguments(mut self, arguments: &Arguments) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// Renders a conversation: a list of objects with `role` and `content`.
    ///
    /// # Errors
    /// Says why the template rejects it, as it reads after "line 3".
    pub fn render(&self, messages: &Json, add_generation_prompt: bool) -> std::result::Result<String, Why> {
        self.with_row(&Arguments::default())?.render(&messages::prepared(messages), Some(add_generation_prompt))
    }

    /// Renders a conversation; also returns the byte spans of the assistant's turns, including what the template adds
    /// after them. The spans are those that the template marks as generated, if it does; else what it adds for such a
    /// message to the conversation before it. Messages before `learned_from`, and those marked as not to be learned,
    /// are left out.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`], and if a template changes earlier turns once there are later ones.
    pub fn render_with_spans(
        &self,
        messages: &Json,
        arguments: &Arguments,
        learned_from: usize,
    ) -> std::result::Result<(String, Vec<Range<usize>>), Why> {
        let writer = self.with_row(arguments)?;
        let messages = messages::prepared(messages);
        let all = messages.as_array().ok_or("holds no list of messages")?;
        let learned: Vec<bool> =
            all.iter().enumerate().map(|(at, message)| at >= learned_from && is_answer(message)).collect();
        if writer.kind.marks_turns {
            let (text, turns) = writer.kind.mark.strip(&writer.render_marked(&messages, None)?);
            return Ok((text, turns::marked(turns, all, &learned)?));
        }
        let text = writer.render(&messages, Some(false))?;
        let spans = turns::spans(&writer, all, &text, &learned)?;
        let whole = writer.render(&messages, None)?;
        if !whole.starts_with(&text) {
            return Err("has a text that changes where the assistant is asked to answer (add_generation_prompt)".into());
        }
        Ok((whole, spans))
    }

    /// The writer for conversations with these arguments.
    fn with_row(&self, row: &Arguments) -> std::result::Result<Writer<'_>, Why> {
        let mut arguments = self.arguments.clone();
        arguments.extend(row);
        let has_tools = arguments.check()?;
        let kind = self.with_tools.filter(|_| has_tools).unwrap_or(self.plain);
        Ok(Writer { chat: self, kind, arguments: arguments.into_map() })
    }
}

/// Renders conversations with one set of arguments.
struct Writer<'a> {
    chat: &'a ChatTemplate,
    kind: Kind,
    arguments: Map<String, Json>,
}

impl Writer<'_> {
    /// Renders messages; with or without the generation prompt, or as the arguments say.
    fn render(&self, messages: &Json, add_generation_prompt: Option<bool>) -> std::result::Result<String, Why> {
        let text = self.render_marked(messages, add_generation_prompt)?;
        Ok(if self.kind.marks_turns { self.kind.mark.strip(&text).0 } else { text })
    }

    fn render_marked(&self, messages: &Json, add_generation_prompt: Option<bool>) -> std::result::Result<String, Why> {
        if self.kind.marks_turns && messages.to_string().contains(self.kind.mark.characters()) {
            let [start, end] = self.kind.mark.characters().map(char::escape_unicode);
            return Err(format!("holds {start} or {end}, private characters that mark turns here; replace them"));
        }
        let mut context: Map<String, Json> =
            [("tools", Json::Null), ("documents", Json::Null), ("add_generation_prompt", false.into())]
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect();
        context.extend(self.chat.special_tokens.iter().map(|(name, token)| (name.clone(), token.as_str().into())));
        context.extend(self.arguments.clone());
        if let Some(prompt) = add_generation_prompt {
            context.insert("add_generation_prompt".into(), prompt.into());
        }
        context.insert("messages".into(), messages.clone());
        let render = || {
            let template = self.chat.environment.get_template(self.kind.name)?;
            template.render(Value::from_serialize(&context))
        };
        caught(|| render().map_err(|error| reason(&error)))
            .map_err(|why| format!("does not fit the model's chat template: {why}"))
    }

    /// The token that the template may put at the end of a whole conversation.
    fn end_token(&self) -> Option<&str> {
        self.chat.special_tokens.iter().find(|(name, _)| name == "eos_token").map(|(_, token)| token.as_str())
    }
}

/// Adds a template to an environment.
fn add(environment: &mut Environment<'static>, name: &'static str, source: &str) -> std::result::Result<Kind, Why> {
    let mark = Mark::for_text(source);
    let (source, marks_turns) = source::rewritten(source);
    let filter = generation::filter_of(name == WITH_TOOLS);
    let source = if marks_turns { source.replace(generation::FILTER, filter) } else { source };
    environment.add_filter(filter, move |turn: String| mark.around(&turn));
    bounds::add(environment, name, source).map_err(|error| {
        let line = error.line().unwrap_or(1);
        format!("is broken in line {line} ({})", reason(&error))
    })?;
    Ok(Kind { name, marks_turns, mark })
}

fn now() -> NaiveDateTime {
    chrono::Local::now().naive_local()
}

#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod tests;
