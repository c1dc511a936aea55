//! Formats a comparison as text, JSON, CSV and Markdown.

mod along;

use super::cells::{Column, difference, limits, p_value, test_name};
use super::spread::Spread;
use super::{Comparison, EXACT_BELOW, Metric, RESAMPLES, Row};
use spartui_facts::error::{Error, Result};

/// The format of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text in columns.
    Text,
    /// One JSON object.
    Json,
    /// A line for each setting, with full precision.
    Csv,
    /// Markdown tables.
    Markdown,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Csv, Self::Markdown];

    /// The file name extension.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Markdown => "md",
        }
    }

    /// Formats a comparison; the text ends with a line end.
    ///
    /// # Errors
    /// If a value cannot be represented in this format.
    pub fn write(self, comparison: &Comparison) -> Result<String> {
        match self {
            Self::Text => Ok(text(comparison)),
            Self::Markdown => Ok(markdown(comparison)),
            Self::Csv => csv(comparison),
            Self::Json => {
                let json = serde_json::to_string_pretty(comparison);
                Ok(json.map_err(|error| Error::failed(format!("the comparison cannot be written: {error}")))? + "\n")
            }
        }
    }
}

/// The columns of the first table.
fn columns() -> impl Iterator<Item = Column> {
    Column::ALL.into_iter().filter(|column| !matches!(column, Column::Difference | Column::P))
}

