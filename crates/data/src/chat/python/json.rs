//! `tojson` as in transformers: Python's `json.dumps` without HTML escapes.

use minijinja::value::{Rest, ValueKind};
use minijinja::{Error, Value};

use super::arguments::{Arguments, invalid};
use super::text::{float, number, text};

/// The deepest nesting that is written.
const DEEPEST: usize = 200;
/// The widest indentation.
const WIDEST: i64 = 100;

/// The filter.
#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
pub fn to_json(value: &Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let ascii = arguments.flag(0, "ensure_ascii")?;
    let indent = match arguments.get(1, "indent")?.filter(|indent| !indent.is_none() && !indent.is_undefined()) {
        None => None,
        Some(indent) => Some(match (indent.as_str(), indent.as_i64()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(width)) => " ".repeat(usize::try_from(width.clamp(0, WIDEST)).unwrap_or(0)),
            (None, None) => return Err(invalid("tojson takes a number or a text as indent")),
        }),
    };
    let separators = match arguments.get(2, "separators")?.filter(|separators| !separators.is_none()) {
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(two) => match two.try_iter()?.map(|part| text(&part)).collect::<Vec<_>>().as_slice() {
            [item, key] => (item.clone(), key.clone()),
            _ => return Err(invalid("tojson takes two separators")),
        },
    };
    let style = Style { indent, separators, ascii, sorted: arguments.flag(3, "sort_keys")? };
    arguments.end(4)?;
    let mut out = String::new();
    style.write(value, 0, &mut out)?;
    Ok(out)
}

struct Style {
    indent: Option<String>,
    separators: (String, String),
    ascii: bool,
    sorted: bool,
}

impl Style {
    fn write(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(invalid("tojson is given lists too deep in each other"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&json_number(value)),
            ValueKind::String => self.write_text(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.write_all('[', &items, ']', depth, out, |item, out| self.write(item, depth + 1, out))?;
            }
            ValueKind::Map => {
                let mut entries = Vec::new();
                for key in value.try_iter()? {
                    entries.push((key_text(&key)?, value.get_item(&key)?));
                }
                if self.sorted {
                    entries.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.write_all('{', &entries, '}', depth, out, |(key, value), out| {
                    self.write_text(key, out);
                    out.push_str(&self.separators.1);
                    self.write(value, depth + 1, out)
                })?;
            }
            kind => return Err(invalid(format!("tojson cannot write {kind}"))),
        }
        Ok(())
    }

    fn write_all<T>(
        &self,
        open: char,
        items: &[T],
        close: char,
        depth: usize,
        out: &mut String,
        mut each: impl FnMut(&T, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
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
            each(item, out)?;
        }
        line(depth, out);
        out.push(close);
        Ok(())
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
                character if (character as u32) < 32 || (self.ascii && !(' '..='~').contains(&character)) => {
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

fn json_number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(infinite) if infinite == f64::INFINITY => "Infinity".into(),
        Ok(infinite) if infinite == f64::NEG_INFINITY => "-Infinity".into(),
        Ok(none) if none.is_nan() => "NaN".into(),
        _ => number(value),
    }
}

/// A key in JSON: always a text.
fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::None => Ok("null".into()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.into()),
        ValueKind::Number => {
            Ok(f64::try_from(key.clone()).ok().filter(|_| !key.is_integer()).map_or_else(|| key.to_string(), float))
        }
        kind => Err(invalid(format!("tojson cannot take {kind} as a key"))),
    }
}
