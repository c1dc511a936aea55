//! Decodes text files to UTF-8.

use std::path::Path;

use encoding_rs::{DecoderResult, UTF_16BE, UTF_16LE, WINDOWS_1252};

use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};
use spartui_facts::recipe::TextEncoding;

/// A text in UTF-8, except for damaged rows of a file in UTF-8.
pub(super) struct Text {
    pub bytes: Vec<u8>,
    /// The source encoding as it reads after "is read as", if it was guessed.
    pub read_as: Option<String>,
}

/// Decodes a text. A byte order mark decides, else the recipe, else the bytes: UTF-8 if valid or nearly so, UTF-16 if
/// every other byte is zero, else windows-1252.
///
/// # Errors
/// Refuses malformed text, with its line; damaged rows of a file in UTF-8 are left to its reader.
pub(super) fn decode(path: &Path, bytes: Vec<u8>, named: Option<TextEncoding>) -> Result<Text> {
    if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
        return Err(Error::refused(format!("{} is in UTF-32, which is not read here; save it as UTF-8", place(path))));
    }
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Ok(Text { bytes: rest.to_vec(), read_as: None });
    }
    for (mark, encoding) in [(b"\xff\xfe", UTF_16LE), (b"\xfe\xff", UTF_16BE)] {
        // Two bytes alone are not a text in UTF-16; neither is an odd number of them, unless the file was cut off in a
        // character.
        let is_text = |rest: &&[u8]| rest.len() > 1 && (rest.len().is_multiple_of(2) || is_cut_off(rest, encoding));
        if let Some(rest) = bytes.strip_prefix(mark).filter(is_text) {
            let text = strictly(path, rest, TextEncoding::Other(encoding))?;
            return Ok(Text { bytes: text, read_as: Some(format!("{} by its byte order mark", encoding.name())) });
        }
    }
    match named {
        Some(TextEncoding::Utf8) => Ok(Text { bytes, read_as: None }),
        Some(encoding) => Ok(Text { bytes: strictly(path, &bytes, encoding)?, read_as: None }),
        None => guessed(path, bytes),
    }
}

fn guessed(path: &Path, bytes: Vec<u8>) -> Result<Text> {
    if let Some(encoding) = without_mark(&bytes) {
        let text = strictly(path, &bytes, TextEncoding::Other(encoding))?;
        let read_as = format!("{}, since every other byte is zero", encoding.name());
        return Ok(Text { bytes: text, read_as: Some(read_as) });
    }
    if std::str::from_utf8(&bytes).is_ok() || !is_western(&bytes) {
        return Ok(Text { bytes, read_as: None });
    }
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(&bytes);
    let example = quoted(first_foreign_word(&text));
    let read_as = format!("{}, since it is not valid UTF-8 (as in {example})", WINDOWS_1252.name());
    Ok(Text { bytes: text.into_owned().into_bytes(), read_as: Some(read_as) })
}

/// Detects UTF-16 that is mostly ASCII: nearly every byte at even or odd positions is zero, and hardly any at the
/// others.
fn without_mark(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let zero = |from: usize| bytes.iter().skip(from).step_by(2).filter(|&&byte| byte == 0).count();
    let pairs = bytes.len() / 2;
    if pairs == 0 || !bytes.contains(&0) {
        return None;
    }
    let (most, few) = (pairs - pairs / 4, pairs / 50);
    match (zero(0), zero(1)) {
        (first, second) if second >= most && first <= few => Some(UTF_16LE),
        (first, second) if first >= most && second <= few => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether bytes that are not valid UTF-8 can be windows-1252. Not if most non-ASCII characters are valid UTF-8: then
/// some rows are damaged, and the others shall not be changed; not if a byte is unassigned there, or does not occur in
/// texts; and not if all non-ASCII bytes are 0xFF, as in files that are not text.
fn is_western(bytes: &[u8]) -> bool {
    let (mut valid, mut invalid) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        invalid += usize::from(!chunk.invalid().is_empty());
    }
    let stands_for_nothing =
        |byte: u8| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d | 0..=8 | 0x0b | 0x0e..=0x1f | 0x7f);
    let high = || bytes.iter().copied().filter(|byte| !byte.is_ascii());
    valid < invalid && !bytes.iter().copied().any(stands_for_nothing) && high().any(|byte| byte != 0xff)
}

/// The word around the first non-ASCII character, which shows whether a guess is right.
fn first_foreign_word(text: &str) -> &str {
    let at = text.find(|character: char| !character.is_ascii()).unwrap_or(0);
    let (before, after) = text.split_at(at);
    let inside = |character: char| character.is_alphanumeric() || (!character.is_ascii() && !character.is_whitespace());
    let start = before.rfind(|character| !inside(character)).map_or(0, |end| end + 1);
    let end = after.find(|character| !inside(character)).unwrap_or(after.len());
    &text[start..at + end]
}

/// Whether an odd number of bytes is a text in UTF-16 that was cut off: one that is valid except for its last byte.
fn is_cut_off(bytes: &[u8], encoding: &'static encoding_rs::Encoding) -> bool {
    let whole = bytes.split_last().map_or(bytes, |(_, whole)| whole);
    encoding.decode_without_bom_handling_and_without_replacement(whole).is_some()
}

