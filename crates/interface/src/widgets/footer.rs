//! The key hints of the active contexts, on one line; a click on one acts as the key.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

use crate::keys::{Action, Context, Keymap, Press};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;

/// A word of the line, with its keys before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// The place of keys and word.
    place: Rect,
    /// Each key with its place and its name.
    keys: Vec<(Rect, Press, String)>,
    word: &'static str,
}

/// The keys of these contexts in order, as many as fit. `word` may replace the word of an action, or leave it out.
#[must_use]
pub fn hints(
    row: Rect,
    keys: &Keymap,
    contexts: &[Context],
    word: impl Fn(Action, &'static str) -> Option<&'static str>,
) -> Vec<Hint> {
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    let mut x = row.x;
    let mut hints = Vec::new();
    for bound in contexts.iter().flat_map(|context| keys.lines(*context)) {
        let (Some(said), Some((_, action))) = (bound.line.footer, bound.keys.first()) else { continue };
        let Some(word) = word(*action, said) else { continue };
        let mut keys = Vec::new();
        let mut end = x;
        for (press, label) in bound.short_labels() {
            let place = Rect { x: end, width: text::width(&label), height: 1, ..row };
            end = place.right() + 1;
            keys.push((place, press, label));
        }
        let place = Rect { x, width: end - x + text::width(word), height: 1, ..row };
        if place.right() <= row.right() {
            x = place.right() + 2;
            hints.push(Hint { place, keys, word });
        }
    }
    hints
}

/// Draws the hints.
pub fn draw(pen: &mut Pen, hints: &[Hint]) {
    for hint in hints {
        let mut x = hint.place.x;
        for (place, _, label) in &hint.keys {
            x = pen.put(place.x, place.y, place.width, label, Meaning::Key);
            x = pen.put(x, place.y, 1, " ", Meaning::Text);
        }
        pen.put(x, hint.place.y, text::width(hint.word), hint.word, Meaning::Muted);
    }
}

/// The key for a click at this position: the one under the pointer, else the first one of the word under it.
#[must_use]
pub fn clicked(hints: &[Hint], (x, y): (u16, u16)) -> Option<KeyEvent> {
    let hint = hints.iter().find(|hint| hint.place.contains((x, y).into()))?;
    let under = hint.keys.iter().find(|(place, ..)| place.contains((x, y).into()));
    let Press(code, modifiers) = under.or(hint.keys.first())?.1;
    Some(KeyEvent::new(code, modifiers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_is_the_key_under_it_and_on_a_word_the_first_of_its_keys() {
        let keys = Keymap::default();
        let row = Rect::new(0, 23, 80, 1);
        let hints = hints(row, &keys, &[Context::Screen, Context::Cockpit], |_, word| Some(word));
        let find = |word: &str| hints.iter().find(|hint| hint.word == word).expect("shown");
        let press = |x: u16| clicked(&hints, (x, 23)).map(|event| keys.action(&[Context::Cockpit], event));
        let sparsity = find("sparsity");
        let [(down, ..), (up, ..)] = &sparsity.keys[..] else { panic!("two keys") };
        assert_eq!(press(down.x), Some(Some(Action::Sparser(false))));
        assert_eq!(press(up.x), Some(Some(Action::Sparser(true))));
        assert_eq!(press(sparsity.place.right() - 1), Some(Some(Action::Sparser(false))));
        assert_eq!(press(sparsity.place.right()), None);
        assert_eq!(clicked(&hints, (down.x, 22)), None);
        assert!(hints.iter().all(|hint| hint.place.right() <= 79));
    }
}
