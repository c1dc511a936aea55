//! Formats a metric along a field as text, JSON, CSV, Markdown and a picture.

use super::{Format, Table, aligned, escaped, piped, plain};
use crate::along::Along;
use crate::{Metric, Spread};
use spartui_facts::error::{Error, Result};

impl Format {
    /// Formats a metric along a field; the text ends with a line end.
    ///
    /// # Errors
    /// If a value cannot be represented in this format.
    pub fn write_along(self, along: &Along) -> Result<String> {
        match self {
            Self::Text => Ok(aligned(&table(along, "*")) + &format!("\n{}\n", said(along, "*"))),
            Self::Markdown => Ok(piped(&table(along, "")) + &format!("\n{}\n", escaped(&said(along, "")))),
            Self::Csv => csv(along),
            Self::Json => {
                let json = serde_json::to_string_pretty(along);
                Ok(json.map_err(|error| Error::failed(format!("the curve cannot be written: {error}")))? + "\n")
            }
        }
    }
}

fn said(along: &Along, mark: &str) -> String {
    let marked = if mark.is_empty() { String::new() } else { format!("; {mark}: the best of its line") };
    format!("best {} of each run, over {}{marked}", along.metric.name(), along.field)
}

fn table(along: &Along, mark: &str) -> Table {
    let mut heads = vec![("setting".to_owned(), false)];
    heads.extend(along.values.iter().map(|tick| (plain(&tick.text), true)));
    if mark.is_empty() {
        heads.push(("best at".into(), true));
    }
    let rows = along.lines.iter().map(|line| {
        let mut cells = vec![plain(&line.setting)];
        cells.extend(line.points.iter().enumerate().map(|(at, point)| match point {
            Some(Spread { mean, .. }) => {
                let mark = if line.best == Some(at) { mark } else { "" };
                format!("{mark}{}", scored(along.metric, *mean))
            }
            None => String::new(),
        }));
        if mark.is_empty() {
            cells.push(line.best.map_or_else(String::new, |best| plain(&along.values[best].text)));
        }
        cells
    });
    Table { heads, rows: rows.collect() }
}

fn scored(metric: Metric, mean: f64) -> String {
    match metric {
        Metric::Accuracy => format!("{:.2} %", mean * 100.0),
        Metric::EvalLoss => format!("{mean:.4}"),
    }
}

fn csv(along: &Along) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::failed(format!("the curve cannot be written: {error}"));
    writer.write_record(["setting", &along.field, "metric", "mean", "deviation", "runs", "best"]).map_err(failed)?;
    for line in &along.lines {
        for (at, (point, tick)) in line.points.iter().zip(&along.values).enumerate() {
            let Some(Spread { mean, deviation, runs }) = point else { continue };
            let (mean, runs) = (mean.to_string(), runs.to_string());
            let deviation = deviation.map_or_else(String::new, |deviation| deviation.to_string());
            let best = if line.best == Some(at) { "best" } else { "" };
            let metric = along.metric.name();
            writer.write_record([&line.setting, &tick.text, metric, &mean, &deviation, &runs, best]).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::super::along::tests::rates;
    use super::*;

    #[test]
    fn a_curve_in_words_and_tables() {
        let along = Along::of(&rates(), "optimizer.learning_rate").unwrap();
        insta::assert_snapshot!(Format::Text.write_along(&along).unwrap());
        insta::assert_snapshot!(Format::Markdown.write_along(&along).unwrap());
        let csv = Format::Csv.write_along(&along).unwrap();
        assert!(csv.contains("sparta,0.001,accuracy,0.75,0.07"), "{csv}");
        assert_eq!(csv.lines().count(), 5);
    }
}