/// Decodes a text, rejecting any malformed byte.
fn strictly(path: &Path, bytes: &[u8], encoding: TextEncoding) -> Result<Vec<u8>> {
    let encoding = match encoding {
        TextEncoding::Utf8 => return Ok(bytes.to_vec()),
        TextEncoding::Latin1 => return Ok(encoding_rs::mem::decode_latin1(bytes).into_owned().into_bytes()),
        TextEncoding::Other(encoding) => encoding,
    };
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let too_large = || Error::refused(format!("{} is too large to be decoded; split it", place(path)));
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).ok_or_else(too_large)?;
    let mut text = String::with_capacity(room);
    let (mut outcome, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, false);
    let valid = outcome == DecoderResult::InputEmpty;
    if valid {
        (outcome, _) = decoder.decode_to_string_without_replacement(&[], &mut text, true);
        if outcome == DecoderResult::InputEmpty {
            text.shrink_to_fit();
            return Ok(text.into_bytes());
        }
    }
    let line = 1 + text.matches('\n').count();
    let name = encoding.name();
    if valid {
        return Err(Error::refused(format!(
            "{}, line {line} ends within a character of {name}: the file was cut off, or is in another encoding; copy it again, \
             or name its encoding in data.encoding",
            place(path)
        )));
    }
    Err(Error::refused(format!(
        "{}, line {line} is not valid {name}; name the encoding of the file in data.encoding, or save it as UTF-8",
        place(path)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], named: Option<TextEncoding>) -> Result<(String, Option<String>)> {
        let text = decode(Path::new("a.csv"), bytes.to_vec(), named)?;
        Ok((String::from_utf8_lossy(&text.bytes).into_owned(), text.read_as))
    }

    fn utf16(text: &str, little: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn marks_decide_whatever_is_named() {
        let latin = Some(TextEncoding::Latin1);
        assert_eq!(of(b"\xef\xbb\xbfna\xc3\xafve", latin).unwrap(), ("naïve".into(), None));
        let little = [&b"\xff\xfe"[..], &utf16("naïve 漢字", true)].concat();
        assert_eq!(of(&little, latin).unwrap(), ("naïve 漢字".into(), Some("UTF-16LE by its byte order mark".into())));
        let big = [&b"\xfe\xff"[..], &utf16("naïve 漢字", false)].concat();
        assert_eq!(of(&big, None).unwrap().0, "naïve 漢字");
        assert!(of(b"\xff\xfe\0\0t\0\0\0", None).unwrap_err().message().contains("UTF-32"));
    }

    #[test]
    fn utf_16_is_known_without_its_mark() {
        for little in [true, false] {
            let (text, read_as) = of(&utf16("text,label\nnaïve,a\n", little), None).unwrap();
            assert_eq!(text, "text,label\nnaïve,a\n");
            assert!(read_as.unwrap().contains(if little { "UTF-16LE" } else { "UTF-16BE" }));
        }
        assert_eq!(of(&[0; 20], None).unwrap().1, None);
    }

    #[test]
    fn a_file_cut_off_within_a_character_is_reported() {
        let long = utf16("text,label\nna\u{ef}ve,a\nclef \u{1d11e}", true);
        let marked = [&b"\xff\xfe"[..], &long].concat();
        let gbk = spartui_facts::recipe::encoding("gbk").unwrap();
        for (bytes, named, line) in [
            (&marked[..marked.len() - 1], None, 3),
            (&marked[..marked.len() - 2], None, 3),
            (&marked[..marked.len() - 7], None, 3),
            (&marked[..27], None, 2),
            (&long[..long.len() - 5], None, 3),
            (&b"\xc4\xe3\xba"[..], gbk, 1),
        ] {
            let error = of(bytes, named).unwrap_err();
            assert!(error.message().contains(&format!("a.csv, line {line} ends within a character of ")), "{error}");
            assert!(error.message().contains("cut off"), "{error}");
        }
        // Bytes that are not UTF-16 at all are left to the other checks.
        assert!(of(b"\xff\xfe\n", None).is_ok());
    }

    #[test]
    fn what_is_not_utf_8_is_windows_1252() {
        let (text, read_as) = of(b"text,label\nle caf\xe9 co\xfbte 3 \x80,a\n", None).unwrap();
        assert_eq!(text, "text,label\nle café coûte 3 €,a\n");
        insta::assert_snapshot!(read_as.unwrap(), @r#"windows-1252, since it is not valid UTF-8 (as in "café")"#);
    }

    #[test]
    fn a_damaged_row_does_not_spoil_the_others() {
        let damaged = "naïve, café, 漢字\n".as_bytes().iter().copied().chain(*b"caf\xe9\n").collect::<Vec<u8>>();
        assert_eq!(of(&damaged, None).unwrap().1, None);
        for bytes in [&b"a,\xff\n"[..], b"caf\xe9\0\n", b"caf\xe9 \x81\n"] {
            assert_eq!(of(bytes, None).unwrap().1, None, "{bytes:?}");
        }
    }

    #[test]
    fn a_named_encoding_is_used_as_given() {
        let other = |name: &str| spartui_facts::recipe::encoding(name).unwrap();
        assert_eq!(of(b"\xc4\xe3\xba\xc3", other("gbk")).unwrap(), ("你好".into(), None));
        assert_eq!(of(b"\xcf\xf0\xe8", other("cp1251")).unwrap().0, "При");
        assert_eq!(of(b"\xe9\x85", other("latin-1")).unwrap().0, "é\u{85}");
        let error = of(b"a\nb\n\xff\xff", other("shift_jis")).unwrap_err();
        assert!(error.message().contains("a.csv, line 3 is not valid Shift_JIS"), "{error}");
        assert!(of(&utf16("a\nb\n", true)[..5], other("utf-16le")).is_err());
    }
}
