//! The keys that mean something now, on one line.

use ratatui::layout::Rect;

use crate::interface::keys::{Action, Context, Keymap};
use crate::interface::pen::Pen;
use crate::interface::text;
use crate::interface::theme::Meaning;

/// Draws the keys of these contexts in their order, as many as there is room for. `word` may change what is said of an
/// action, or leave it out.
pub fn draw(
    pen: &mut Pen,
    row: Rect,
    keys: &Keymap,
    contexts: &[Context],
    word: impl Fn(Action, &'static str) -> Option<&'static str>,
) {
    let row = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    let mut x = row.x;
    for bound in contexts.iter().flat_map(|context| keys.lines(*context)) {
        let (Some(said), Some((_, action))) = (bound.line.footer, bound.keys.first()) else { continue };
        let Some(word) = word(*action, said) else { continue };
        let label = bound.short_label();
        if x + text::width(&label) + 1 + text::width(word) > row.right() {
            continue;
        }
        let rest = Rect { x, width: row.right() - x, ..row };
        x = pen.pieces(rest, [(label.as_str(), Meaning::Key), (" ", Meaning::Text), (word, Meaning::Muted)]) + 2;
    }
}
