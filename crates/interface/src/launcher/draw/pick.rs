//! A list to choose from.

use ratatui::layout::Rect;

use super::{form, sample};
use crate::keys::{Action, Context};
use crate::launcher::pick::{Files, Pick, PickKind};
use crate::launcher::place::pick_places;
use crate::launcher::{Launcher, Row};
use crate::layout::split_top;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::list;
use crate::widgets::list::{first_row_centred, inside};

/// Draws the list.
pub fn draw(pen: &mut Pen, screen: Rect, pick: &Pick, launcher: &Launcher) {
    let (outer, list, beside) = pick_places(screen, &pick.what);
    let remark = pick.files().map(|files| launcher.seen(&files.folder));
    let remark = remark.map_or_else(String::new, |seen| if seen.is_empty() { ".".to_owned() } else { seen });
    super::parts::titled(pen, outer, Meaning::Focus, pick.title(), (&remark, Meaning::Muted));
    let (input, _) = split_top(inside(outer), 1);
    let x = pen.put(input.x, input.y, 2, "› ", Meaning::Key);
    let input = Rect { x, width: input.right().saturating_sub(x), ..input };
    form::edit_line(pen, input, &pick.typed, Meaning::Text);
    if pick.typed.text.is_empty() {
        let hint = match &pick.what {
            PickKind::Model(..) => "type to search; a folder or a name on the hub such as owner/name serves too",
            PickKind::File(_) | PickKind::Recipe(_) => "type to search; a path serves too",
        };
        pen.put(input.x + 1, input.y, input.width.saturating_sub(1), hint, Meaning::Muted);
    }
    rows(pen, list, pick);
    if let PickKind::File(files) = &pick.what
        && beside.width > 0
    {
        preview(pen, beside, files);
    }
    let mut hints = vec![(Action::PickTake, "chooses"), (Action::Leave, "closes")];
    if pick.files().is_some() {
        hints.insert(1, (Action::PickComplete, "completes"));
        hints.insert(2, (Action::PickAbove, "the folder above"));
    }
    let hint = launcher.env.look.keys.hints(Context::Pick, &hints);
    let bottom = Rect { y: outer.bottom().saturating_sub(1), width: outer.width.saturating_sub(2), height: 1, ..outer };
    pen.put_right(bottom, &hint, Meaning::Muted);
}

fn rows(pen: &mut Pen, area: Rect, pick: &Pick) {
    let rows = pick.rows();
    let said = match &pick.what {
        _ if pick.is_waiting() => Some("looking".to_owned()),
        PickKind::File(Files { entries: Some(Err(why)), .. }) => Some(text::safe_text(why)),
        PickKind::Model(..) if pick.typed.text.is_empty() && !rows.iter().any(Row::is_model) => {
            let is_start = pick.files().is_none_or(|files| files.folder == files.start);
            let cache = if is_start { ", nor in the cache of the hub" } else { "" };
            Some(format!("there is no model below this folder{cache}"))
        }
        PickKind::Recipe(_) if rows.is_empty() && pick.typed.text.is_empty() => {
            Some("there is no recipe here yet".into())
        }
        _ if rows.is_empty() => Some("nothing of this name".into()),
        _ => None,
    };
    if let Some(said) = said {
        // Below the existing rows.
        let (_, below) = split_top(area, u16::try_from(rows.len()).unwrap_or(u16::MAX).min(area.height));
        for (row, line) in Pen::rows(below).zip(text::wrap(&said, area.width.saturating_sub(1))) {
            pen.put(row.x + 1, row.y, row.width.saturating_sub(1), &line, Meaning::Muted);
        }
        if rows.is_empty() {
            return;
        }
    }
    let selected = pick.row.min(rows.len().saturating_sub(1));
    let first = first_row_centred(selected, rows.len(), area.height);
    // The key hints take the rest of the edge.
    list::more(pen, Rect { width: area.width / 3, ..area }, first, usize::from(area.height), rows.len());
    for (index, (row, entry)) in Pen::rows(area).zip(rows.iter().skip(first)).enumerate() {
        let (left, right) = entry.texts();
        let room = row.width.saturating_sub(2);
        let meaning = match entry {
            Row::Above | Row::Typed(_) => Meaning::Muted,
            Row::Entry(entry) if entry.folder => Meaning::Series1,
            _ => Meaning::Text,
        };
        let x = pen.put(row.x + 1, row.y, room, &left, meaning);
        let rest = Rect { x: x + 2, width: row.right().saturating_sub(x + 3), ..row };
        if text::width(&right) <= rest.width {
            pen.put_right(rest, &right, Meaning::Muted);
        }
        if first + index == selected {
            pen.restyle(row, Meaning::Selection);
        }
    }
}

fn preview(pen: &mut Pen, area: Rect, files: &Files) {
    match &files.sample {
        None => {}
        Some((_, None)) => {
            pen.put(area.x, area.y, area.width, "reading", Meaning::Muted);
        }
        Some((_, Some(Err(why)))) => {
            for (row, line) in Pen::rows(area).zip(text::wrap(&text::safe_text(why), area.width)) {
                pen.put(row.x, row.y, row.width, &line, Meaning::Error);
            }
        }
        Some((_, Some(Ok(sample)))) => sample::whole(pen, area, sample),
    }
}
