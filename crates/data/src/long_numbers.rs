//! Whole numbers of more than 64 bits, such as ids, keep all their digits: as texts.

use std::borrow::Cow;

/// Digits of the shortest number that may not fit into 64 bits.
const LONG: usize = 19;

/// The same JSON with quotes around such numbers. A parser would round them to floating point, which many of them
/// share.
pub(super) fn quote_long_numbers(text: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted = Vec::new();
    // The end of what has been copied.
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => at = string_end(text, at),
            b'-' | b'0'..=b'9' => {
                let end = number_end(text, at);
                if is_long(&text[at..end]) {
                    quoted.extend_from_slice(&text[copied..at]);
                    quoted.push(b'"');
                    quoted.extend_from_slice(&text[at..end]);
                    quoted.push(b'"');
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    quoted.extend_from_slice(&text[copied..]);
    Cow::Owned(quoted)
}

/// The end of the string that begins here. It also ends with its line, so that a broken row does not affect the next
/// one.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The end of the number that begins here.
fn number_end(text: &[u8], start: usize) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let rest = text.get(start + 1..).unwrap_or_default();
    start + 1 + rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len())
}

/// Whether this is a whole number of more than 64 bits.
fn is_long(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    if digits.len() < LONG || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let text = std::str::from_utf8(number).unwrap_or_default();
    text.parse::<i64>().is_err() && text.parse::<u64>().is_err()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::rows::tests::rows_of;
    use super::*;

    #[test]
    fn long_numbers_keep_their_digits_and_others_stay_numbers() {
        let text = "{\"a\": 123456789012345678901234567890, \"b\": [-99999999999999999999], \"c\": 1e30, \"d\": \
                    18446744073709551615, \"e\": 1.5, \"f \\\" 99999999999999999999\": \"99999999999999999999\"}";
        let expected = json!({"a": "123456789012345678901234567890", "b": ["-99999999999999999999"], "c": 1e30,
            "d": 18_446_744_073_709_551_615_u64, "e": 1.5, "f \" 99999999999999999999": "99999999999999999999"});
        assert_eq!(rows_of("a.jsonl", text.as_bytes()).unwrap(), [(1, Ok(expected.clone()))]);
        let array = format!("[{text},\n{text}]");
        assert_eq!(rows_of("a.json", array.as_bytes()).unwrap(), [(1, Ok(expected.clone())), (2, Ok(expected))]);
    }

    #[test]
    fn a_string_that_never_closes_does_not_reach_into_the_next_row() {
        let rows = rows_of("a.jsonl", b"{\"a\": \"b\\\n{\"a\": 99999999999999999999}").unwrap();
        assert!(rows[0].1.is_err());
        assert!(matches!(quote_long_numbers(b"[1, 2.5]"), Cow::Borrowed(_)));
        assert_eq!(&*quote_long_numbers(b"18446744073709551616"), b"\"18446744073709551616\"");
        assert_eq!(&*quote_long_numbers(b"-9223372036854775808 -"), b"-9223372036854775808 -");
    }
}
