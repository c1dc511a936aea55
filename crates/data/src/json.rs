//! Rows in JSON: one object per line, or one array of objects.

use std::path::Path;

use serde_json::{Deserializer, Map, Value};

use super::long_numbers::quote_long_numbers;
use super::rows::{Columns, Each};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

/// Reads JSON lines. Blank lines are skipped.
pub(super) fn lines(bytes: &[u8], each: &mut Each<'_>) -> Result<()> {
    let bytes = quote_long_numbers(bytes);
    for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if !line.is_empty() {
            each(at + 1, row(line))?;
        }
    }
    Ok(())
}

fn row(line: &[u8]) -> Columns {
    let text =
        std::str::from_utf8(line).map_err(|error| format!("is not UTF-8 at byte {}", error.valid_up_to() + 1))?;
    let value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {}", reason(&error)))?;
    object(value)
}

fn object(value: Value) -> Columns {
    let kind = match value {
        Value::Object(columns) => return Ok(columns),
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
    };
    Err(format!("is {kind}, not an object with columns"))
}

/// serde's reason with the column, but without its line, which is relative to the parsed text.
fn reason(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let why = whole.split(" at line ").next().unwrap_or(&whole);
    format!("{} at column {}", one_line(why), error.column())
}

/// Whether a text is JSON lines rather than an array: its first non-blank line is a complete object.
pub(super) fn is_lines(bytes: &[u8]) -> bool {
    let first = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    first.is_some_and(|line| line.starts_with(b"{") && serde_json::from_slice::<Map<String, Value>>(line).is_ok())
}

/// Reads an array of objects element by element, so that each has a line number.
pub(super) fn array(path: &Path, bytes: &[u8], each: &mut Each<'_>) -> Result<()> {
    let bytes = &*quote_long_numbers(bytes);
    let mut cursor = Cursor { bytes, at: 0, counted: 0, line: 1 };
    let refuse = |cursor: &mut Cursor<'_>, why: &str, at: usize| {
        let line = cursor.line_at(at);
        Err(Error::refused(format!(
            "{}, line {line}: {why}; a .json file holds one array of objects, or one object a line",
            place(path)
        )))
    };
    if cursor.next_byte() != Some(b'[') {
        let at = cursor.at;
        return refuse(&mut cursor, "there is no array", at);
    }
    cursor.at += 1;
    if cursor.next_byte() == Some(b']') {
        return Ok(());
    }
    loop {
        cursor.next_byte();
        let start = cursor.at;
        let line = cursor.line_at(start);
        let mut stream = Deserializer::from_slice(&bytes[start..]).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => each(line, object(value))?,
            Some(Err(error)) => {
                let here = line + error.line().saturating_sub(1);
                let whole = error.to_string();
                let why = one_line(whole.split(" at line ").next().unwrap_or(&whole));
                cursor.line = here;
                cursor.counted = bytes.len();
                return refuse(&mut cursor, &why, bytes.len());
            }
            None => return refuse(&mut cursor, "the array does not end", bytes.len()),
        }
        cursor.at = start + stream.byte_offset();
        match cursor.next_byte() {
            Some(b',') => cursor.at += 1,
            Some(b']') => return Ok(()),
            Some(_) => {
                let at = cursor.at;
                return refuse(&mut cursor, "a comma or the array's end is missing", at);
            }
            None => return refuse(&mut cursor, "the array does not end", bytes.len()),
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes whose line ends are included in `line`.
    counted: usize,
    line: usize,
}

impl Cursor<'_> {
    /// Moves to the next byte that is not white space, and returns it.
    fn next_byte(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn line_at(&mut self, at: usize) -> usize {
        self.line += self.bytes[self.counted..at].split(|&byte| byte == b'\n').count() - 1;
        self.counted = at;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::rows::tests::rows_of;

    #[test]
    fn good_and_bad_lines_with_their_numbers() {
        let text = b"{\"text\":\"a\"}\r\n\n[1]\n{\"text\": \nno\n{\"text\":\"\xff\"}\n\"x\"\n{\"text\":\"b\"}";
        let rows = rows_of("a.jsonl", text).unwrap();
        let good: Vec<usize> = rows.iter().filter(|row| row.1.is_ok()).map(|row| row.0).collect();
        assert_eq!(good, [1, 8]);
        let bad: Vec<String> =
            rows.into_iter().filter_map(|(line, row)| Some(format!("line {line} {}", row.err()?))).collect();
        insta::assert_snapshot!(bad.join("\n"), @r"
        line 3 is a list, not an object with columns
        line 4 is not JSON: EOF while parsing a value at column 8
        line 5 is not JSON: expected ident at column 2
        line 6 is not UTF-8 at byte 10
        line 7 is a text, not an object with columns
        ");
    }

    #[test]
    fn an_array_keeps_its_lines() {
        let rows = rows_of("a.json", b"[\n {\"text\": \"a\"},\n\n 5, {\"text\":\n \"b\"}\n]\n").unwrap();
        assert_eq!(rows[0], (2, Ok(json!({"text": "a"}))));
        assert_eq!(rows[1], (4, Err("is a number, not an object with columns".into())));
        assert_eq!(rows[2], (4, Ok(json!({"text": "b"}))));
        assert!(rows_of("a.json", b" [ ] ").unwrap().is_empty());
    }

    #[test]
    fn an_object_a_line_is_no_array_whatever_the_extension_says() {
        let rows = rows_of("a.json", b"\n{\"text\": \"a\"}\n\nno\n{\"text\": \"b\"}\n").unwrap();
        assert_eq!(rows[0], (2, Ok(json!({"text": "a"}))));
        assert!(rows[1].0 == 4 && rows[1].1.is_err());
        assert_eq!(rows[2], (5, Ok(json!({"text": "b"}))));
        assert_eq!(rows_of("a.ndjson", b"{\"text\": \"a\"}").unwrap().len(), 1);
    }

    #[test]
    fn a_malformed_array_is_refused_with_its_line() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "line 1: there is no array"),
            (b"\n{\"text\":\n1}", "line 2: there is no array"),
            (b"[\n{},\n{\"a\" 1}]", "line 3: expected"),
            (b"[\n{}\n{}]", "line 3: a comma"),
            (b"[{},\n", "line 2: the array does not end"),
            (b"[{}\n", "line 2: the array does not end"),
        ];
        for (bytes, expected) in cases {
            let error = rows_of("a.json", bytes).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }

    #[test]
    fn deep_nesting_is_a_bad_row_and_no_crash() {
        let deep = "[".repeat(200_000);
        assert!(rows_of("a.jsonl", deep.as_bytes()).unwrap()[0].1.is_err());
        assert!(rows_of("a.json", deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), like in "[\\[\\]{},:\"a1\n ]{0,60}") {
            for name in ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet"] {
                let _ = rows_of(name, &bytes);
                let _ = rows_of(name, like.as_bytes());
            }
        }
    }
}
