//! The charts of the inspector.

use ratatui::layout::Rect;

use super::parts::{boxed, changes, chart, empty, meaning};
use crate::inspector::{Focus, Inspector};
use crate::metric::Metric;
use crate::pen::Pen;
use crate::theme::Meaning;
use crate::widgets::facts_in_title;

/// Draws the chart of a metric.
pub fn draw(pen: &mut Pen, area: Rect, metric: Metric, inspector: &Inspector) {
    let focused = inspector.focus == Focus::Chart && inspector.chart == metric;
    let inner = boxed(pen, area, metric.title(), focused);
    let changes = changes(inspector);
    let Some((mut chart, known)) = chart(inspector, metric) else {
        empty(pen, inner, inspector);
        return;
    };
    chart.changes = &changes;
    let gaps: usize = chart.lines.iter().map(|line| line.shape.raw().gap_count()).sum();
    let Some(drawn) = chart.draw(pen, inner) else { return };
    let mut facts = Vec::new();
    if gaps > 0 {
        facts.push((format!("{gaps} NaN"), Meaning::Error));
    }
    if drawn.above > 0 {
        facts.push((format!("{} ▲", drawn.above), Meaning::Warn));
    }
    // The value of the most important line: the one on top.
    if let (Some(line), Some(which)) = (chart.lines.last(), known.last()) {
        let step = match inspector.cursor {
            Some(cursor) => line.measure.step(cursor.at),
            None => line.shape.raw().last().map_or(0, |(step, _)| step),
        };
        let value = metric.unit().value(line.shape.smoothed_near(step));
        facts.push((value, meaning(inspector, *which)));
    }
    facts.push((inspector.view.name().into(), Meaning::Muted));
    if drawn.log {
        facts.push(("log".into(), Meaning::Muted));
    }
    let title = u16::try_from(metric.title().len()).unwrap_or(0) + 3;
    let room = Rect { x: area.x + title, width: area.width.saturating_sub(title + 1), height: 1, ..area };
    facts_in_title(pen, room, &facts);
}
