//! Files of rows, by extension.

use std::path::Path;

use serde_json::{Map, Value};

use super::quote::{place, quoted};
use super::{json, parquet, table};
use crate::error::{Error, Result};

/// A row's columns, or what is wrong with it as it stands after "line 3".
pub(super) type Columns = std::result::Result<Map<String, Value>, String>;

/// Hears each row with its line; breaks off where it fails.
pub(super) type Each<'a> = dyn FnMut(usize, Columns) -> Result<()> + 'a;

/// Reads a file of rows, in order.
///
/// # Errors
/// Refuses a file that cannot be read at all, and what `each` refuses.
pub(super) fn for_each_row(path: &Path, each: &mut Each<'_>) -> Result<()> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
    let format: fn(&Path, Vec<u8>, &mut Each<'_>) -> Result<()> = match extension.as_str() {
        "jsonl" => |_, bytes, each| json::lines(text(&bytes), each),
        "json" => |path, bytes, each| json::array(path, text(&bytes), each),
        "csv" => |path, bytes, each| table::comma_separated(path, text(&bytes), each),
        "tsv" => |path, bytes, each| table::tab_separated(path, text(&bytes), each),
        "parquet" => parquet::rows,
        "" => return Err(Error::refused(format!("{} has no extension; {SUPPORTED}", place(path)))),
        other => {
            let other = quoted(other);
            return Err(Error::refused(format!("{} is of the unsupported kind {other}; {SUPPORTED}", place(path))));
        }
    };
    let bytes = std::fs::read(path).map_err(|error| {
        Error::refused(format!(
            "cannot read the data {}: {error}; give the path of a file that can be read",
            place(path)
        ))
    })?;
    format(path, bytes, each)
}

/// The bytes without the mark that some editors put before a text.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

const SUPPORTED: &str = "rows are read from .jsonl, .json, .csv, .tsv and .parquet files";

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub type Row = (usize, std::result::Result<Value, String>);

    pub fn rows_of(name: &str, bytes: &[u8]) -> Result<Vec<Row>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut rows = Vec::new();
        for_each_row(&path, &mut |line, columns| {
            rows.push((line, columns.map(Value::Object)));
            Ok(())
        })?;
        Ok(rows)
    }

    #[test]
    fn unsupported_files_are_refused_by_name() {
        for (name, word) in [("a.xlsx", "\"xlsx\""), ("a.txt", "\"txt\""), ("a", "no extension")] {
            let error = rows_of(name, b"").unwrap_err();
            assert!(error.message().contains(word) && error.message().contains(".jsonl, .json, .csv"), "{error}");
        }
        let missing = for_each_row(Path::new("/nowhere/a.csv"), &mut |_, _| Ok(())).unwrap_err();
        assert!(missing.message().contains("/nowhere/a.csv"), "{missing}");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_column() {
        for (name, text) in [("a.csv", "text\nx\n"), ("a.jsonl", "{\"text\":\"x\"}"), ("A.JSON", "[{\"text\":\"x\"}]")]
        {
            let rows = rows_of(name, format!("\u{feff}{text}").as_bytes()).unwrap();
            assert_eq!(rows[0].1.as_ref().unwrap(), &serde_json::json!({"text": "x"}), "{name}");
        }
    }
}
