//! Reads files of rows, by extension.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value};

use super::encoding::{Text, decode};
use super::open_file::{NOT_OPEN, is_open_file};
use super::packing::{PACKINGS, Packing};
use super::table::Fields;
use super::{json, parquet, table};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};
use spartui_facts::recipe::{self, Data, TextEncoding};

/// A row's columns, or its error as it reads after "line 3".
pub(super) type Columns = std::result::Result<Map<String, Value>, String>;

/// Gets each row with its line; an error stops the reading.
pub(super) type Each<'a> = dyn FnMut(usize, Columns) -> Result<()> + 'a;

/// A format of rows.
struct Format {
    extensions: &'static [&'static str],
    /// Whether its bytes are text in some encoding.
    is_text: bool,
    /// The reader of its decoded bytes.
    reader: fn(&[u8], Dialect) -> Reader,
}

/// A reader of rows.
struct Reader {
    rows: Box<Rows>,
    /// The delimiter, if it was guessed and is unusual.
    between: Option<Fields>,
}

/// Reads all rows from a file with this name and these bytes.
type Rows = dyn FnOnce(&Path, Vec<u8>, &mut Each<'_>) -> Result<()>;

/// The table of formats: a new one is a row here, and its file.
static FORMATS: [Format; 5] = [
    Format { extensions: &["jsonl", "ndjson"], is_text: true, reader: |_, _| lines() },
    // An array of objects, or an object on each line.
    Format {
        extensions: &["json"],
        is_text: true,
        reader: |bytes, _| {
            if json::is_lines(bytes) {
                lines()
            } else {
                Reader::of(|path, bytes, each| json::array(path, &bytes, each))
            }
        },
    },
    Format { extensions: &["csv"], is_text: true, reader: |bytes, dialect| fields(bytes, dialect, Fields::COMMAS) },
    Format { extensions: &["tsv"], is_text: true, reader: |bytes, dialect| fields(bytes, dialect, Fields::TABS) },
    Format { extensions: &["parquet"], is_text: false, reader: |_, _| Reader::of(parquet::rows) },
];

impl Reader {
    fn of(rows: impl FnOnce(&Path, Vec<u8>, &mut Each<'_>) -> Result<()> + 'static) -> Self {
        Self { rows: Box::new(rows), between: None }
    }
}

/// An object on each line.
fn lines() -> Reader {
    Reader::of(|_, bytes, each| json::lines(&bytes, each))
}

/// A reader of separated fields: the delimiter is that of the dialect, else guessed from the file, else the usual one.
fn fields(bytes: &[u8], dialect: Dialect, usual: Fields) -> Reader {
    let fields = dialect.delimiter.map_or_else(|| table::guess(bytes, usual), |named| usual.between(named));
    let is_odd = dialect.delimiter.is_none() && fields != usual;
    let reader = Reader::of(move |path, bytes, each| table::rows(path, &bytes, fields, each));
    Reader { between: is_odd.then_some(fields), ..reader }
}

/// Whether rows can be read from a file with this name.
#[must_use]
pub fn holds_rows(name: &Path) -> bool {
    matches!(format_of(name), Ok((_, Some(_))))
}

/// Compression and format of a file name; for an unknown format, the extension.
fn format_of(name: &Path) -> std::result::Result<(Option<Packing>, Option<&'static Format>), String> {
    let extension =
        |path: &Path| path.extension().map(|found| found.to_string_lossy().to_lowercase()).unwrap_or_default();
    let outer = extension(name);
    let packing = PACKINGS.iter().find(|(packed, _)| *packed == outer).map(|(_, packing)| *packing);
    let kind = if packing.is_some() { extension(&name.with_extension("")) } else { outer };
    match FORMATS.iter().find(|format| format.extensions.contains(&kind.as_str())) {
        Some(format) => Ok((packing, Some(format))),
        None if kind.is_empty() => Ok((packing, None)),
        None => Err(kind),
    }
}

/// A recipe's format options; by default everything is guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// The delimiter between fields.
    delimiter: Option<u8>,
    encoding: Option<TextEncoding>,
}

impl Dialect {
    /// The options in a recipe.
    #[must_use]
    pub fn of(data: &Data) -> Self {
        // Invalid values have been refused with the recipe.
        let delimiter = recipe::delimiter(&data.delimiter).unwrap_or_default();
        Self { delimiter, encoding: recipe::encoding(&data.encoding).unwrap_or_default() }
    }
}

/// A file of rows, read into memory, decompressed and decoded.
pub(super) struct RowFile<'a> {
    path: &'a Path,
    bytes: Vec<u8>,
    rows: Box<Rows>,
    /// What was guessed about it in one sentence, if anything.
    pub read_as: Option<String>,
}

