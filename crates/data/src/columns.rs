//! Converts a row's columns to its content.

use std::path::Path;

use minijinja::{AutoEscape, Environment, ErrorKind, Template, UndefinedBehavior};
use serde_json::{Map, Value};

use super::bounds;
use super::conversation::{self, Conversation};
use super::rows::{Dialect, RowFile};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};
use spartui_facts::recipe::{Data, DataFormat, TaskKind};

/// Name of the recipe's template in its environment.
const TEMPLATE: &str = "data.template";

/// The columns to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    data: &'a Data,
    label: bool,
    /// None: decided by the first row.
    layout: Option<Layout>,
}

/// The columns that make up a row's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Text,
    Pair,
    Completion,
    Messages,
}

/// A row as read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub line: usize,
    pub content: Content,
    /// Empty if no label is read.
    pub label: String,
}

/// The content of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Text(String),
    Pair(String, String),
    Completion {
        prompt: String,
        completion: String,
    },
    /// A conversation, with the assistant's turns to learn.
    Messages(Conversation),
}

impl<'a> Wanted<'a> {
    /// Columns for training or evaluation.
    ///
    /// # Errors
    /// Refuses settings that contradict each other.
    pub fn to_learn(data: &'a Data, kind: TaskKind) -> Result<Self> {
        if kind == TaskKind::SequenceClassification {
            return Ok(Self { label: true, ..Self::to_classify(data) });
        }
        if !data.text_pair.is_empty() {
            return Err(Error::refused(
                "data.text_pair is for sequence-classification, the task is causal-lm; remove it, or set data.prompt and \
                 data.completion",
            ));
        }
        let layout = match data.format {
            DataFormat::Auto if data.template.is_empty() => None,
            DataFormat::Auto | DataFormat::Text => Some(Layout::Text),
            DataFormat::Completion => Some(Layout::Completion),
            DataFormat::Messages => Some(Layout::Messages),
        };
        if !data.template.is_empty() && layout != Some(Layout::Text) {
            return Err(Error::refused(
                "data.template makes one text of a row, which data.format contradicts; remove the template, or set \
                 data.format = \"text\"",
            ));
        }
        Ok(Self { data, label: false, layout })
    }

    /// Columns for prediction.
    pub fn to_answer(data: &'a Data, kind: TaskKind) -> Self {
        match kind {
            TaskKind::SequenceClassification => Self::to_classify(data),
            TaskKind::CausalLm => Self { data, label: false, layout: Some(Layout::Text) },
        }
    }

    fn to_classify(data: &'a Data) -> Self {
        let layout = if data.text_pair.is_empty() { Layout::Text } else { Layout::Pair };
        Self { data, label: false, layout: Some(layout) }
    }

    /// The layout of a file, by the columns of its first row.
    fn layout_of(&self, path: &Path, columns: &Map<String, Value>) -> Result<Layout> {
        let Data { text, prompt, completion, messages, .. } = self.data;
        let has = |name: &String| columns.contains_key(name);
        if conversation::column(columns, messages).is_some() {
            Ok(Layout::Messages)
        } else if has(prompt) && has(completion) {
            Ok(Layout::Completion)
        } else if has(text) {
            Ok(Layout::Text)
        } else {
            Err(Error::refused(format!(
                "{} has neither the column {} (data.messages), nor {} and {} (data.prompt, data.completion), nor {} \
                 (data.text); its columns are {}: set one of these fields to the column to learn from",
                place(path),
                quoted(messages),
                quoted(prompt),
                quoted(completion),
                quoted(text),
                names(columns)
            )))
        }
    }
}

/// Reads the wanted columns of every row; `each` gets the line, and the row or its error as it reads after "line 3".
/// Returns what was guessed about the file, in one sentence.
pub(super) fn read(
    path: &Path,
    wanted: Wanted<'_>,
    each: &mut dyn FnMut(usize, std::result::Result<Row, String>) -> Result<()>,
) -> Result<Option<String>> {
    let environment = environment(wanted.data)?;
    let template = environment.get_template(TEMPLATE).ok();
    let mut decided = wanted.layout;
    let mut file = RowFile::open(path, Dialect::of(wanted.data))?;
    let read_as = file.read_as.take();
    file.for_each(&mut |line, columns| {
        let columns = match columns {
            Ok(columns) => columns,
            Err(why) => return each(line, Err(why)),
        };
        let layout = match decided {
            Some(layout) => layout,
            None => *decided.insert(wanted.layout_of(path, &columns)?),
        };
        let row = content(&columns, layout, wanted.data, template.as_ref()).and_then(|content| {
            let label = if wanted.label { label(&columns, &wanted.data.label)? } else { String::new() };
            Ok(Row { line, content, label })
        });
        each(line, row)
    })?;
    Ok(read_as)
}

