//! A view as rows: every visible point, neither thinned nor smoothed.

use super::{Export, ExportLine};
use crate::metric::Metric;
use crate::widgets::Shape;
use crate::widgets::chart::Along;
use crate::widgets::window::Window;

/// One row for each step of each branch, with a column for each metric, and one for each smoothed metric.
pub fn write(export: &Export) -> Result<Vec<u8>, String> {
    let failed = |error: csv::Error| format!("the rows cannot be written: {error}");
    let mut writer = csv::Writer::from_writer(Vec::new());
    let smooths = |metric: Metric| export.view.smoothing() > 0.0 && metric.is_noisy();
    let mut head: Vec<String> = ["run", "branch", "step", "epoch", "tokens", "time"].map(str::to_owned).to_vec();
    for metric in &export.metrics {
        head.push(metric.column().to_owned());
        if smooths(*metric) {
            head.push(format!("{}_smoothed_{}", metric.column(), export.view.smoothing()));
        }
    }
    writer.write_record(&head).map_err(failed)?;
    let extent = if export.view.log_x { export.extent.logarithmic() } else { export.extent };
    let (start, size) = export.view.window(extent);
    let window = Window { start, per_dot: size, dots: 1, log: export.view.log_x };
    for line in &export.lines {
        let measure = line.track.measure(export.view.along);
        let (from, to) = (measure.step(window.value(start)), measure.step(window.value(start + size)));
        for step in steps(line, &export.metrics, from, to).into_iter().filter(|step| line.track.owns(*step)) {
            let mut row = vec![line.run.clone(), line.branch.to_string(), step.to_string()];
            for along in [Along::Epochs, Along::Tokens, Along::Time] {
                row.push(rounded(line.track.measure(along).value(step)));
            }
            for metric in &export.metrics {
                let shape = line.track.curve(*metric);
                let point = shape.and_then(|shape| shape.raw().nearest(step)).filter(|(at, _)| *at == step);
                row.push(point.map_or_else(String::new, |(_, value)| exact(value)));
                if smooths(*metric) {
                    let smoothed = match (shape, point) {
                        (Some(Shape::Curve(curve)), Some(_)) => rounded(curve.smoothed_near(step)),
                        _ => String::new(),
                    };
                    row.push(smoothed);
                }
            }
            writer.write_record(&row).map_err(failed)?;
        }
    }
    writer.into_inner().map_err(|error| format!("the rows cannot be written: {error}"))
}

/// The visible steps at which any of the metrics has a point.
fn steps(line: &ExportLine, metrics: &[Metric], from: u64, to: u64) -> Vec<u64> {
    let mut steps: Vec<u64> = Vec::new();
    for shape in metrics.iter().filter_map(|metric| line.track.curve(*metric)) {
        let series = shape.raw();
        steps.extend((series.before(from)..series.before(to)).map(|index| series.at(index).0));
    }
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// A stored value with all its digits.
fn exact(value: f64) -> String {
    (value as f32).to_string()
}

/// Seven digits: more than any measurement here has.
fn rounded(value: f64) -> String {
    format!("{value:.6e}").parse::<f64>().unwrap_or(value).to_string()
}
