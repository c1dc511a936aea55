//! Values in Python's notation.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};

/// The deepest nesting that is written; no conversation has deeper ones.
const DEEPEST: usize = 200;

/// A list that is a tuple in Python: the pairs of a dictionary.
#[derive(Debug)]
pub struct Tuple(pub Vec<Value>);

impl Object for Tuple {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

/// The value as by Python's `str`.
pub fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_undefined() => String::new(),
        None => literal(value),
    }
}

/// The value as by Python's `repr`.
pub fn literal(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => quote(value.as_str().unwrap_or_default(), out),
        _ if depth > DEEPEST => out.push_str("..."),
        ValueKind::Seq | ValueKind::Iterable => write_list(value, depth, out),
        ValueKind::Map => write_entries(value, depth, out),
        _ => out.push_str(&value.to_string()),
    }
}

fn write_list(value: &Value, depth: usize, out: &mut String) {
    let tuple = value.downcast_object_ref::<Tuple>().is_some();
    out.push(if tuple { '(' } else { '[' });
    let mut count = 0;
    for item in value.try_iter().into_iter().flatten() {
        if count > 0 {
            out.push_str(", ");
        }
        write(&item, depth + 1, out);
        count += 1;
    }
    if tuple && count == 1 {
        out.push(',');
    }
    out.push(if tuple { ')' } else { ']' });
}

fn write_entries(value: &Value, depth: usize, out: &mut String) {
    out.push('{');
    for (at, key) in value.try_iter().into_iter().flatten().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write(&key, depth + 1, out);
        out.push_str(": ");
        write(&value.get_item(&key).unwrap_or_default(), depth + 1, out);
    }
    out.push('}');
}

/// A number as by both `str` and `json.dumps`.
pub fn number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(number) if !value.is_integer() => float(number),
        _ => value.to_string(),
    }
}

/// The shortest digits that represent the number exactly, with an exponent far from 1.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

fn quote(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            character if character == quote => out.extend(['\\', character]),
            character if is_printable(character) => out.push(character),
            character => match character as u32 {
                code @ 0..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push(quote);
}

/// As Python's `isprintable`: Rust's debug form escapes the same categories, and after another character only those.
fn is_printable(character: char) -> bool {
    let mut probe = String::from("a");
    probe.push(character);
    matches!(character, '"' | '\'' | '\\') || probe.escape_debug().nth(2).is_none()
}

/// White space by Python's `str.isspace`.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `repr` of these in Python 3.12.
    #[test]
    fn floats_are_those_of_python() {
        let cases = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (123_456_789.125, "123456789.125"),
            (f64::INFINITY, "inf"),
        ];
        for (number, expected) in cases {
            assert_eq!(float(number), expected);
        }
    }

    #[test]
    fn texts_are_quoted_as_python_quotes_them() {
        let quoted = |text: &str| literal(&Value::from(text));
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("\"it's\""), "'\"it\\'s\"'");
        assert_eq!(
            quoted("a\u{a0}\u{200b}\u{301}é\x7f\u{1f642}\u{e0001}"),
            "'a\\xa0\\u200b\u{301}é\\x7f🙂\\U000e0001'"
        );
        assert_eq!(literal(&Value::from_object(Tuple(vec![Value::from(1)]))), "(1,)");
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = (0..10_000).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
        assert!(literal(&deep).contains("..."));
        std::mem::forget(deep);
    }
}
