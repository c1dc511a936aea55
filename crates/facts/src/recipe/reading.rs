//! The values of a recipe that say how rows are read: the encoding of their file, the separator of its fields, and the
//! arguments of a chat template.

use encoding_rs::{Encoding, UTF_8, UTF_16LE};

use super::{AUTO, Value};

/// The character encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// UTF-8.
    Utf8,
    /// ISO 8859-1: each byte is the character of its number.
    Latin1,
    /// Another encoding.
    Other(&'static Encoding),
}

/// Python's names of encodings that browsers name otherwise, with the browsers' names.
const PYTHON: [(&str, &str); 9] = [
    ("utf-16-le", "utf-16le"),
    ("utf-16-be", "utf-16be"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("mac-roman", "macintosh"),
    ("latin-2", "iso-8859-2"),
    ("latin-9", "iso-8859-15"),
];

/// The encoding with this name; none for `auto`.
///
/// # Errors
/// Refuses an unknown name.
pub fn encoding(name: &str) -> Result<Option<TextEncoding>, String> {
    let name = name.trim().to_lowercase().replace('_', "-");
    let name = name.strip_suffix("-sig").unwrap_or(&name);
    let known = PYTHON.iter().find(|(python, _)| *python == name).map_or(name, |(_, known)| known);
    Ok(Some(match known {
        AUTO => return Ok(None),
        "utf-8" | "utf8" | "ascii" | "us-ascii" => TextEncoding::Utf8,
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => TextEncoding::Latin1,
        "utf-16" | "utf16" => TextEncoding::Other(UTF_16LE),
        other => {
            let labels = [other.to_owned(), other.replace('-', "_")];
            let found = labels.iter().find_map(|label| Encoding::for_label_no_replacement(label.as_bytes()));
            let found = found.ok_or_else(|| format!("there is no encoding \"{}\"", name.escape_debug()))?;
            if found == UTF_8 { TextEncoding::Utf8 } else { TextEncoding::Other(found) }
        }
    }))
}

/// The separator with this name; none for `auto`.
///
/// # Errors
/// Refuses a text that is no single ASCII character.
pub fn delimiter(name: &str) -> Result<Option<u8>, String> {
    Ok(Some(match name {
        AUTO => return Ok(None),
        "tab" | "\\t" => b'\t',
        "space" => b' ',
        "comma" => b',',
        "semicolon" => b';',
        "pipe" => b'|',
        other => match other.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) && !byte.is_ascii_alphanumeric() => {
                *byte
            }
            _ => return Err(format!("\"{}\" is not a delimiter", other.escape_debug())),
        },
    }))
}

/// The parameters of transformers' `apply_chat_template` that change the text and never reach a template, with the
/// reason why a recipe cannot set them.
const RESERVED: [(&str, &str); 3] = [
    ("messages", "the conversation itself comes from the rows (data.messages)"),
    ("chat_template", "the template is the model's own, its chat_template.jinja"),
    ("continue_final_message", "the last message of a row is learned to its end"),
];

/// Why a recipe cannot set a template argument with this name; none if it can.
#[must_use]
pub fn reserved_by_chat(name: &str) -> Option<&'static str> {
    RESERVED.iter().find(|(reserved, _)| *reserved == name).map(|(_, why)| *why)
}

/// Checks an argument of the chat template. `prompted` says whether the conversations end with a request for an answer,
/// or with the answer.
///
/// # Errors
/// The rest of a sentence that begins with the name.
pub fn check_template_argument(name: &str, value: &Value, prompted: bool) -> Result<(), String> {
    if let Some(why) = reserved_by_chat(name) {
        return Err(format!("cannot be set: {why}; remove it"));
    }
    if name == "add_generation_prompt" && *value != Value::Boolean(prompted) {
        let ends = if prompted { "where the assistant is asked to answer" } else { "with an answer" };
        return Err(format!("can only be {prompted}, since each conversation ends {ends}; remove it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_KR, GBK, SHIFT_JIS, UTF_16BE, WINDOWS_1252};

    use super::*;

    #[test]
    fn encodings_have_the_names_of_browsers_and_of_python() {
        for (name, expected) in [
            ("UTF-8", TextEncoding::Utf8),
            ("utf_8_sig", TextEncoding::Utf8),
            ("latin-1", TextEncoding::Latin1),
            ("ISO-8859-1", TextEncoding::Latin1),
            ("cp1252", TextEncoding::Other(WINDOWS_1252)),
            ("windows-1252", TextEncoding::Other(WINDOWS_1252)),
            ("utf-16", TextEncoding::Other(UTF_16LE)),
            ("utf_16_be", TextEncoding::Other(UTF_16BE)),
            ("gbk", TextEncoding::Other(GBK)),
            ("shift_jis", TextEncoding::Other(SHIFT_JIS)),
            ("cp949", TextEncoding::Other(EUC_KR)),
        ] {
            assert_eq!(encoding(name), Ok(Some(expected)), "{name}");
        }
        assert_eq!(encoding("auto"), Ok(None));
        assert!(encoding("klingon").unwrap_err().contains("klingon"));
    }

    #[test]
    fn arguments_that_change_the_conversation_are_refused_by_name() {
        let of = |name: &str, value: Value| {
            crate::recipe::Recipe::default().set(&format!("data.template_arguments.{name}"), value)
        };
        for name in ["messages", "chat_template", "continue_final_message"] {
            let why = of(name, "x".into()).unwrap_err();
            assert!(why.starts_with(&format!("data.template_arguments.{name} cannot be set: ")), "{why}");
        }
        let why = of("add_generation_prompt", true.into()).unwrap_err();
        assert!(why.contains("can only be false, since each conversation ends with an answer"), "{why}");
        assert!(of("add_generation_prompt", false.into()).is_ok() && of("enable_thinking", true.into()).is_ok());
        let table: toml::Table = toml::from_str("messages = []").unwrap();
        let why = crate::recipe::Recipe::default().set("data.template_arguments", table.into()).unwrap_err();
        assert!(why.starts_with("data.template_arguments.messages cannot be set"), "{why}");
        assert!(check_template_argument("add_generation_prompt", &true.into(), true).is_ok());
    }

    #[test]
    fn a_delimiter_is_one_character_or_its_name() {
        for (name, expected) in [(";", b';'), ("tab", b'\t'), ("\t", b'\t'), ("\\t", b'\t'), ("|", b'|'), ("^", b'^')] {
            assert_eq!(delimiter(name), Ok(Some(expected)), "{name}");
        }
        assert_eq!(delimiter("auto"), Ok(None));
        for name in ["", ";;", "\"", "\n", "a", "7", "→"] {
            assert!(delimiter(name).is_err(), "{name}");
        }
    }
}
