//! The terminal's background colour. It is queried without waiting for the answer: a terminal that does not answer
//! costs nothing, and a late answer is still removed from the keys.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// Queries the background colour.
pub const ASK: &[u8] = b"\x1b]11;?\x1b\\";

/// The beginning of an answer, after its introducer.
const BEGIN: &str = "11;rgb";

/// The longest answer.
const LONGEST: usize = 40;

/// Finds the answer among the keys, as which crossterm parses it.
#[derive(Debug, Default)]
pub struct Answers {
    /// Events that may be the beginning of an answer.
    held: Vec<Event>,
    text: String,
}

impl Answers {
    /// Processes an event; returns the user's events as soon as they are certain, and whether the background is light.
    pub fn filter(&mut self, event: Event) -> (Vec<Event>, Option<bool>) {
        let Event::Key(key) = event else { return (self.release(event), None) };
        if self.held.is_empty() {
            if is(key, ']', KeyModifiers::ALT) {
                self.held.push(event);
                return (Vec::new(), None);
            }
            return (vec![event], None);
        }
        if is(key, '\\', KeyModifiers::ALT) || is(key, 'g', KeyModifiers::CONTROL) {
            if let Some(light) = light(&self.text) {
                (self.held, self.text) = (Vec::new(), String::new());
                return (Vec::new(), Some(light));
            }
        } else if let KeyCode::Char(c) = key.code {
            self.text.push(c);
            let begins = self.text.starts_with(BEGIN) || BEGIN.starts_with(&self.text);
            if begins && self.held.len() < LONGEST {
                self.held.push(event);
                return (Vec::new(), None);
            }
        }
        (self.release(event), None)
    }

    /// All held events, since they are no answer, and the new one.
    fn release(&mut self, event: Event) -> Vec<Event> {
        self.text.clear();
        let mut events = std::mem::take(&mut self.held);
        events.push(event);
        events
    }
}

fn is(key: KeyEvent, c: char, modifiers: KeyModifiers) -> bool {
    key.code == KeyCode::Char(c) && key.modifiers == modifiers
}

/// Whether a colour is light, such as `11;rgb:1e1e/1e1e/2e2e`.
fn light(text: &str) -> Option<bool> {
    let (_, parts) = text.strip_prefix(BEGIN)?.split_once(':')?;
    let part = |digits: &str| {
        let most = 16f64.powi(i32::try_from(digits.len()).ok()?) - 1.0;
        Some(f64::from(u32::from_str_radix(digits, 16).ok()?) / most)
    };
    let mut parts = parts.split('/').map(part);
    let mut next = || parts.next().flatten();
    Some(0.299 * next()? + 0.587 * next()? + 0.114 * next()? > 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Event> {
        let mut keys = Vec::new();
        let mut escaped = false;
        for c in text.chars() {
            let (code, modifiers) = match c {
                '\x1b' => {
                    escaped = true;
                    continue;
                }
                '\x07' => ('g', KeyModifiers::CONTROL),
                c if std::mem::take(&mut escaped) => (c, KeyModifiers::ALT),
                c => (c, KeyModifiers::NONE),
            };
            keys.push(Event::Key(KeyEvent::new(KeyCode::Char(code), modifiers)));
        }
        keys
    }

    fn taken(text: &str) -> (Vec<Event>, Vec<bool>) {
        let mut answers = Answers::default();
        let (mut events, mut found) = (Vec::new(), Vec::new());
        for key in keys(text) {
            let (more, light) = answers.filter(key);
            events.extend(more);
            found.extend(light);
        }
        (events, found)
    }

    #[test]
    fn an_answer_is_found_and_no_key_is_lost() {
        assert_eq!(taken("a\x1b]11;rgb:ffff/fafa/f0f0\x1b\\b"), (keys("ab"), vec![true]));
        assert_eq!(taken("a\x1b]11;rgb:1e/1e/2e\x07b"), (keys("ab"), vec![false]));
        assert_eq!(taken("\x1b]11;rgba:0000/0000/0000/ffff\x1b\\"), (Vec::new(), vec![false]));
    }

    #[test]
    fn keys_that_only_begin_like_an_answer_reach_the_user() {
        for text in ["\x1b]1x", "\x1b]q", "\x1b]11;rgb\x1b\\", "\x1b]11;rgb:\x07", "]11;rgb:0/0/0\x07"] {
            assert_eq!(taken(text), (keys(text), Vec::new()), "{text:?}");
        }
        let long = format!("\x1b]11;rgb:{}", "0".repeat(60));
        assert_eq!(taken(&long), (keys(&long), Vec::new()));
        let mut answers = Answers::default();
        for key in keys("\x1b]11") {
            answers.filter(key);
        }
        let resized = Event::Resize(9, 9);
        assert_eq!(answers.filter(resized.clone()).0.last(), Some(&resized));
    }
}
