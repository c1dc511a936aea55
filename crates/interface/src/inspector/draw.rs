//! Draws the inspector.

use ratatui::layout::Rect;

use super::layout::arrange;
use super::{Dialog, Inspector};
use crate::frame::Screen;
use crate::keys::{Action, Context};
use crate::layout::{SMALLEST, centred};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::footer::{self, Hint};

mod charts;
mod lists;
pub mod parts;
mod strip;
mod table;

pub use lists::first_row;
pub use table::lines as table_lines;

/// Draws the whole screen.
pub fn whole(pen: &mut Pen, inspector: &Inspector) {
    let screen = pen.buffer.area;
    let Some(layout) = arrange(inspector) else {
        let line = format!("too small: {} x {} needed", SMALLEST.0, SMALLEST.1);
        let row = centred(screen, text::width(&line), 1);
        pen.put(row.x, row.y, row.width, &line, Meaning::Warn);
        return;
    };
    header(pen, layout.header, inspector);
    lists::runs(pen, layout.runs, inspector);
    lists::metrics(pen, layout.metrics, inspector);
    for (place, metric) in &layout.charts {
        charts::draw(pen, *place, *metric, inspector);
    }
    strip::draw(pen, layout.strip, inspector);
    footer::draw(pen, &hints(inspector));
    match inspector.layer {
        Some(Dialog::Differences) => table::draw(pen, screen, inspector),
        Some(Dialog::Export) => export(pen, screen, inspector),
        None => {}
    }
}

/// The key hints.
pub fn hints(inspector: &Inspector) -> Vec<Hint> {
    let Some(layout) = arrange(inspector) else { return Vec::new() };
    // The help comes first; a cursor overrides keys that otherwise move the view.
    let mut contexts = inspector.contexts();
    contexts.sort_by_key(|context| *context != Context::Screen);
    let taken = |action| matches!(action, Action::Pan(_)) && inspector.cursor.is_some();
    footer::hints(layout.footer, &inspector.env.look.keys, &contexts, |action, word| (!taken(action)).then_some(word))
}

/// The header: what is shown, and how.
fn header(pen: &mut Pen, row: Rect, inspector: &Inspector) {
    let shown = inspector.runs.iter().filter(|run| run.shown).count();
    let view = &inspector.view;
    let mut facts = vec![format!("{shown} of {} runs", inspector.runs.len())];
    facts.push(format!("over {}{}", view.along, if view.log_x { ", logarithmic" } else { "" }));
    facts.push(view.name().to_owned());
    facts.push(format!("smooth {}", view.smoothing()));
    if !view.envelope {
        facts.push("no envelope".into());
    }
    if !view.outlier_proof {
        facts.push("outliers count".into());
    }
    let x = pen.pieces(
        Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row },
        [("spartui", Meaning::Focus), ("  ", Meaning::Text), ("curves", Meaning::Title), ("  ", Meaning::Text)],
    );
    pen.put(x, row.y, row.right().saturating_sub(x + 1), &facts.join(" · "), Meaning::Muted);
}

/// Asks for the file format of the export.
fn export(pen: &mut Pen, screen: Rect, inspector: &Inspector) {
    let place = centred(screen, 60, 8);
    let inner = pen.frame(place, Meaning::Focus);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), " write this view ", Meaning::Focus);
    let keys = &inspector.env.look.keys;
    for (row, bound) in Pen::rows(inner).zip(keys.lines(Context::CurvesExport)) {
        pen.put(row.x + 1, row.y, 8, &bound.short_label(), Meaning::Key);
        pen.put(row.x + 9, row.y, row.width.saturating_sub(10), bound.line.help, Meaning::Text);
    }
}
