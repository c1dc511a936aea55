//! A view as text, as a terminal shows it.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use super::Export;
use crate::pen::Pen;
use crate::theme::Meaning;
use crate::widgets::chart::Chart;

/// Size of a chart in cells.
const CHART: (u16, u16) = (110, 24);

/// The charts one below the other, each with its title and legend.
pub fn write(export: &Export) -> String {
    let mut text = String::new();
    for &metric in &export.metrics {
        let lines = export.chart_lines(metric);
        text.push_str(&format!("{} over {}\n", metric.title(), export.view.along));
        let area = Rect::new(0, 0, CHART.0, CHART.1);
        let mut buffer = Buffer::empty(area);
        let chart = Chart {
            view: &export.view,
            extent: export.extent,
            unit: metric.unit(),
            lines: lines.iter().map(|(_, line)| *line).collect(),
            changes: &export.changes,
            cursor: None,
        };
        let mut pen = Pen::new(&mut buffer, &export.theme);
        if chart.draw(&mut pen, area).is_none() {
            pen.put(0, 0, area.width, "nothing to show", Meaning::Muted);
        }
        for row in buffer.content().chunks(usize::from(CHART.0)) {
            let row: String = row.iter().map(Cell::symbol).collect();
            text.push_str(row.trim_end());
            text.push('\n');
        }
        for (of, line) in &lines {
            if let Some((step, value)) = line.shape.raw().last() {
                text.push_str(&format!("{}: {} at step {step}\n", of.name, metric.unit().value(value)));
            }
        }
        text.push('\n');
    }
    text
}
