//! Compares with what pandas reads from the same files (`tests/golden/make_tables.py`).

use std::path::PathBuf;

use serde_json::Value;

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data/tables").join(name)
}

fn read(name: &str, dialect: Dialect) -> Vec<Value> {
    let mut rows = Vec::new();
    let path = golden(name);
    let file = RowFile::open(&path, dialect).unwrap();
    file.for_each(&mut |_, columns| {
        rows.push(Value::Object(columns.unwrap()));
        Ok(())
    })
    .unwrap();
    rows
}

#[test]
fn every_file_is_read_as_pandas_reads_it() {
    let files: Value = serde_json::from_slice(&std::fs::read(golden("read.json")).unwrap()).unwrap();
    let files = files.as_object().unwrap();
    for (name, expected) in files {
        let word = |field: &str| expected["named"][field].as_str().unwrap_or("auto").to_owned();
        let data = Data { delimiter: word("delimiter"), encoding: word("encoding"), ..Data::default() };
        assert_eq!(Value::Array(read(name, Dialect::of(&data))), expected["rows"], "{name}");
    }
    let guessed = files.values().filter(|file| file["named"].is_null()).count();
    assert!(guessed >= 17 && files.len() >= guessed + 5, "{guessed} of {}", files.len());
}
