//! A view as a picture: charts one below the other, in higher resolution than on a terminal.

use super::Export;
use crate::curves::picture::{Anchor, Picture, Rgb, Shape};
use crate::metric::Metric;
use crate::theme::Meaning;
use crate::widgets::axis::Axis;
use crate::widgets::chart::{Chart, scale_ticks};
use crate::widgets::window::Window;
use spartui_facts::series::Column;

/// Size of a chart in pixels, with its labels.
const CHART: (u32, u32) = (1200, 420);
/// Margins for labels: left, above, right and below the plot.
const MARGIN: (f64, f64, f64, f64) = (90.0, 44.0, 24.0, 34.0);
/// Height of a line of text in pixels.
const LINE: f64 = 20.0;
/// Half the size of the mark of a single point.
const MARK: f64 = 5.0;

/// Ink is dark on paper, whatever the terminal's colours are.
const PAPER: Rgb = (255, 255, 255);
const INK: Rgb = (36, 41, 47);
const FAINT: Rgb = (208, 213, 220);
/// Line colours that differ clearly on white, also for the colour-blind.
const LINES: [Rgb; 8] = [
    (0, 95, 178),
    (213, 94, 0),
    (0, 138, 100),
    (170, 68, 153),
    (0, 150, 200),
    (184, 134, 11),
    (190, 30, 45),
    (90, 90, 90),
];

/// Draws the picture.
pub fn draw(export: &Export) -> Picture {
    let legend = LINE * export.lines.len() as f64 + 16.0;
    let height = f64::from(CHART.1) * export.metrics.len() as f64 + legend;
    let mut picture = Picture { width: CHART.0, height: height as u32, background: PAPER, shapes: Vec::new() };
    for (at, metric) in export.metrics.iter().enumerate() {
        chart(&mut picture, export, *metric, at as f64 * f64::from(CHART.1));
    }
    let mut y = height - legend + LINE;
    for (at, line) in export.lines.iter().enumerate() {
        let points = vec![(MARGIN.0, y - 5.0), (MARGIN.0 + 30.0, y - 5.0)];
        picture.shapes.push(Shape::Line { points, colour: LINES[at % 8], width: 3.0, opacity: 1.0 });
        text(&mut picture, (MARGIN.0 + 40.0, y), Anchor::Start, INK, &line.name);
        y += LINE;
    }
    picture
}

fn text(picture: &mut Picture, (x, y): (f64, f64), anchor: Anchor, colour: Rgb, text: &str) {
    picture.shapes.push(Shape::Text { x, y, anchor, colour, text: text.to_owned() });
}

/// The plot of a chart.
struct Plot {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    axis: Axis,
    window: Window,
}

impl Plot {
    fn x(&self, dot: f64) -> f64 {
        self.left + dot
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.axis.share(value) * self.height
    }
}

fn chart(picture: &mut Picture, export: &Export, metric: Metric, top: f64) {
    let lines = export.chart_lines(metric);
    let (width, height) = (f64::from(CHART.0) - MARGIN.0 - MARGIN.2, f64::from(CHART.1) - MARGIN.1 - MARGIN.3);
    let shown = lines.iter().map(|(_, line)| *line).collect();
    let (view, unit) = (&export.view, metric.unit());
    let chart = Chart { view, extent: export.extent, unit, lines: shown, changes: &export.changes, cursor: None };
    let window = Window::new(view, chart.extent(), width as usize);
    let axis = chart.axis(&window);
    let plot = Plot { left: MARGIN.0, top: top + MARGIN.1, width, height, axis, window };
    let smoothing = view.smoothing();
    let smooths = smoothing > 0.0 && metric.is_noisy();
    let how = if smooths { format!(", smoothed by {smoothing}") } else { String::new() };
    let title = format!("{} over {}{how}", metric.title(), view.along);
    text(picture, (MARGIN.0, top + 26.0), Anchor::Start, INK, &title);
    frame(picture, &plot, &chart);
    for (index, (of, line)) in lines.iter().enumerate() {
        let at = export.lines.iter().position(|line| std::ptr::eq(line, *of)).unwrap_or(index);
        let colour = LINES[at % 8];
        let raw = line.raw_columns(&plot.window);
        let gaps = line.gaps(&plot.window);
        if !smooths {
            strokes(picture, &plot, &raw, &gaps, &Stroke { colour, width: 2.0, opacity: 1.0 });
            continue;
        }
        if view.envelope {
            strokes(picture, &plot, &raw, &gaps, &Stroke { colour, width: 1.0, opacity: 0.25 });
        }
        strokes(picture, &plot, &line.thin_columns(&plot.window), &gaps, &Stroke { colour, width: 2.0, opacity: 1.0 });
    }
    changes(picture, &plot, export);
}

