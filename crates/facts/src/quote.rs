//! Makes untrusted text safe for messages: one line, no control characters, limited length.

use std::path::Path;

/// The most characters of an untrusted text in a message.
const SHOWN: usize = 60;

/// The text in quotes, escaped, and cut if it is long.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect::<String>().escape_debug().to_string();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// The text with control characters escaped: for errors of other libraries.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, character| {
        match character {
            '\n' => line.push(' '),
            '"' | '\'' | '\\' => line.push(character),
            _ => line.extend(character.escape_debug()),
        }
        line
    })
}

/// A path in a message.
#[must_use]
pub fn place(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(quoted("a\u{1b}[2Jb\n\u{202e}"), r#""a\u{1b}[2Jb\n\u{202e}""#);
        assert_eq!(quoted("naïve 漢字"), "\"naïve 漢字\"");
        assert_eq!(one_line("it's\n\"so\"\u{7}"), "it's \"so\"\\u{7}");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(quoted(&"x".repeat(1 << 20)).chars().count(), SHOWN + 3);
        assert!(!quoted(&"x".repeat(SHOWN)).contains('…'));
    }
}
