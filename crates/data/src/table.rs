//! Reads delimited text with a header.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::rows::{Columns, Each};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};

/// The format of delimited fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields {
    between: u8,
    /// Whether fields with delimiters, quotation marks or line ends are in quotation marks (RFC 4180).
    quoting: bool,
    /// Whether the file type is tab-separated without quoting.
    of_tabs: bool,
}

impl Fields {
    /// Comma-separated fields.
    pub const COMMAS: Self = Self { between: b',', quoting: true, of_tabs: false };
    /// Tab-separated fields. Quotes are plain characters: this format cannot represent a tab or a line end in a field,
    /// and data sets that use it (GLUE's) contain unpaired quotation marks.
    pub const TABS: Self = Self { between: b'\t', quoting: false, of_tabs: true };

    /// The same with another delimiter.
    #[must_use]
    pub fn between(self, between: u8) -> Self {
        Self { between, quoting: !(self.of_tabs && between == b'\t'), ..self }
    }

    /// The name of the delimiter, for messages.
    pub fn shown(self) -> String {
        if self.between == b'\t' { "tabs".into() } else { quoted(&char::from(self.between).to_string()) }
    }

    fn reader(self, bytes: &[u8]) -> csv::Reader<&[u8]> {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.between).quoting(self.quoting).flexible(true).has_headers(false);
        builder.from_reader(bytes)
    }
}

/// Possible delimiters.
const BETWEEN: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The most rows used for a guess.
const LOOKED_AT: usize = 100;

/// Guesses the delimiter of a file: the one that splits the header, and the most of the first rows into as many
/// fields; the usual one if none is better.
pub(super) fn guess(bytes: &[u8], usual: Fields) -> Fields {
    let fit = |fields: Fields| {
        let mut rows = fields.reader(bytes).into_byte_records().take(LOOKED_AT + 1).map_while(std::result::Result::ok);
        let header = rows.next().map_or(0, |header| header.len());
        let (mut all, mut alike) = (0usize, 0usize);
        rows.for_each(|row| {
            all += 1;
            alike += usize::from(row.len() == header);
        });
        // In hundredths; a header without rows counts as a full match.
        if header < 2 { None } else { Some((alike * 100).checked_div(all).unwrap_or(100)) }
    };
    let others = BETWEEN.into_iter().filter(|between| *between != usual.between).map(|between| usual.between(between));
    let mut best = (fit(usual), usual);
    for fields in others {
        let fits = fit(fields);
        if fits > best.0 {
            best = (fits, fields);
        }
    }
    best.1
}

/// Reads rows with a header.
pub(super) fn rows(path: &Path, bytes: &[u8], fields: Fields, each: &mut Each<'_>) -> Result<()> {
    let Fields { between: delimiter, quoting, .. } = fields;
    let mut reader = fields.reader(bytes);
    let refuse = |why: String| Error::refused(format!("{}, line 1: {why}", place(path)));
    let unreadable = |error: csv::Error| refuse(format!("{}; fix the file", one_line(&error.to_string())));
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(unreadable)? {
        return Ok(());
    }
    let header = header(&record).map_err(refuse)?;
    let mut before = reader.position().clone();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        let after = reader.position().clone();
        let span = usize::try_from(before.byte()).ok().zip(usize::try_from(after.byte()).ok());
        let raw = span.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default();
        let line = usize::try_from(before.line()).unwrap_or(usize::MAX).saturating_add(line_ends_before(raw));
        let last = after.byte() >= bytes.len() as u64;
        let open = last && quoting && ends_in_quotes(raw, delimiter, record.len());
        each(
            line,
            if open { Err("opens a quotation mark that is never closed".into()) } else { row(&header, &record) },
        )?;
        before = after;
    }
    Ok(())
}

/// Blank lines, and the second half of the previous row's line end.
fn line_ends_before(raw: &[u8]) -> usize {
    raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|&&byte| byte == b'\n').count()
}

/// Whether a last row with this many fields ends inside quotation marks, which the library does not report: then
/// another delimiter adds no field.
fn ends_in_quotes(raw: &[u8], delimiter: u8, fields: usize) -> bool {
    let mut longer = raw.trim_ascii().to_vec();
    longer.push(delimiter);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(&*longer);
    let mut record = ByteRecord::new();
    matches!(reader.read_byte_record(&mut record), Ok(true)) && record.len() == fields
}

