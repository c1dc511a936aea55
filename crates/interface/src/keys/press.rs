//! A key with its modifiers, and its names.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press(pub KeyCode, pub KeyModifiers);

/// Named keys: their names in a key file, on the screen, and on the screen in ASCII.
const NAMED: [(KeyCode, &str, &str, &str); 16] = [
    (KeyCode::Char(' '), "space", "Space", "Space"),
    (KeyCode::Enter, "enter", "Enter", "Enter"),
    (KeyCode::Esc, "esc", "Esc", "Esc"),
    (KeyCode::Tab, "tab", "Tab", "Tab"),
    (KeyCode::BackTab, "shift-tab", "Shift-Tab", "Shift-Tab"),
    (KeyCode::Backspace, "backspace", "Backspace", "Backspace"),
    (KeyCode::Delete, "delete", "Delete", "Delete"),
    (KeyCode::Insert, "insert", "Insert", "Insert"),
    (KeyCode::Left, "left", "←", "Left"),
    (KeyCode::Right, "right", "→", "Right"),
    (KeyCode::Up, "up", "↑", "Up"),
    (KeyCode::Down, "down", "↓", "Down"),
    (KeyCode::Home, "home", "Home", "Home"),
    (KeyCode::End, "end", "End", "End"),
    (KeyCode::PageUp, "page-up", "PgUp", "PgUp"),
    (KeyCode::PageDown, "page-down", "PgDn", "PgDn"),
];

/// Modifiers by their names.
const MODIFIERS: [(&str, KeyModifiers); 2] = [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT)];

impl Press {
    /// The key of an event. Shift is dropped, since the key itself already reflects it.
    #[must_use]
    pub fn of(event: KeyEvent) -> Self {
        let modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        match event.code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                Self(KeyCode::Char(c.to_ascii_lowercase()), modifiers)
            }
            code => Self(code, modifiers),
        }
    }

    /// The key with this name, such as `z`, `Z`, `?`, `space`, `page-up`, `ctrl-x` or `f5`.
    ///
    /// # Errors
    /// One sentence that says how keys are named.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = name;
        while let Some((prefix, modifier)) =
            MODIFIERS.into_iter().find(|(prefix, _)| rest.len() > prefix.len() && begins_with(rest, prefix))
        {
            modifiers |= modifier;
            rest = &rest[prefix.len()..];
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(c), None) if c != ' ' && !c.is_control() => Some(KeyCode::Char(c)),
            _ => {
                let named = NAMED.into_iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(rest));
                let function = rest.strip_prefix(['f', 'F']).and_then(|digits| digits.parse().ok());
                named.map(|(code, ..)| code).or(function.filter(|n| (1..=24).contains(n)).map(KeyCode::F))
            }
        };
        match code {
            Some(KeyCode::Char(c)) if modifiers.contains(KeyModifiers::CONTROL) => {
                Ok(Self(KeyCode::Char(c.to_ascii_lowercase()), modifiers))
            }
            Some(code) => Ok(Self(code, modifiers)),
            None => Err(format!(
                "\"{}\" is no key; keys are called as z, Z, ?, space, enter, esc, tab, shift-tab, left, page-up, f5, \
                 ctrl-x or alt-x",
                name.escape_debug()
            )),
        }
    }

    /// Its name in a key file.
    #[must_use]
    pub fn name(self) -> String {
        self.with_modifiers("ctrl-", "alt-", |code| match code {
            KeyCode::Char(c) => NAMED.iter().find(|named| named.0 == code).map_or(c.to_string(), |n| n.1.into()),
            KeyCode::F(number) => format!("f{number}"),
            code => NAMED.iter().find(|named| named.0 == code).map_or_else(|| format!("{code:?}"), |n| n.1.into()),
        })
    }

    /// Its displayed name, in ASCII if `plain`.
    #[must_use]
    pub fn label(self, plain: bool) -> String {
        let control = self.1.contains(KeyModifiers::CONTROL);
        self.with_modifiers("Ctrl-", "Alt-", |code| match (NAMED.iter().find(|named| named.0 == code), code) {
            (Some((_, _, label, ascii)), _) => (if plain { *ascii } else { *label }).to_owned(),
            (None, KeyCode::Char(c)) if control => c.to_ascii_uppercase().to_string(),
            (None, KeyCode::Char(c)) => c.to_string(),
            (None, other) => other.to_string(),
        })
    }

    /// The character that a key event types, if any.
    #[must_use]
    pub fn typed(event: KeyEvent) -> Option<char> {
        match (event.code, Self::of(event).1.is_empty(), event.kind) {
            (_, _, KeyEventKind::Release) => None,
            (KeyCode::Char(c), true, _) => Some(c),
            _ => None,
        }
    }

    /// Whether it types a character.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self(KeyCode::Char(_), KeyModifiers::NONE))
    }

    fn with_modifiers(self, control: &str, alt: &str, name: impl Fn(KeyCode) -> String) -> String {
        let control = if self.1.contains(KeyModifiers::CONTROL) { control } else { "" };
        let alt = if self.1.contains(KeyModifiers::ALT) { alt } else { "" };
        format!("{control}{alt}{}", name(self.0))
    }
}

fn begins_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::TABLE;

    #[test]
    fn every_key_of_the_table_is_found_by_its_name() {
        for (press, _) in TABLE.iter().flat_map(|binding| binding.keys) {
            assert_eq!(Press::parse(&press.name()), Ok(*press), "{}", press.name());
            assert!(press.label(true).is_ascii() || !press.label(false).is_ascii());
        }
    }

    #[test]
    fn keys_have_names() {
        let key = |name: &str| Press::parse(name).map(|press| (press.name(), press.label(false)));
        assert_eq!(key("Ctrl-X"), Ok(("ctrl-x".into(), "Ctrl-X".into())));
        assert_eq!(key("ctrl--"), Ok(("ctrl--".into(), "Ctrl--".into())));
        assert_eq!(key("-"), Ok(("-".into(), "-".into())));
        assert_eq!(key("Z"), Ok(("Z".into(), "Z".into())));
        assert_eq!(key("alt-left"), Ok(("alt-left".into(), "Alt-←".into())));
        assert_eq!(key("F5"), Ok(("f5".into(), "F5".into())));
        assert_eq!(key("漢"), Ok(("漢".into(), "漢".into())));
        for wrong in ["", "ctrl-", "zz", "f0", "f99", "\u{1b}", " "] {
            assert!(Press::parse(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(Press::parse("up").expect("a key").label(true), "Up");
    }
}