/// The environment of the recipe's template; empty without one.
fn environment(data: &Data) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let refuse = |error: minijinja::Error| {
        let line = error.line().unwrap_or(1);
        Error::refused(format!("data.template, line {line}: {}; fix the template", reason(&error)))
    };
    if !data.template.is_empty() {
        bounds::add(&mut environment, TEMPLATE, data.template.clone()).map_err(refuse)?;
        environment.get_template(TEMPLATE).map_err(refuse)?;
    }
    Ok(environment)
}

/// A classifier's input from these columns.
pub(super) fn content_of_text(columns: &Map<String, Value>, data: &Data) -> std::result::Result<Content, String> {
    let environment = environment(data).map_err(|error| error.message().to_owned())?;
    let layout = if data.text_pair.is_empty() { Layout::Text } else { Layout::Pair };
    content(columns, layout, data, environment.get_template(TEMPLATE).ok().as_ref())
}

fn content(
    columns: &Map<String, Value>,
    layout: Layout,
    data: &Data,
    template: Option<&Template<'_, '_>>,
) -> std::result::Result<Content, String> {
    let first = || match template {
        None => text(columns, &data.text),
        Some(template) => {
            template.render(columns).map_err(|error| format!("does not fit data.template: {}", reason(&error)))
        }
    };
    Ok(match layout {
        Layout::Text => Content::Text(first()?),
        Layout::Pair => Content::Pair(first()?, text(columns, &data.text_pair)?),
        Layout::Completion => completion(columns, data)?,
        Layout::Messages => {
            let name = conversation::column(columns, &data.messages).unwrap_or(&data.messages);
            Content::Messages(conversation::of_column(columns, name, column(columns, name)?)?)
        }
    })
}

/// The detail of a template's error, in one line.
pub(super) fn reason(error: &minijinja::Error) -> String {
    let kind = match error.kind() {
        ErrorKind::OutOfFuel => "it takes too long".into(),
        kind => kind.to_string(),
    };
    one_line(&error.detail().map_or(kind.clone(), |detail| format!("{kind}, {detail}")))
}

fn names(columns: &Map<String, Value>) -> String {
    let known: Vec<String> = columns.keys().take(8).map(|name| quoted(name)).collect();
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

fn column<'a>(columns: &'a Map<String, Value>, name: &str) -> std::result::Result<&'a Value, String> {
    columns.get(name).ok_or_else(|| {
        let near = |other: &String| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
        let nearest = columns.keys().max_by(|a, b| near(a).total_cmp(&near(b))).filter(|other| near(other) > 0.8);
        let hint = nearest.map(|other| format!(" (did you mean {}?)", quoted(other))).unwrap_or_default();
        format!("has no column {}{hint}; its columns are {}", quoted(name), names(columns))
    })
}

fn text(columns: &Map<String, Value>, name: &str) -> std::result::Result<String, String> {
    match column(columns, name)? {
        Value::String(text) => Ok(text.clone()),
        other => Err(format!("has {} in the column {}, not a text", kind(other), quoted(name))),
    }
}

fn label(columns: &Map<String, Value>, name: &str) -> std::result::Result<String, String> {
    match column(columns, name)? {
        Value::String(label) if label.is_empty() => Err(format!("has an empty label in the column {}", quoted(name))),
        Value::String(label) => Ok(label.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(format!("has {} in the column {}, not a label", kind(other), quoted(name))),
    }
}

/// A prompt and its completion: two texts, or messages of which those of the prompt are not learned.
fn completion(columns: &Map<String, Value>, data: &Data) -> std::result::Result<Content, String> {
    let (prompt, completion) = (column(columns, &data.prompt)?, column(columns, &data.completion)?);
    if prompt.is_array() || completion.is_array() {
        let names = (data.prompt.as_str(), data.completion.as_str());
        return conversation::of_prompt(columns, names, prompt, completion).map(Content::Messages);
    }
    Ok(Content::Completion { prompt: text(columns, &data.prompt)?, completion: text(columns, &data.completion)? })
}

/// Whether it is a message of the assistant.
pub(super) fn is_assistant(message: &Value) -> bool {
    message["role"] == "assistant"
}

/// Whether the model learns this message: an assistant message whose weight is not 0 and whose `train` is not false.
pub(super) fn is_answer(message: &Value) -> bool {
    let weightless = message["weight"].as_f64() == Some(0.0);
    is_assistant(message) && !weightless && message["train"] != false
}

/// The type of a value, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
