//! From a row's columns to its text and its label.

use std::path::Path;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::quote::{one_line, quoted};
use super::rows::for_each_row;
use crate::error::{Error, Result};

/// Which columns make a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Column of the text; not looked at where there is a template.
    pub text: &'a str,
    /// Column of the label, if one is wanted.
    pub label: Option<&'a str>,
    /// Template over the row; empty: none.
    pub template: &'a str,
}

/// A row as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub line: usize,
    pub text: String,
    /// Empty where no label is wanted.
    pub label: String,
}

/// Reads the wanted columns of every row; `each` hears the line, and the row or what is wrong with it as it stands
/// after "line 3".
pub(super) fn read(
    path: &Path,
    wanted: Wanted<'_>,
    each: &mut dyn FnMut(usize, std::result::Result<Row, String>) -> Result<()>,
) -> Result<()> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let template = match wanted.template {
        "" => None,
        source => Some(environment.template_from_str(source).map_err(|error| {
            let line = error.line().unwrap_or(1);
            Error::refused(format!("data.template, line {line}: {}; mend the template", reason(&error)))
        })?),
    };
    for_each_row(path, &mut |line, columns| {
        let row = columns.and_then(|columns| {
            let text = match &template {
                None => text(&columns, wanted.text)?,
                Some(template) => template
                    .render(&columns)
                    .map_err(|error| format!("does not fit data.template: {}", reason(&error)))?,
            };
            let label = wanted.label.map_or(Ok(String::new()), |column| label(&columns, column))?;
            Ok(Row { line, text, label })
        });
        each(line, row)
    })
}

fn reason(error: &minijinja::Error) -> String {
    let kind = error.kind().to_string();
    one_line(&error.detail().map_or(kind.clone(), |detail| format!("{kind}, {detail}")))
}

fn column<'a>(columns: &'a Map<String, Value>, name: &str) -> std::result::Result<&'a Value, String> {
    columns.get(name).ok_or_else(|| {
        let known: Vec<String> = columns.keys().take(8).map(|name| quoted(name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("has no column {}; its columns are {known}", quoted(name))
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

fn kind(value: &Value) -> &'static str {
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
mod tests {
    use super::*;

    fn rows(text: &str, wanted: Wanted<'_>) -> Result<Vec<std::result::Result<Row, String>>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, text).unwrap();
        let mut rows = Vec::new();
        read(&path, wanted, &mut |_, row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    const PLAIN: Wanted<'static> = Wanted { text: "text", label: Some("label"), template: "" };

    #[test]
    fn labels_are_texts_numbers_or_flags() {
        let text = r#"{"text":"a","label":"x"}
            {"text":"a","label":3}
            {"text":"a","label":-1.5}
            {"text":"a","label":true}"#;
        let labels: Vec<String> = rows(text, PLAIN).unwrap().into_iter().map(|row| row.unwrap().label).collect();
        assert_eq!(labels, ["x", "3", "-1.5", "true"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let text = r#"{"text":"a"}
            {"text":5,"label":"x"}
            {"text":null,"label":"x"}
            {"text":"a","label":["x"]}
            {"text":"a","label":""}
            {}"#;
        let why: Vec<String> = rows(text, PLAIN).unwrap().into_iter().map(|row| row.unwrap_err()).collect();
        insta::assert_snapshot!(why.join("\n"), @r#"
        has no column "label"; its columns are "text"
        has a number in the column "text", not a text
        has nothing in the column "text", not a text
        has a list in the column "label", not a label
        has an empty label in the column "label"
        has no column "text"; its columns are none
        "#);
    }

    #[test]
    fn a_template_sees_the_whole_row_and_escapes_nothing() {
        let wanted = Wanted { template: "{{ a }} <{{ b.c }}>{% if d %}!{% endif %}", ..PLAIN };
        let text = r#"{"a":"x & y","b":{"c":2},"label":"l"}
            {"b":{"c":2},"label":"l"}"#;
        let rows = rows(text, wanted).unwrap();
        assert_eq!(rows[0].as_ref().unwrap().text, "x & y <2>");
        assert!(rows[1].as_ref().unwrap_err().starts_with("does not fit data.template: undefined"), "{rows:?}");
    }

    #[test]
    fn a_broken_template_is_refused_with_its_line() {
        let error = rows("{}", Wanted { template: "fine\n{{ text", ..PLAIN }).unwrap_err();
        assert!(error.message().starts_with("data.template, line 2: syntax error"), "{error}");
    }
}