fn header(record: &ByteRecord) -> std::result::Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for field in record {
        let name = std::str::from_utf8(field)
            .map_err(|_| "the header is not UTF-8; name its encoding in data.encoding".to_owned())?;
        if names.iter().any(|known| known == name) {
            return Err(format!("the header has the column {} twice; rename one", quoted(name)));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn row(header: &[String], record: &ByteRecord) -> Columns {
    if record.len() != header.len() {
        return Err(format!("has {} fields where the header has {}", record.len(), header.len()));
    }
    let mut columns = Map::new();
    for (name, field) in header.iter().zip(record) {
        let text = std::str::from_utf8(field).map_err(|_| format!("is not UTF-8 in the column {}", quoted(name)))?;
        columns.insert(name.clone(), Value::String(text.to_owned()));
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::rows::tests::rows_of;
    use super::*;

    #[test]
    fn quotes_line_ends_and_line_numbers() {
        let text = "text,label\r\n\"a, \"\"b\"\"\r\nc\",x\r\n\r\nd,y\r\ne,z,more\r\nf,g\"\r\n";
        let rows = rows_of("a.csv", text.as_bytes()).unwrap();
        assert_eq!(rows[0], (2, Ok(json!({"text": "a, \"b\"\r\nc", "label": "x"}))));
        assert_eq!(rows[1], (5, Ok(json!({"text": "d", "label": "y"}))));
        assert_eq!(rows[2], (6, Err("has 3 fields where the header has 2".into())));
        assert_eq!(rows[3], (7, Ok(json!({"text": "f", "label": "g\""}))));
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn a_quote_that_never_closes_does_not_swallow_rows_in_silence() {
        let rows = rows_of("a.csv", b"label,text\nx,fine\ny,\"open\nz,lost\n").unwrap();
        assert_eq!(rows[1], (3, Err("opens a quotation mark that is never closed".into())));
        let closed = rows_of("a.csv", b"label,text\nx,\"fine\"").unwrap();
        assert!(closed[0].1.is_ok());
    }

    #[test]
    fn tabs_need_no_quotes() {
        let rows = rows_of("a.tsv", b"text\tlabel\n\"Odd, he said\tx\nplain\ty").unwrap();
        assert_eq!(rows[0], (2, Ok(json!({"text": "\"Odd, he said", "label": "x"}))));
        assert_eq!(rows[1], (3, Ok(json!({"text": "plain", "label": "y"}))));
    }

    #[test]
    fn delimiters_are_guessed_from_header_and_rows() {
        let of = |text: &str, usual: Fields| guess(text.as_bytes(), usual).between;
        assert_eq!(of("text;label\nfine, really;x\n", Fields::COMMAS), b';');
        assert_eq!(of("text\tlabel\na, b; c\tx\n", Fields::COMMAS), b'\t');
        assert_eq!(of("text|label\na|x\n", Fields::COMMAS), b'|');
        assert_eq!(of("text,label\na;b,x\n", Fields::TABS), b',');
        // Both split the header: the rows decide.
        assert_eq!(of("text, or title;label\none;x\ntwo;y\n", Fields::COMMAS), b';');
        // None does, and rows with more fields do not count.
        assert_eq!(of("text\na;b\nc;d\n", Fields::COMMAS), b',');
        assert_eq!(of("", Fields::TABS), b'\t');
        let rows = rows_of("a.csv", b"label;text\nx;\"one; \"\"two\"\"\nthree\"\ny;plain\n").unwrap();
        assert_eq!(rows[0], (2, Ok(json!({"label": "x", "text": "one; \"two\"\nthree"}))));
        assert_eq!(rows[1], (4, Ok(json!({"label": "y", "text": "plain"}))));
    }

    #[test]
    fn bad_encodings_and_headers_are_named() {
        let rows = rows_of("a.csv", b"text,label\n\xff,x\n").unwrap();
        assert_eq!(rows[0], (2, Err("is not UTF-8 in the column \"text\"".into())));
        let twice = rows_of("a.csv", b"text,text\n").unwrap_err();
        assert!(twice.message().contains("\"text\" twice"), "{twice}");
        assert!(rows_of("a.csv", b"\xff\n").unwrap_err().message().contains("not UTF-8"));
        assert!(rows_of("a.csv", b"").unwrap().is_empty());
    }
}