/// A table: its headings, whether each column is right-aligned, and its rows.
struct Table {
    heads: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

fn settings(comparison: &Comparison) -> Table {
    let heads = columns().map(|column| {
        let heading = column.heading(comparison);
        (heading.title, heading.right)
    });
    let row = |row: &Row| columns().map(|column| plain(&column.cell(comparison, row))).collect();
    Table { heads: heads.collect(), rows: comparison.settings.iter().map(row).collect() }
}

/// The tests; none without any.
fn tests(comparison: &Comparison) -> Option<Table> {
    let metric = comparison.metric;
    let classifies = metric == Metric::Accuracy;
    let difference_of = format!("difference of {}", comparison.tested.name());
    let mut heads = vec![("setting", false), (difference_of.as_str(), true), ("95 % interval", true)];
    if classifies {
        heads.extend([("p", true), ("McNemar", false), ("only the first right", true), ("only this right", true)]);
    }
    heads.extend([("pairs", true), ("rows", true)]);
    let row = |row: &Row| {
        let test = row.test.as_ref()?;
        let mut cells = vec![plain(&row.setting), difference(metric, test), limits(metric, test)];
        if let Some(mcnemar) = &test.mcnemar {
            let counts = [mcnemar.only_first, mcnemar.only_second].map(|count| count.to_string());
            cells.extend([p_value(mcnemar.p), test_name(mcnemar.test).to_owned()]);
            cells.extend(counts);
        }
        cells.extend([test.pairs.len().to_string(), test.rows.to_string()]);
        Some(cells)
    };
    let rows: Vec<Vec<String>> = comparison.settings.iter().filter_map(row).collect();
    let heads = heads.into_iter().map(|(head, right)| (head.to_owned(), right)).collect();
    (!rows.is_empty()).then_some(Table { heads, rows })
}

/// F1 of each label in each setting; none if no setting has labels.
fn classes(comparison: &Comparison) -> Option<Table> {
    let told: Vec<&Row> = comparison.settings.iter().filter(|row| !row.classes.is_empty()).collect();
    let first = told.first()?;
    let heads = [("F1 by label".to_owned(), false), ("rows".to_owned(), true)];
    let heads = heads.into_iter().chain(told.iter().map(|row| (plain(&row.setting), true))).collect();
    let of = |row: &Row, label: &str| row.classes.iter().find(|class| class.label == label).map(|class| class.f1);
    let cell = |f1: Option<f64>| f1.map_or_else(|| "-".into(), |f1| format!("{:.2} %", f1 * 100.0));
    let mut rows: Vec<Vec<String>> = first
        .classes
        .iter()
        .map(|class| {
            let cells = told.iter().map(|row| cell(of(row, &class.label)));
            let runs = first.runs.len().max(1) as u64;
            [plain(&class.label), (class.rows / runs).to_string()].into_iter().chain(cells).collect()
        })
        .collect();
    let means = told.iter().map(|row| cell(row.macro_f1));
    rows.push(["mean of the labels".to_owned(), String::new()].into_iter().chain(means).collect());
    Some(Table { heads, rows })
}

/// Explanations of the tests.
fn explained(comparison: &Comparison) -> Vec<String> {
    let against = comparison.settings.get(comparison.against).map_or("", |row| &row.setting);
    let metric = match comparison.metric {
        Metric::Accuracy => "accuracy in percentage points",
        Metric::EvalLoss => "eval_loss in nats, each token counted once",
    };
    let mut lines = vec![
        "±: standard deviation over the seeds of a setting. Memory, times and sizes are means over its runs."
            .to_owned(),
    ];
    if comparison.settings.iter().all(|row| row.test.is_none()) {
        return lines;
    }
    lines.push(format!(
        "The difference is {metric}, less that of \"{}\", {}, on the same validation rows. \
         Its interval: {RESAMPLES} paired bootstrap resamples of the rows, 2.5 % of them below and above; a row has the mean \
         over the pairs of runs, so that the interval tells of other rows, and not of other seeds.",
        plain(against),
        comparison.tested.in_words()
    ));
    if comparison.metric == Metric::Accuracy {
        lines.push(format!(
            "p: McNemar's test over the rows of all pairs; the same row counts once for each pair, as if it were another one. \
             Exact (two-sided binomial) where fewer than {EXACT_BELOW} rows are right in one and wrong in the other, else \
             chi-square with continuity correction. Not corrected for the number of tests."
        ));
    }
    lines
}

/// A text from a recipe or a file name on one line.
fn plain(text: &str) -> String {
    let fit = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(fit).collect()
}

fn text(comparison: &Comparison) -> String {
    let mut text = aligned(&settings(comparison));
    if let Some(tests) = tests(comparison) {
        let against = comparison.settings.get(comparison.against).map_or("", |row| &row.setting);
        text.push_str(&format!("\nagainst {}\n", plain(against)));
        text.push_str(&aligned(&tests));
    }
    if let Some(classes) = classes(comparison) {
        text.push('\n');
        text.push_str(&aligned(&classes));
    }
    text.push('\n');
    for line in explained(comparison).iter().chain(&comparison.notes) {
        text.push_str(&plain(line));
        text.push('\n');
    }
    text
}

fn aligned(table: &Table) -> String {
    let heads: Vec<String> = table.heads.iter().map(|(head, _)| head.clone()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&heads).chain(&table.rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for row in all {
        let cells = row.iter().zip(&table.heads).zip(&widths).map(|((cell, (_, right)), &width)| {
            if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn markdown(comparison: &Comparison) -> String {
    let mut text = piped(&settings(comparison));
    if let Some(tests) = tests(comparison) {
        let against = comparison.settings.get(comparison.against).map_or("", |row| &row.setting);
        text.push_str(&format!("\nAgainst {}:\n\n", escaped(against)));
        text.push_str(&piped(&tests));
    }
    if let Some(classes) = classes(comparison) {
        text.push('\n');
        text.push_str(&piped(&classes));
    }
    for line in explained(comparison).iter().chain(&comparison.notes) {
        text.push_str(&format!("\n{}\n", escaped(&plain(line))));
    }
    text
}

fn piped(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(table.heads.iter().map(|(head, _)| escaped(head)).collect());
    let rule = |right: &bool| if *right { "---:" } else { "---" }.to_owned();
    text.push_str(&line(table.heads.iter().map(|(_, right)| rule(right)).collect()));
    for row in &table.rows {
        text.push_str(&line(row.iter().map(|cell| escaped(cell)).collect()));
    }
    text
}

/// Escapes characters with a meaning in Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "|*_`<>\\#~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn csv(comparison: &Comparison) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fields: Vec<&String> = {
        let mut seen = Vec::new();
        for (field, _) in comparison.settings.iter().flat_map(|row| &row.fields) {
            if !seen.contains(&field) {
                seen.push(field);
            }
        }
        seen
    };
    let mut heads: Vec<String> = vec!["setting".into()];
    heads.extend(fields.iter().map(|field| (*field).clone()));
    heads.extend(["runs", "names", "metric"].map(str::to_owned));
    for name in ["best", "last", "trainable", "sparsity", "peak_memory_bytes", "step_seconds", "result_bytes", "steps"]
    {
        heads.extend([name.to_owned(), format!("{name}_deviation")]);
    }
    heads.push("macro_f1".into());
    let tested = ["difference", "low", "high", "p", "mcnemar", "only_first", "only_second", "pairs", "rows"];
    heads.extend(tested.map(str::to_owned));
    let failed = |error: csv::Error| Error::failed(format!("the comparison cannot be written: {error}"));
    writer.write_record(&heads).map_err(failed)?;
    for row in &comparison.settings {
        let mut cells = vec![row.setting.clone()];
        let own = |field: &String| row.fields.iter().find(|(name, _)| name == field);
        cells.extend(fields.iter().map(|field| own(field).map_or_else(String::new, |(_, value)| value.clone())));
        cells.extend([row.runs.len().to_string(), row.runs.join(" "), comparison.metric.name().to_owned()]);
        let spreads = [
            row.best,
            row.last,
            row.trainable,
            row.sparsity,
            row.peak_memory,
            row.step_seconds,
            row.result_bytes,
            row.steps,
        ];
        cells.extend(spreads.into_iter().flat_map(numbers));
        cells.push(row.macro_f1.map_or_else(String::new, |f1| f1.to_string()));
        cells.extend(tested_cells(row));
        writer.write_record(&cells).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Mean and deviation; empty if missing.
fn numbers(spread: Option<Spread>) -> [String; 2] {
    let deviation = spread.and_then(|spread| spread.deviation);
    [spread.map(|spread| spread.mean), deviation].map(|value| value.map_or_else(String::new, |value| value.to_string()))
}

fn tested_cells(row: &Row) -> [String; 9] {
    let Some(test) = &row.test else { return Default::default() };
    let difference = test.difference;
    let mcnemar = test.mcnemar.as_ref();
    let of = |value: Option<String>| value.unwrap_or_default();
    [
        difference.difference.to_string(),
        difference.low.to_string(),
        difference.high.to_string(),
        of(mcnemar.map(|test| test.p.to_string())),
        of(mcnemar.map(|test| test_name(test.test).to_owned())),
        of(mcnemar.map(|test| test.only_first.to_string())),
        of(mcnemar.map(|test| test.only_second.to_string())),
        test.pairs.len().to_string(),
        test.rows.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{six_runs, spoken, subject};
    use super::*;

    fn comparison() -> Comparison {
        Comparison::of(&six_runs(), 0).unwrap()
    }

    #[test]
    fn as_text() {
        insta::assert_snapshot!(Format::Text.write(&comparison()).unwrap());
    }

    #[test]
    fn as_markdown() {
        insta::assert_snapshot!(Format::Markdown.write(&comparison()).unwrap());
    }

    #[test]
    fn of_language_models() {
        let mut runs =
            [subject("a", &["task.kind=causal-lm"]), subject("b", &["task.kind=causal-lm", "method.sparsity=0.9"])];
        runs[0].predictions = Ok(spoken("same", &[(4.0, 2), (3.0, 6), (2.0, 2)]));
        runs[1].predictions = Ok(spoken("same", &[(2.0, 2), (1.0, 6), (2.0, 2)]));
        insta::assert_snapshot!(Format::Text.write(&Comparison::of(&runs, 0).unwrap()).unwrap());
    }

    #[test]
    fn csv_and_json_have_the_numbers_in_full() {
        let text = Format::Csv.write(&comparison()).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heads = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
        let cell = |row: usize, name: &str| &rows[row][heads.iter().position(|head| head == name).unwrap()];
        assert_eq!((cell(0, "method.kind"), cell(0, "runs"), cell(0, "names")), ("sparta", "3", "a0 a1 a2"));
        assert_eq!(
            (cell(1, "trainable"), cell(1, "only_first"), cell(1, "mcnemar")),
            ("4620", "80", "chi-square, corrected")
        );
        assert_eq!((cell(0, "p"), cell(1, "method.sparsity")), ("", ""));
        let json: serde_json::Value = serde_json::from_str(&Format::Json.write(&comparison()).unwrap()).unwrap();
        let p = json["settings"][1]["test"]["mcnemar"]["p"].as_f64().unwrap();
        assert_eq!(p.to_string(), cell(1, "p"));
        assert_eq!(json["settings"][1]["test"]["mcnemar"]["test"], "chi_square_corrected");
        assert_eq!(
            (json["metric"].as_str(), json["settings"][0]["best"]["runs"].as_u64()),
            (Some("accuracy"), Some(3))
        );
    }

    #[test]
    fn names_cannot_break_a_table() {
        let runs = [subject("a|b\n*c*", &["data.label=x|y"]), subject("d", &["data.label=z"])];
        let comparison = Comparison::of(&runs, 0).unwrap();
        let markdown = Format::Markdown.write(&comparison).unwrap();
        assert!(markdown.contains("sparta, label x\\|y"), "{markdown}");
        assert!(Format::Text.write(&comparison).unwrap().lines().all(|line| !line.chars().any(char::is_control)));
    }
}
