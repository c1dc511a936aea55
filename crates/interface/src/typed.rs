//! A text input.

use super::keys::{Action, LineEdit};

/// A text input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// The text.
    pub text: String,
    /// Position of the cursor in characters.
    pub cursor: usize,
    /// Whether the first typed character replaces the text.
    pub fresh: bool,
}

impl Typed {
    /// A proposed text: the first typed character replaces it.
    #[must_use]
    pub fn proposed(text: String) -> Self {
        Self { cursor: text.chars().count(), fresh: true, text }
    }

    /// Runs an editing action; all text inputs use it. Returns whether the text may have changed.
    pub fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Cursor(by) | Action::PlaygroundCursor(by) => self.walk(by),
            Action::Line(LineEdit::Start) => self.go_to(self.line().0),
            Action::Line(LineEdit::End) => self.go_to(self.line().1),
            _ => {
                match action {
                    Action::Backspace | Action::PlaygroundErase(false) | Action::JumpErase => self.backspace(),
                    Action::Delete | Action::PlaygroundErase(true) => self.delete(),
                    Action::Line(LineEdit::Before) => self.take_out(self.line().0, self.cursor),
                    Action::Line(LineEdit::Behind) => self.take_out(self.cursor, self.line().1),
                    Action::Line(LineEdit::Word) => self.take_out(self.word(), self.cursor),
                    _ => return false,
                }
                return true;
            }
        }
        false
    }

    /// Begin and end of the line with the cursor, in characters.
    fn line(&self) -> (usize, usize) {
        let (before, after) = self.halves();
        let start = before.chars().rev().take_while(|c| *c != '\n').count();
        let end = after.chars().take_while(|c| *c != '\n').count();
        (self.cursor - start, self.cursor + end)
    }

    /// Begin of the word before the cursor, in characters.
    fn word(&self) -> usize {
        let mut before = self.halves().0.chars().rev().peekable();
        let mut taken = 0;
        while before.next_if(|c| c.is_whitespace()).is_some() {
            taken += 1;
        }
        self.cursor - taken - before.take_while(|c| !c.is_whitespace()).count()
    }

    fn go_to(&mut self, cursor: usize) {
        (self.cursor, self.fresh) = (cursor, false);
    }

    /// Deletes the characters between two positions, and puts the cursor there.
    fn take_out(&mut self, from: usize, to: usize) {
        let (from_byte, to_byte) = (self.byte(from), self.byte(to));
        self.text.replace_range(from_byte..to_byte, "");
        self.go_to(from);
    }

    /// Types a character.
    pub fn insert(&mut self, c: char) {
        if std::mem::take(&mut self.fresh) {
            self.text.clear();
            self.cursor = 0;
        }
        let at = self.byte(self.cursor);
        self.text.insert(at, c);
        self.cursor += 1;
    }

    /// Deletes the character before the cursor.
    pub fn backspace(&mut self) {
        self.fresh = false;
        if self.cursor > 0 {
            self.cursor -= 1;
            self.text.remove(self.byte(self.cursor));
        }
    }

    /// Deletes the character at the cursor.
    pub fn delete(&mut self) {
        self.fresh = false;
        let at = self.byte(self.cursor);
        if at < self.text.len() {
            self.text.remove(at);
        }
    }

    /// Moves the cursor.
    pub fn walk(&mut self, by: isize) {
        self.fresh = false;
        self.cursor = self.cursor.saturating_add_signed(by).min(self.text.chars().count());
    }

    /// The text before the cursor and after it.
    #[must_use]
    pub fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.byte(self.cursor))
    }

    fn byte(&self, character: usize) -> usize {
        self.text.char_indices().nth(character).map_or(self.text.len(), |(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Typed {
        let (before, after) = text.split_once('|').expect("a cursor");
        Typed { text: format!("{before}{after}"), cursor: before.chars().count(), fresh: false }
    }

    fn shown(typed: &Typed) -> String {
        let (before, after) = typed.halves();
        format!("{before}|{after}")
    }

    /// What readline does with the same text and keys.
    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        for (text, edit, expected) in [
            ("one two| three", LineEdit::Start, "|one two three"),
            ("one two| three", LineEdit::End, "one two three|"),
            ("one two| three", LineEdit::Before, "| three"),
            ("one two| three", LineEdit::Behind, "one two|"),
            ("one two| three", LineEdit::Word, "one | three"),
            ("one two  |", LineEdit::Word, "one |"),
            ("|one", LineEdit::Word, "|one"),
            ("naïve 漢字|", LineEdit::Word, "naïve |"),
            ("data/ticket|s.csv", LineEdit::Word, "|s.csv"),
            ("first\nsec|ond\nthird", LineEdit::Start, "first\n|second\nthird"),
            ("first\nsec|ond\nthird", LineEdit::Behind, "first\nsec|\nthird"),
        ] {
            let mut typed = at(text);
            let changes = !matches!(edit, LineEdit::Start | LineEdit::End);
            assert_eq!(typed.act(Action::Line(edit)), changes);
            assert_eq!(shown(&typed), expected, "{edit:?} of {text}");
        }
    }

    #[test]
    fn what_is_proposed_is_replaced_by_what_is_typed_unless_it_is_edited() {
        let mut typed = Typed::proposed("first".into());
        typed.insert('x');
        assert_eq!(shown(&typed), "x|");
        let mut typed = Typed::proposed("first".into());
        typed.act(Action::Line(LineEdit::End));
        typed.insert('x');
        assert_eq!(shown(&typed), "firstx|");
    }

    proptest! {
        #[test]
        fn the_cursor_stays_in_the_text(text in "[ a漢\n]{0,12}", acts in prop::collection::vec(0usize..9, 0..20)) {
            let mut typed = Typed::proposed(text);
            for act in acts {
                match act {
                    8 => typed.insert('b'),
                    act => {
                        typed.act([
                            Action::Cursor(-1),
                            Action::Cursor(1),
                            Action::Backspace,
                            Action::Delete,
                            Action::Line(LineEdit::Start),
                            Action::Line(LineEdit::Before),
                            Action::Line(LineEdit::Behind),
                            Action::Line(LineEdit::Word),
                        ][act]);
                    }
                }
                prop_assert!(typed.cursor <= typed.text.chars().count());
            }
        }
    }
}