/// How a line is drawn.
struct Stroke {
    colour: Rgb,
    width: f64,
    opacity: f64,
}

/// Lines through columns, from each to the next one with a value, never across a gap.
fn strokes(
    picture: &mut Picture,
    plot: &Plot,
    columns: &[Option<Column>],
    gaps: &[usize],
    &Stroke { colour, width, opacity }: &Stroke,
) {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut ended = |points: &mut Vec<(f64, f64)>| {
        let mut points = std::mem::take(points);
        if let [(x, y)] = points[..] {
            // A single point makes no line, and one dot is easily overlooked.
            points = [(-MARK, 0.0), (0.0, -MARK), (MARK, 0.0), (0.0, MARK), (-MARK, 0.0)]
                .map(|(dx, dy)| (x + dx, y + dy))
                .to_vec();
        }
        if !points.is_empty() {
            picture.shapes.push(Shape::Line { points, colour, width, opacity });
        }
    };
    for (dot, (column, gaps)) in columns.iter().zip(gaps).enumerate() {
        if *gaps > 0 {
            ended(&mut points);
        }
        let Some(column) = column else { continue };
        if plot.axis.is_above(column.min) {
            ended(&mut points);
            continue;
        }
        let x = plot.x(dot as f64);
        let heights = [column.first, column.min, column.max, column.last].map(|value| plot.y(value));
        for y in heights {
            if points.last() != Some(&(x, y)) {
                points.push((x, y));
            }
        }
    }
    ended(&mut points);
}

/// The plot's frame, with round tick labels.
fn frame(picture: &mut Picture, plot: &Plot, chart: &Chart) {
    let (right, bottom) = (plot.left + plot.width, plot.top + plot.height);
    let line = |points: Vec<(f64, f64)>, colour| Shape::Line { points, colour, width: 1.0, opacity: 1.0 };
    for (value, label) in plot.axis.ticks(8) {
        let y = plot.y(value);
        picture.shapes.push(line(vec![(plot.left, y), (right, y)], FAINT));
        text(picture, (plot.left - 8.0, y + 5.0), Anchor::End, INK, &chart.unit.label(value, label));
    }
    for (value, label) in scale_ticks(&plot.window, chart.view.along, 8) {
        let x = plot.x((plot.window.place(value) - plot.window.start) / plot.window.per_dot);
        picture.shapes.push(line(vec![(x, bottom), (x, bottom + 5.0)], INK));
        text(picture, (x, bottom + 22.0), Anchor::Middle, INK, &label);
    }
    let edges = vec![(plot.left, plot.top), (plot.left, bottom), (right, bottom)];
    picture.shapes.push(line(edges, INK));
}

fn changes(picture: &mut Picture, plot: &Plot, export: &Export) {
    let colour = export.colour(Meaning::Pending, LINES[1]);
    for change in &export.changes {
        let Some(dot) = plot.window.dot(change.before).or_else(|| plot.window.dot(change.after)) else { continue };
        let x = plot.x(dot as f64);
        let points = vec![(x, plot.top), (x, plot.top + plot.height)];
        picture.shapes.push(Shape::Line { points, colour, width: 1.0, opacity: 0.6 });
        text(picture, (x + 4.0, plot.top + 12.0), Anchor::Start, colour, &change.text);
    }
}