impl<'a> RowFile<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// Refuses a file that cannot be read at all.
    pub fn open(path: &'a Path, dialect: Dialect) -> Result<Self> {
        // A missing file is reported before its format is.
        std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        let (packing, format) = match format_of(path) {
            Ok((packing, Some(format))) => (packing, format),
            Ok((_, None)) => {
                return Err(Error::refused(format!("{} has no extension of a format; {}", place(path), supported())));
            }
            Err(other) => {
                let other = quoted(&other);
                return Err(Error::refused(format!(
                    "{} is of the unsupported kind {other}; {}",
                    place(path),
                    supported()
                )));
            }
        };
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let bytes = match packing {
            Some(packing) => packing.unpack(path, &bytes)?,
            None => bytes,
        };
        let Text { bytes, read_as } =
            if format.is_text { decode(path, bytes, dialect.encoding)? } else { Text { bytes, read_as: None } };
        let Reader { rows, between } = (format.reader)(&bytes, dialect);
        let between = between.map(|fields| format!("with {} between the fields", fields.shown()));
        let field = match (&read_as, &between) {
            (None, None) => return Ok(Self { path, bytes, rows, read_as: None }),
            (Some(_), None) => "data.encoding names another encoding",
            (None, Some(_)) => "data.delimiter names another character",
            (Some(_), Some(_)) => "data.encoding and data.delimiter name others",
        };
        let file = quoted(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
        let encoding = read_as.map(|encoding| format!("as {encoding}"));
        let how: Vec<String> = encoding.into_iter().chain(between).collect();
        let read_as = Some(format!("{file} is read {}; {field}", how.join(", ")));
        Ok(Self { path, bytes, rows, read_as })
    }

    /// Calls `each` for every row, in order.
    ///
    /// # Errors
    /// Refuses a file that is damaged as a whole, and passes on errors of `each`.
    pub fn for_each(self, each: &mut Each<'_>) -> Result<()> {
        (self.rows)(self.path, self.bytes, each)
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let why =
        if error.kind() == ErrorKind::NotFound && is_open_file(path) { NOT_OPEN.to_owned() } else { error.to_string() };
    Error::refused(format!("cannot read the data {}: {why}; give the path of a file that can be read", place(path)))
}

/// What rows are read from, as it stands behind a semicolon.
fn supported() -> String {
    let known: Vec<String> =
        FORMATS.iter().flat_map(|format| format.extensions).map(|extension| format!(".{extension}")).collect();
    let (last, others) = known.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    let packed: Vec<String> = PACKINGS.iter().map(|(extension, _)| format!(".{extension}")).collect();
    format!("rows are read from {} and {last} files, which may be packed ({})", others.join(", "), packed.join(", "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub type Row = (usize, std::result::Result<Value, String>);

    pub fn rows_of(name: &str, bytes: &[u8]) -> Result<Vec<Row>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut rows = Vec::new();
        RowFile::open(&path, Dialect::default())?.for_each(&mut |line, columns| {
            rows.push((line, columns.map(Value::Object)));
            Ok(())
        })?;
        Ok(rows)
    }

    /// The remark on how a file was read.
    fn read_as(name: &str, bytes: &[u8], data: &Data) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        RowFile::open(&path, Dialect::of(data)).unwrap().read_as
    }

    #[test]
    fn unsupported_files_are_refused_by_name() {
        for (name, word) in [
            ("a.xlsx", "\"xlsx\""),
            ("a.txt", "\"txt\""),
            ("a", "no extension"),
            ("a.gz", "no ext"),
            ("a.xlsx.gz", "xlsx"),
        ] {
            let error = rows_of(name, b"").unwrap_err();
            assert!(
                error.message().contains(word) && error.message().contains(".jsonl, .ndjson, .json, .csv"),
                "{error}"
            );
        }
        let missing = RowFile::open(Path::new("/nowhere/a.csv"), Dialect::default()).err().unwrap();
        assert!(missing.message().contains("/nowhere/a.csv"), "{missing}");
        for name in ["/dev/fd/987", "/nowhere/a", "/nowhere/a.xlsx"] {
            let missing = RowFile::open(Path::new(name), Dialect::default()).err().unwrap();
            assert!(missing.message().starts_with(&format!("cannot read the data {name}: ")), "{missing}");
            assert_eq!(missing.message().contains(NOT_OPEN), name.starts_with("/dev"), "{missing}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_column() {
        for (name, text) in [("a.csv", "text\nx\n"), ("a.jsonl", "{\"text\":\"x\"}"), ("A.JSON", "[{\"text\":\"x\"}]")]
        {
            let rows = rows_of(name, format!("\u{feff}{text}").as_bytes()).unwrap();
            assert_eq!(rows[0].1.as_ref().unwrap(), &serde_json::json!({"text": "x"}), "{name}");
        }
    }

    #[test]
    fn names_of_files_with_rows() {
        for name in ["a.jsonl", "A.NDJSON", "b.json.gz", "c.csv.zst", "d.e.tsv", "f.parquet"] {
            assert!(holds_rows(Path::new(name)), "{name}");
        }
        for name in ["a", "a.gz", "a.txt.gz", "csv", "a.jsonl.bak"] {
            assert!(!holds_rows(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_guess_is_reported_and_a_named_format_is_not() {
        let data = Data::default();
        assert_eq!(read_as("a.csv", b"text,label\nx,y\n", &data), None);
        insta::assert_snapshot!(read_as("a.csv", b"text;label\nna\xefve;y\n", &data).unwrap(), @r#""a.csv" is read as windows-1252, since it is not valid UTF-8 (as in "naïve"), with ";" between the fields; data.encoding and data.delimiter name others"#);
        insta::assert_snapshot!(read_as("a.csv", b"text\tlabel\nx\ty\n", &data).unwrap(), @r#""a.csv" is read with tabs between the fields; data.delimiter names another character"#);
        let named = Data { delimiter: ";".into(), encoding: "latin-1".into(), ..Data::default() };
        assert_eq!(read_as("a.csv", b"text;label\nna\xefve;y\n", &named), None);
    }
}

#[cfg(test)]
mod golden;
