//! The pending value and its preview, over the lower part of the loss chart.

use ratatui::layout::Rect;

use crate::cockpit::layout::Layout;
use crate::cockpit::{Edit, Preview, State};
use crate::keys::{Action, Context, Keymap, Panel};
use crate::layout::split_bottom;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use spartui_facts::protocol::Consequences;

/// Draws the pending value, if there is one.
pub fn draw(pen: &mut Pen, layout: &Layout, state: &State) {
    let Some(edit) = &state.edit else { return };
    let loss = layout.places.iter().find(|(_, panels)| panels.first() == Some(&Panel::Loss) && layout.places.len() > 1);
    let room = loss.map_or(layout.body, |(area, _)| *area);
    let inner_width = room.width.saturating_sub(4);
    let lines = lines(edit, &state.env.look.keys, inner_width);
    let (_, area) = split_bottom(room, lines.len() as u16 + 2);
    let inner = pen.frame(area, Meaning::Pending);
    let title = format!(" {} ", title(edit));
    pen.put(area.x + 2, area.y, area.width.saturating_sub(4), &title, Meaning::Pending);
    if edit.value.is_ok() && !matches!(edit.preview, Preview::Refused(_)) {
        let answers =
            Rect { y: area.bottom().saturating_sub(1), width: area.width.saturating_sub(2), height: 1, ..area };
        let hints = [(Action::Apply, "applies"), (Action::Discard, "discards")];
        pen.put_right(answers, &state.env.look.keys.hints(context(edit), &hints), Meaning::Pending);
    }
    for (row, (line, meaning)) in Pen::rows(inner).zip(lines) {
        pen.put(row.x + 1, row.y, inner_width, &line, meaning);
    }
}

/// The context in which its keys are bound.
fn context(edit: &Edit) -> Context {
    if edit.typed.is_some() { Context::Typing } else { Context::Pending }
}

/// The field without its section, the current value and the pending one.
fn title(edit: &Edit) -> String {
    let name = edit.field.split_once('.').map_or(edit.field.as_str(), |(_, name)| name);
    let from = edit.from.as_ref().map_or_else(|| "–".into(), text::value);
    let to = edit.value.as_ref().map_or_else(|_| "?".into(), text::value);
    format!("{} {from} → {to}", text::safe_text(name))
}

fn lines(edit: &Edit, keys: &Keymap, width: u16) -> Vec<(String, Meaning)> {
    let plain = |line: &str, meaning| vec![(line.to_owned(), meaning)];
    match (&edit.value, &edit.preview) {
        (Err(why), _) | (_, Preview::Refused(why)) => wrapped(why, width),
        (_, Preview::None) => plain("type another value", Meaning::Muted),
        (_, Preview::Asked(_)) => plain("asking what it would do …", Meaning::Muted),
        (_, Preview::Answered(consequences)) => {
            let shares = edit.field != "method.sparsity";
            let key = keys.label(context(edit), Action::ApplyWithRate);
            effects(consequences, shares, key.as_deref()).into_iter().map(|line| (line, Meaning::Text)).collect()
        }
    }
}

fn wrapped(why: &str, width: u16) -> Vec<(String, Meaning)> {
    text::wrap(&text::safe_text(why), width).into_iter().map(|line| (line, Meaning::Error)).collect()
}

/// The effects of a change; `shares` if the title does not show the sparsity already, `key` also applies the suggested
/// rate.
fn effects(consequences: &Consequences, shares: bool, key: Option<&str>) -> Vec<String> {
    let Consequences { trainable, sparsity, bytes, step_ms, leaving, joining, rate } = consequences;
    if trainable.0 == trainable.1 && *leaving == 0 && *joining == 0 {
        let chosen = rate.map(|(_, then)| format!("the rule chooses {}", text::number_short(then)));
        return chosen.into_iter().chain(["scalars, training state and step time stay".into()]).collect();
    }
    let moved: Vec<String> = [(*joining, "added"), (*leaving, "frozen again")]
        .into_iter()
        .filter(|(scalars, _)| *scalars > 0)
        .map(|(scalars, verb)| format!("{} {verb}", text::count(scalars)))
        .collect();
    let (now, then) = (text::count(trainable.0), text::count(trainable.1));
    let mut lines = vec![format!("trains   {now} → {then}   {}", moved.join(", "))];
    if shares {
        lines.push(format!("sparsity {} → {}", text::percent(sparsity.0), text::percent(sparsity.1)));
    }
    // Only this part of the memory changes.
    let (now, then) = (text::bytes(bytes.0), text::bytes(bytes.1));
    lines.push(format!("training state {now} → {then}"));
    if let Some((now, then)) = step_ms {
        lines.push(format!("step     {} → about {}", text::milliseconds(*now), text::milliseconds(*then)));
    }
    if let Some((now, then)) = rate {
        let (now, then) = (text::number_short(*now), text::number_short(*then));
        lines.push(match key {
            Some(key) => format!("{key}: also set learning rate to {then}"),
            None => format!("rate     {now}; the rule chooses {then}"),
        });
    }
    lines
}
