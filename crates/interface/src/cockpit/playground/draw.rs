//! The playground: a text, and the answers of base and adapted model side by side.

mod difference;
mod labels;

use ratatui::layout::Rect;

use crate::cockpit::playground::act::moments;
use crate::cockpit::{Playground, Reply, State};
use crate::keys::{Action, Context};
use crate::layout::{split_left, split_top};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_facts::protocol::{About, Side};

/// The most rows of the text.
const TEXT: u16 = 4;

/// Draws it over the cockpit's panels.
pub fn draw(pen: &mut Pen, place: Rect, state: &State) {
    let playground = &state.playground;
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " playground ", Meaning::Focus);
    let right = Rect { width: place.width.saturating_sub(2), height: 1, ..place };
    pen.put_right(right, &settings(state), Meaning::Muted);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let (row, rest) = split_top(inner, 1);
    draw_moments(pen, row, state);
    let lines = input_lines(playground, rest.width.saturating_sub(2));
    let height = u16::try_from(lines.len()).unwrap_or(TEXT).clamp(1, TEXT);
    let (typed, rest) = split_top(rest, height);
    draw_input(pen, typed, &lines, playground);
    let (remark, rest) = split_top(rest, 1);
    let (said, meaning) = remark_of(state);
    pen.put(remark.x, remark.y, remark.width, &said, meaning);
    let (base, adapted) = split_left(rest, rest.width / 2);
    for (side, area) in [(Side::Base, base), (Side::Adapted, adapted)] {
        draw_side(pen, area, side, state);
    }
}

/// The active settings, at the right of the title.
fn settings(state: &State) -> String {
    let playground = &state.playground;
    let mut facts = Vec::new();
    let writes = state.ready.as_ref().is_some_and(|ready| ready.labels.is_empty());
    if writes {
        facts.push(format!("up to {} tokens", playground.max_new_tokens()));
    }
    if playground.chat {
        facts.push("chat".into());
    }
    if playground.live {
        facts.push("live".into());
    }
    if facts.is_empty() { String::new() } else { format!(" {} ", facts.join(" · ")) }
}

/// The states that can be asked, around the selected one.
fn draw_moments(pen: &mut Pen, row: Rect, state: &State) {
    let moments = moments(state);
    let chosen = moments.iter().position(|at| *at == state.playground.at).unwrap_or(0);
    let label = |at: &Option<(u32, u64)>| match at {
        None => format!("now ({})", state.step()),
        Some((branch, step)) if *branch == state.history.tree.current => step.to_string(),
        Some((branch, step)) => format!("{step}/{branch}"),
    };
    let x = pen.put(row.x, row.y, row.width, "adapted model of step ", Meaning::Muted);
    let row = Rect { x, width: row.right().saturating_sub(x), ..row };
    // As many before the selected one as fit beside it.
    let mut first = chosen;
    let mut room = row.width.saturating_sub(text::width(&label(&moments[chosen])) + 2);
    while first > 0 && text::width(&label(&moments[first - 1])) + 2 + 8 <= room {
        first -= 1;
        room -= text::width(&label(&moments[first])) + 2;
    }
    let mut x = row.x;
    for (index, at) in moments.iter().enumerate().skip(first) {
        let label = format!(" {} ", label(at));
        if x + text::width(&label) > row.right() {
            break;
        }
        let meaning = if index == chosen { Meaning::Title } else { Meaning::Muted };
        let end = pen.put(x, row.y, row.right() - x, &label, meaning);
        if index == chosen {
            pen.restyle(Rect { x, width: end - x, ..row }, Meaning::Selection);
        }
        x = end;
    }
}

/// The text in lines, with the cursor if it is being typed.
fn input_lines(playground: &Playground, width: u16) -> Vec<String> {
    let (before, after) = playground.typed.halves();
    let cursor = if playground.typing { "▏" } else { "" };
    let shown = format!("{}{cursor}{}", text::safe_text(before), text::safe_text(after));
    let mut lines = text::wrap(&shown, width);
    // The lines around the cursor are shown.
    let at = if playground.typing { lines.iter().position(|line| line.contains('▏')).unwrap_or(0) } else { 0 };
    let last = at.max(usize::from(TEXT) - 1).min(lines.len() - 1);
    lines.truncate(last + 1);
    lines.split_off((last + 1).saturating_sub(usize::from(TEXT)))
}

