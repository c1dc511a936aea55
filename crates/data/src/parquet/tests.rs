use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::rows::tests::rows_of;
use super::super::rows::{Dialect, RowFile};
use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data").join(name)
}

fn read(name: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    RowFile::open(&golden(name), Dialect::default())?.for_each(&mut |line, columns| {
        assert_eq!(line, rows.len() + 1);
        rows.push(Value::Object(columns.unwrap()));
        Ok(())
    })?;
    Ok(rows)
}

fn expected() -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(golden("rows.json")).unwrap()).unwrap()
}

#[test]
fn rows_are_those_that_were_written() {
    for name in ["pandas", "none", "snappy", "zstd", "gzip", "lz4", "brotli", "v2"] {
        assert_eq!(read(&format!("{name}.parquet")).unwrap(), expected(), "{name}");
    }
    assert_eq!(read("empty.parquet").unwrap(), Vec::<Value>::new());
}

#[test]
fn narrow_numbers_and_long_texts() {
    let columns = |row: &Value| json!({"text": row["text"], "place": row["place"], "share": row["share"]});
    let expected: Vec<Value> = expected().iter().map(columns).collect();
    assert_eq!(read("narrow.parquet").unwrap(), expected);
}

#[test]
fn unmarked_texts_are_texts() {
    let expected: Vec<Value> = expected().iter().map(|row| json!({"text": row["text"]})).collect();
    assert_eq!(read("bytes.parquet").unwrap(), expected);
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    for bytes in [&b""[..], b"PAR1", b"PAR1PAR1", b"PAR1\xff\xff\xff\x7fPAR1", b"{\"text\":\"x\"}"] {
        let error = rows_of("a.parquet", bytes).unwrap_err();
        assert!(error.message().contains("a.parquet cannot be read as Parquet (") && !error.message().contains('\n'));
    }
}

/// The bytes with one damaged, by a stateless generator: the same on every run.
fn damaged(whole: &[u8], attempt: u64) -> Vec<u8> {
    let draw = spartui_facts::permutation::derive_key(attempt, "damage", "");
    let mut bytes = whole.to_vec();
    // The last bytes describe the file; half of the damage is done there.
    let from = if draw & 1 == 0 { 0 } else { bytes.len() * 2 / 3 };
    let at = from + usize::try_from(draw >> 20).unwrap() % (bytes.len() - from);
    match draw >> 1 & 3 {
        0 => bytes.truncate(at),
        1 => bytes[at] = 0xff,
        _ => bytes[at] ^= 1 << (draw >> 3 & 7),
    }
    bytes
}

#[test]
fn damaged_files_never_panic() {
    let (mut read, mut refused) = (0, 0);
    for name in ["pandas", "zstd", "snappy", "gzip", "brotli", "v2", "narrow", "bytes"] {
        let whole = std::fs::read(golden(&format!("{name}.parquet"))).unwrap();
        for attempt in 0..rounds() {
            match rows_of("a.parquet", &damaged(&whole, attempt)) {
                Ok(_) => read += 1,
                Err(error) => {
                    refused += 1;
                    assert!(!error.message().contains('\n'), "{error}");
                }
            }
        }
    }
    assert!(refused > 200 && read > 0, "{refused} {read}");
}

fn rounds() -> u64 {
    std::env::var("SPARTUI_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60)
}
