//! Rows from Parquet files.

use std::path::Path;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};

use super::caught::caught;
use super::rows::{Columns, Each};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};

/// Reads the rows of a file; the first one is line 1.
pub(super) fn rows(path: &Path, bytes: Vec<u8>, each: &mut Each<'_>) -> Result<()> {
    let reader = guarded(path, None, || SerializedFileReader::new(bytes::Bytes::from(bytes)))?;
    if let Some(packing) = unknown_packing(&reader) {
        return Err(Error::refused(format!(
            "{} is packed with {packing}, which is not read here; write it with zstd, snappy, gzip, lz4 or brotli",
            place(path)
        )));
    }
    let mut rows = guarded(path, None, || reader.get_row_iter(None))?;
    let mut line = 0;
    while let Some(row) = guarded(path, Some(line + 1), || rows.next().transpose())? {
        line += 1;
        each(line, columns(row))?;
    }
    Ok(())
}

fn unknown_packing(reader: &impl FileReader) -> Option<&'static str> {
    let columns = reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
    columns.into_iter().find_map(|column| match column.compression() {
        Compression::LZO => Some("lzo"),
        _ => None,
    })
}

fn guarded<T>(
    path: &Path,
    line: Option<usize>,
    step: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> Result<T> {
    caught(step).map_err(|why| {
        let at = line.map(|line| format!(", row {line}")).unwrap_or_default();
        let why = why.trim_start_matches("Parquet error: ");
        Error::refused(format!("{}{at} cannot be read as Parquet ({why}); write the file again", place(path)))
    })
}

fn columns(row: Row) -> Columns {
    let mut columns = Map::new();
    for (name, field) in row.into_columns() {
        let value = value(&field).map_err(|why| format!("has {why} in the column {}", quoted(&name)))?;
        columns.insert(name, value);
    }
    Ok(columns)
}

/// The value as JSON; values without a JSON form become texts.
fn value(field: &Field) -> std::result::Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => Value::Bool(*flag),
        Field::Byte(number) => (*number).into(),
        Field::Short(number) => (*number).into(),
        Field::Int(number) => (*number).into(),
        Field::Long(number) => (*number).into(),
        Field::UByte(number) => (*number).into(),
        Field::UShort(number) => (*number).into(),
        Field::UInt(number) => (*number).into(),
        Field::ULong(number) => (*number).into(),
        Field::Float16(number) => float(f64::from(*number)),
        Field::Float(number) => float(f64::from(*number)),
        Field::Double(number) => float(*number),
        Field::Str(text) => Value::String(text.clone()),
        // Old writers do not mark text columns.
        Field::Bytes(bytes) => {
            Value::String(std::str::from_utf8(bytes.data()).map_err(|_| "bytes that are no text")?.to_owned())
        }
        Field::Group(row) => {
            let entries = row.get_column_iter().map(|(name, field)| Ok((name.clone(), value(field)?)));
            Value::Object(entries.collect::<std::result::Result<_, String>>()?)
        }
        Field::ListInternal(list) => {
            Value::Array(list.elements().iter().map(value).collect::<std::result::Result<_, _>>()?)
        }
        Field::MapInternal(map) => {
            let key = |field: &Field| match field {
                Field::Str(text) => text.clone(),
                other => other.to_string(),
            };
            let entries = map.entries().iter().map(|(name, field)| Ok((key(name), value(field)?)));
            Value::Object(entries.collect::<std::result::Result<_, String>>()?)
        }
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Value::String(field.to_string()),
    })
}

/// JSON has neither infinity nor NaN: they become null.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests;
