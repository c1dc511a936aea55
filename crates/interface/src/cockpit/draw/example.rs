//! A dialog with the first training example, token by token, with the trained tokens marked.

use ratatui::layout::Rect;

use crate::cockpit::State;
use crate::keys::{Action, Context};
use crate::layout::centred;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_facts::protocol::Example;

/// Draws the example.
pub fn draw(pen: &mut Pen, screen: Rect, state: &State) {
    let width = screen.width.saturating_sub(4).min(120);
    let needed = state.example.as_ref().map_or(1, |example| lines(example, width.saturating_sub(4)).len() + 2);
    let height = u16::try_from(needed).unwrap_or(u16::MAX).saturating_add(2).min(screen.height.saturating_sub(2));
    let place = centred(screen, width, height);
    let inner = pen.frame(place, Meaning::Focus);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " the first training example ", Meaning::Focus);
    let bottom = Rect { y: place.bottom().saturating_sub(1), width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(bottom, &state.env.look.keys.hints(Context::Example, &[(Action::Leave, "closes")]), Meaning::Muted);
    let mut rows = Pen::rows(inner);
    let (Some(example), Some(first)) = (&state.example, rows.next()) else {
        pen.put(inner.x, inner.y, inner.width, "not there yet: the data is still read", Meaning::Muted);
        return;
    };
    pen.put(first.x, first.y, first.width, &introduction(example), Meaning::Muted);
    rows.next();
    for (row, line) in rows.zip(lines(example, inner.width)) {
        pen.pieces(row, line.iter().map(|(text, trained)| (text.as_str(), meaning(*trained))));
    }
}

fn meaning(trained: bool) -> Meaning {
    if trained { Meaning::Key } else { Meaning::Text }
}

fn introduction(example: &Example) -> String {
    let tokens = text::grouped(example.pieces.len() as u64);
    let learned = example.pieces.iter().filter(|(_, trained)| *trained).count() as u64;
    match &example.label {
        Some(label) => format!("{tokens} tokens; the label is {}", text::safe_text(label)),
        None => format!("{tokens} tokens; {} are learned, between « and »", text::grouped(learned)),
    }
}

/// The text in lines of this width, each in pieces that are trained or not.
fn lines(example: &Example, width: u16) -> Vec<Vec<(String, bool)>> {
    let mut lines = vec![Vec::<(String, bool)>::new()];
    let mut used = 0;
    for (run, trained) in example.runs() {
        let run = if trained { format!("«{run}»") } else { run };
        for character in text::safe_text(&run).chars() {
            let cells = text::width(character.encode_utf8(&mut [0; 4]));
            if used + cells > width {
                lines.push(Vec::new());
                used = 0;
            }
            used += cells;
            let Some(line) = lines.last_mut() else { continue };
            match line.last_mut() {
                Some((piece, same)) if *same == trained => piece.push(character),
                _ => line.push((character.to_string(), trained)),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filled_and_nothing_is_lost() {
        let piece = |text: &str, trained| (text.to_owned(), trained);
        let example = Example { pieces: vec![piece("ab", false), piece("cd", true), piece("ef", true)], label: None };
        let found = lines(&example, 3);
        assert_eq!(
            found,
            [vec![piece("ab", false), piece("«", true)], vec![piece("cde", true)], vec![piece("f»", true)],]
        );
    }
}
