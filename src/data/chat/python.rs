//! What templates written for Python's Jinja2 expect of their surroundings.

use std::fmt::Write;

use chrono::NaiveDateTime;
use chrono::format::{Item, StrftimeItems};
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State};
use serde_json::Value as Json;

/// Surroundings as transformers gives them to a chat template.
pub fn environment(clock: fn() -> NaiveDateTime) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(write);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", move |format: &str| strftime(clock(), format));
    environment
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}

/// The time in a form such as `%d %b %Y`.
fn strftime(time: NaiveDateTime, format: &str) -> Result<String, Error> {
    let unknown = || invalid(format!("strftime_now knows no {format:?}"));
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) {
        return Err(unknown());
    }
    let mut text = String::new();
    // A time zone fails here: a local time has none.
    write!(text, "{}", time.format_with_items(items.into_iter())).map_err(|_| unknown())?;
    Ok(text)
}

fn write(out: &mut Output<'_>, _: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.write_str(text),
        None => out.write_str(&text(value)),
    }
    .map_err(Error::from)
}

/// The value as Python's `str` writes it.
fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => literal(value),
    }
}

/// The value as Python's `repr` writes it.
fn literal(value: &Value) -> String {
    let items = |value: &Value| value.try_iter().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    match value.kind() {
        ValueKind::None => "None".into(),
        ValueKind::Bool if value.is_true() => "True".into(),
        ValueKind::Bool => "False".into(),
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Seq => format!("[{}]", items(value).iter().map(literal).collect::<Vec<_>>().join(", ")),
        ValueKind::Map => {
            let entry =
                |key: &Value| format!("{}: {}", literal(key), literal(&value.get_item(key).unwrap_or_default()));
            format!("{{{}}}", items(value).iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::from(quote);
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            character if character == quote => quoted.extend(['\\', character]),
            character if character.is_control() => quoted.push_str(&format!("\\x{:02x}", character as u32)),
            character => quoted.push(character),
        }
    }
    quoted.push(quote);
    quoted
}

/// `tojson` as transformers has it: Python's `json.dumps`, nothing escaped for HTML.
#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent = match options.get::<Option<Value>>("indent")? {
        None => None,
        Some(indent) if indent.is_none() || indent.is_undefined() => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(indent)?.min(100)),
        }),
    };
    let separators = match options.get::<Option<Vec<String>>>("separators")?.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(invalid("tojson takes two separators")),
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
    };
    let style = Style {
        indent,
        separators,
        ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        sorted: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    let json = serde_json::to_value(value).map_err(|error| invalid(error.to_string()))?;
    let mut text = String::new();
    style.write(&json, 0, &mut text);
    Ok(text)
}

struct Style {
    indent: Option<String>,
    separators: (String, String),
    ascii: bool,
    sorted: bool,
}

impl Style {
    fn write(&self, value: &Json, depth: usize, out: &mut String) {
        match value {
            Json::Array(items) => self.write_all('[', items, ']', depth, out, |item, out| {
                self.write(item, depth + 1, out);
            }),
            Json::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                if self.sorted {
                    entries.sort_by_key(|(key, _)| *key);
                }
                self.write_all('{', &entries, '}', depth, out, |(key, value), out| {
                    self.write_text(key, out);
                    out.push_str(&self.separators.1);
                    self.write(value, depth + 1, out);
                });
            }
            Json::String(text) => self.write_text(text, out),
            Json::Number(number) => out.push_str(&number.to_string()),
            Json::Bool(_) | Json::Null => out.push_str(&value.to_string()),
        }
    }

    fn write_all<T>(
        &self,
        open: char,
        items: &[T],
        close: char,
        depth: usize,
        out: &mut String,
        mut each: impl FnMut(&T, &mut String),
    ) {
        let line = |depth: usize, out: &mut String| {
            if let (Some(indent), false) = (&self.indent, items.is_empty()) {
                out.push('\n');
                out.push_str(&indent.repeat(depth));
            }
        };
        out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(&self.separators.0);
            }
            line(depth + 1, out);
            each(item, out);
        }
        line(depth, out);
        out.push(close);
    }

    fn write_text(&self, text: &str, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                character
                    if (character as u32) < 32
                        || (self.ascii && !character.is_ascii())
                        || (self.ascii && character == '\u{7f}') =>
                {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                character => out.push(character),
            }
        }
        out.push('"');
    }
}