fn draw_input(pen: &mut Pen, area: Rect, lines: &[String], playground: &Playground) {
    let prompt = if playground.typing { Meaning::Key } else { Meaning::Muted };
    pen.put(area.x, area.y, 2, "› ", prompt);
    let empty = playground.typed.text.is_empty();
    for (row, line) in Pen::rows(area).zip(lines) {
        let x = pen.put(row.x + 2, row.y, row.width.saturating_sub(2), line, Meaning::Text);
        if empty {
            let hint = if playground.chat { " say something" } else { " a text" };
            pen.put(x, row.y, row.right().saturating_sub(x), hint, Meaning::Muted);
        }
    }
}

/// A remark about the answer, or why there is none.
fn remark_of(state: &State) -> (String, Meaning) {
    let playground = &state.playground;
    if let Some(why) = &playground.refused {
        return (why.clone(), Meaning::Error);
    }
    let Some(reply) = &playground.shown else {
        if playground.asked.is_some() {
            return ("asked; the answer comes between two steps".into(), Meaning::Pending);
        }
        let keys = &state.env.look.keys;
        let ask = keys.label(Context::PlaygroundText, Action::PlaygroundAsk);
        let tab = keys.label(Context::PlaygroundText, Action::PlaygroundTyping(false));
        let (ask, tab) = (ask.unwrap_or_else(|| "–".into()), tab.unwrap_or_else(|| "–".into()));
        return (
            format!("{ask} asks both models, and training goes on; {tab} leads to the other keys"),
            Meaning::Muted,
        );
    };
    let mut facts = vec![format!("read {} tokens", reply.read)];
    if reply.cut {
        facts.push("the end was cut off (data.max_length)".into());
    }
    if let About::Row { row } = reply.about {
        let rows = state.ready.as_ref().map_or(0, |ready| ready.validation_examples).max(1);
        facts.push(format!("row {} of the validation data", row % rows + 1));
    }
    if let Some(expected) = &reply.expected {
        facts.push(format!("expected: {}", text::safe_text(expected)));
    }
    let meaning = if playground.asked.is_some() { Meaning::Pending } else { Meaning::Muted };
    (facts.join(" · "), meaning)
}

fn draw_side(pen: &mut Pen, area: Rect, side: Side, state: &State) {
    if area.width < 8 || area.height < 3 {
        return;
    }
    let reply = state.playground.shown.as_ref();
    let border = if side == Side::Adapted { Meaning::Title } else { Meaning::Border };
    let inner = pen.frame(area, if side == Side::Adapted { Meaning::Series1 } else { Meaning::Border });
    pen.put(area.x + 2, area.y, area.width.saturating_sub(4), &title(side, reply, state), border);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let Some(reply) = reply else { return };
    match (&reply.no_base, side) {
        (Some(why), Side::Base) => {
            for (row, line) in Pen::rows(inner).zip(text::wrap(&text::safe_text(why), inner.width)) {
                pen.put(row.x, row.y, row.width, &line, Meaning::Muted);
            }
        }
        _ if reply.classes.iter().any(Option::is_some) => labels::draw(pen, inner, side, reply, state),
        _ => difference::draw(pen, inner, side, reply, state.playground.scroll),
    }
    if let Some(ended) = reply.ended[side as usize] {
        let tokens = reply.tokens[side as usize];
        let how = if ended { "ended by itself" } else { "as many as asked for" };
        let row = Rect { y: area.bottom().saturating_sub(1), width: area.width.saturating_sub(2), height: 1, ..area };
        pen.put_right(row, &format!(" {tokens} tokens, {how} "), Meaning::Muted);
    }
}

fn title(side: Side, reply: Option<&Reply>, state: &State) -> String {
    match (side, reply) {
        (Side::Base, _) => " base model ".into(),
        (Side::Adapted, None) => " adapted model ".into(),
        (Side::Adapted, Some(reply)) => {
            let (branch, step) = reply.at;
            let elsewhere =
                if branch == state.history.tree.current { String::new() } else { format!(", branch {branch}") };
            format!(" adapted model, step {step}{elsewhere} ")
        }
    }
}
