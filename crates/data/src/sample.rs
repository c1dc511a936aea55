//! Samples a file of rows for display.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::rows::{Dialect, RowFile};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;

/// The most rows that are read.
const MOST_ROWS: usize = 200_000;
/// The largest file in bytes.
const LARGEST: u64 = 1 << 30;
/// The most distinct values of a label column.
const MOST_VALUES: usize = 100;
/// The most characters of a cell.
const SHOWN: usize = 400;

/// A sample of a file of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// The columns, in the order of their first occurrence.
    pub columns: Vec<SampledColumn>,
    /// The first rows, a text for each column.
    pub rows: Vec<Vec<String>>,
    /// Rows read.
    pub count: usize,
    /// Whether these are all rows.
    pub whole: bool,
    /// Rows that cannot be parsed.
    pub bad: usize,
    /// Line and error of the first of them.
    pub first_bad: Option<(usize, String)>,
    /// What was guessed about the file in one sentence, if anything.
    pub read_as: Option<String>,
}

/// A sampled column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampledColumn {
    /// Its name.
    pub name: String,
    /// Number of non-empty cells.
    pub filled: usize,
    /// Number of characters in all rows.
    pub characters: u64,
    /// Whether it holds lists or objects.
    pub nested: bool,
    /// Its values with their counts, the most frequent first; none if there are too many for labels.
    pub values: Option<Vec<(String, usize)>>,
}

/// Samples a file: its columns, and its first `rows` rows.
///
/// # Errors
/// Refuses a file that cannot be read, has no rows, or is too large.
pub fn sample(path: &Path, rows: usize, dialect: Dialect) -> Result<Sample> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > LARGEST) {
        return Err(Error::refused(format!("{} is too large to be shown here; training reads it", place(path))));
    }
    let mut sample = Sample { whole: true, ..Sample::default() };
    let mut counts: Vec<Option<HashMap<String, usize>>> = Vec::new();
    let mut file = RowFile::open(path, dialect)?;
    sample.read_as = file.read_as.take();
    let read = file.for_each(&mut |line, columns| {
        if sample.count + sample.bad >= MOST_ROWS {
            sample.whole = false;
            return Err(Error::refused(String::new()));
        }
        let columns = match columns {
            Ok(columns) => columns,
            Err(why) => {
                sample.bad += 1;
                sample.first_bad.get_or_insert((line, why));
                return Ok(());
            }
        };
        sample.count += 1;
        let keep = sample.rows.len() < rows;
        let mut row = Vec::new();
        for (name, value) in &columns {
            let known = sample.columns.iter().position(|column| column.name == *name);
            let at = known.unwrap_or_else(|| {
                sample.columns.push(SampledColumn { name: name.clone(), ..SampledColumn::default() });
                counts.push(Some(HashMap::new()));
                sample.columns.len() - 1
            });
            let text = text(value);
            let column = &mut sample.columns[at];
            column.filled += usize::from(!text.is_empty());
            column.characters += text.chars().count() as u64;
            column.nested |= matches!(value, Value::Array(_) | Value::Object(_));
            count(&mut counts[at], &text);
            if keep {
                row.resize(row.len().max(at + 1), String::new());
                row[at] = text.chars().take(SHOWN).collect();
            }
        }
        if keep {
            sample.rows.push(row);
        }
        Ok(())
    });
    if sample.whole {
        read?;
    }
    if sample.count == 0 {
        return Err(Error::refused(match &sample.first_bad {
            Some((line, why)) => format!("{}, line {line} {why}; no row of it can be read", place(path)),
            None => format!("{} holds no rows; give a file with some", place(path)),
        }));
    }
    for (column, counts) in sample.columns.iter_mut().zip(counts) {
        column.values = counts.map(|counts| {
            let mut values: Vec<(String, usize)> = counts.into_iter().collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            values
        });
    }
    sample.rows.iter_mut().for_each(|row| row.resize(sample.columns.len(), String::new()));
    Ok(sample)
}

/// Counts a value, as long as there are few distinct ones.
fn count(counts: &mut Option<HashMap<String, usize>>, text: &str) {
    let Some(known) = counts else { return };
    if let Some(count) = known.get_mut(text) {
        *count += 1;
    } else if known.len() < MOST_VALUES && text.len() <= SHOWN {
        known.insert(text.to_owned(), 1);
    } else {
        *counts = None;
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> Result<Sample> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        sample(&path, 2, Dialect::default())
    }

    #[test]
    fn columns_rows_and_values_are_sampled() {
        let sample = of("a.csv", "text,label\none two,x\nthree,y\nfour,x\nbad\n").unwrap();
        assert_eq!((sample.count, sample.bad, sample.whole), (3, 1, true));
        assert_eq!(sample.rows, [["one two", "x"], ["three", "y"]]);
        assert_eq!(sample.columns[1].values.as_deref(), Some(&[("x".to_owned(), 2), ("y".to_owned(), 1)][..]));
        assert_eq!(sample.columns[0].characters, 16);
        assert_eq!(sample.first_bad.unwrap().0, 5);
    }

    #[test]
    fn rows_need_not_have_the_same_columns() {
        let sample = of("a.jsonl", "{\"a\": 1}\n{\"b\": [true], \"a\": null}\n").unwrap();
        assert_eq!(sample.rows, [["1", ""], ["", "[true]"]]);
        assert!(sample.columns[1].nested && sample.columns[0].filled == 1);
        let mut many = String::from("a\n");
        (0..=MOST_VALUES).for_each(|number| many.push_str(&format!("{number}\n")));
        assert_eq!(of("a.csv", &many).unwrap().columns[0].values, None);
    }

    #[test]
    fn a_file_without_rows_is_refused() {
        for (name, text) in [("a.csv", ""), ("a.jsonl", "rubble\n"), ("a.txt", "x")] {
            assert!(of(name, text).is_err(), "{name}");
        }
    }
}
