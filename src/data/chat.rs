//! The model's own way to write a conversation as one text.

use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;
use minijinja::{Environment, Value, context};
use serde_json::Value as Json;

use super::bounds;
use super::columns::reason;
use super::quote::place;
use super::tokenizer::{read_json, token_name};
use crate::error::{Error, Result};

mod generation;
mod python;
mod turns;

use generation::Mark;

/// Name of the template within its environment.
const NAME: &str = "chat template";

/// A model's chat template, rendered as transformers does with Jinja2.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// Whether it says itself what the assistant wrote.
    marks_turns: bool,
    /// What marks it.
    mark: Mark,
    special_tokens: Vec<(String, String)>,
}

impl ChatTemplate {
    /// Reads `chat_template.jinja`, else `chat_template` of `tokenizer_config.json`; none where there is neither.
    ///
    /// # Errors
    /// Refuses files that cannot be read, and a template that breaks the rules of its language.
    pub fn load(model_folder: &Path) -> Result<Option<Self>> {
        let path = model_folder.join("tokenizer_config.json");
        let config = read_json(&path)?;
        let Some((source, path)) = source(model_folder, &config, path)? else {
            return Ok(None);
        };
        let names = read_json(&model_folder.join("special_tokens_map.json"))?;
        let template = Self::new(&source, special_tokens(&[&names, &config]), now).map_err(|why| {
            Error::refused(format!("{}: the chat template {why}; copy it from the model again", place(&path)))
        })?;
        Ok(Some(template))
    }

    fn new(
        source: &str,
        special_tokens: Vec<(String, String)>,
        clock: fn() -> NaiveDateTime,
    ) -> std::result::Result<Self, String> {
        let mark = Mark::for_text(source);
        let (source, marks_turns) = generation::rewrite(source);
        let environment = python::environment(clock);
        let mut template = Self { environment, marks_turns, mark, special_tokens };
        template.environment.add_filter(generation::FILTER, move |turn: String| mark.around(&turn));
        bounds::add(&mut template.environment, NAME, source).map_err(|error| {
            let line = error.line().unwrap_or(1);
            format!("is broken in line {line} ({})", reason(&error))
        })?;
        Ok(template)
    }

    /// The text of a conversation: a list of objects with `role` and `content`.
    ///
    /// # Errors
    /// Says why the template does not take it, as it stands after "line 3".
    pub fn render(&self, messages: &Json, add_generation_prompt: bool) -> std::result::Result<String, String> {
        let text = self.render_marked(messages, add_generation_prompt)?;
        Ok(if self.marks_turns { self.mark.strip(&text).0 } else { text })
    }

    /// The text of a conversation, and the bytes of it that are the assistant's turns, with what the template puts behind
    /// them. They are what the template marks as generated, if it does; else what it adds for such a message to the
    /// conversation before it.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`], and where a template writes earlier turns another way once there are later ones.
    pub fn render_with_spans(&self, messages: &Json) -> std::result::Result<(String, Vec<Range<usize>>), String> {
        if self.marks_turns {
            return Ok(self.mark.strip(&self.render_marked(messages, false)?));
        }
        let text = self.render(messages, false)?;
        let spans = turns::spans(self, messages, &text)?;
        Ok((text, spans))
    }

    fn render_marked(&self, messages: &Json, add_generation_prompt: bool) -> std::result::Result<String, String> {
        if self.marks_turns && messages.to_string().contains(self.mark.characters()) {
            let [start, end] = self.mark.characters().map(char::escape_unicode);
            return Err(format!("holds {start} or {end}, private characters that mark turns here; replace them"));
        }
        let special_tokens: Value = self.special_tokens.iter().map(|(name, token)| (name, token)).collect();
        let context = context! {
            messages => Value::from_serialize(messages),
            tools => Value::from(()),
            documents => Value::from(()),
            add_generation_prompt,
            ..special_tokens
        };
        let template = self.environment.get_template(NAME).map_err(|error| reason(&error))?;
        template.render(context).map_err(|error| format!("does not fit the model's chat template: {}", reason(&error)))
    }

    /// The token that the template may put behind a whole conversation.
    fn end_token(&self) -> Option<&str> {
        self.special_tokens.iter().find(|(name, _)| name == "eos_token").map(|(_, token)| token.as_str())
    }
}

fn now() -> NaiveDateTime {
    chrono::Local::now().naive_local()
}

/// The template's text and its file.
fn source(folder: &Path, config: &Json, config_path: PathBuf) -> Result<Option<(String, PathBuf)>> {
    let own = folder.join("chat_template.jinja");
    match std::fs::read(&own) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes)
                .map_err(|_| Error::refused(format!("{} is not UTF-8; copy it from the model again", place(&own))))?;
            return Ok(Some((text, own)));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let own = place(&own);
            return Err(Error::refused(format!("cannot read {own}: {error}; make it readable, or remove it")));
        }
    }
    let refuse = |why: &str| {
        Err(Error::refused(format!("{}: chat_template {why}; copy it from the model again", place(&config_path))))
    };
    match &config["chat_template"] {
        Json::Null => Ok(None),
        Json::String(source) => Ok(Some((source.clone(), config_path))),
        Json::Array(named) => match named.iter().find(|template| template["name"] == "default") {
            Some(default) => match default["template"].as_str() {
                Some(source) => Ok(Some((source.to_owned(), config_path))),
                None => refuse("has a default that is no text"),
            },
            None => refuse("has no template of the name \"default\""),
        },
        _ => refuse("is neither a text nor a list of templates"),
    }
}

/// Names and texts of the special tokens that these files give; a later file has the last word.
fn special_tokens(files: &[&Json]) -> Vec<(String, String)> {
    let entries = files.iter().filter_map(|file| file.as_object()).flatten();
    let tokens = entries.filter(|(name, _)| name.ends_with("_token"));
    tokens.filter_map(|(name, value)| Some((name.clone(), token_name(value)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests;
