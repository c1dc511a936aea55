//! The cells of a comparison's table.

use super::mcnemar::Test;
use super::spread::Spread;
use super::{Comparison, Metric, Paired, Row};

/// A column of the table of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The label of a setting.
    Setting,
    /// Number of runs.
    Runs,
    /// The metric of the best evaluation.
    Best,
    /// The metric of the last evaluation.
    Last,
    /// The metric minus that of the baseline.
    Difference,
    /// The p-value of the difference.
    P,
    /// Trainable scalars.
    Trainable,
    /// Sparsity.
    Sparsity,
    /// Peak memory.
    Memory,
    /// Median time of a step.
    Step,
    /// Size of the result.
    Size,
    /// Steps taken.
    Steps,
}

/// The heading of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Its title.
    pub title: String,
    /// Whether its cells are right-aligned.
    pub right: bool,
}

impl Column {
    /// All columns in order.
    pub const ALL: [Self; 12] = [
        Self::Setting,
        Self::Runs,
        Self::Best,
        Self::Last,
        Self::Difference,
        Self::P,
        Self::Trainable,
        Self::Sparsity,
        Self::Memory,
        Self::Step,
        Self::Size,
        Self::Steps,
    ];

    /// Its heading.
    #[must_use]
    pub fn heading(self, comparison: &Comparison) -> Heading {
        let name = comparison.metric.name();
        let title = match self {
            Self::Setting => "setting".into(),
            Self::Runs => "runs".into(),
            Self::Best => format!("best {name}"),
            Self::Last => format!("last {name}"),
            Self::Difference => format!("difference of {}, 95 %", comparison.tested.name()),
            Self::P => "p".into(),
            Self::Trainable => "trainable".into(),
            Self::Sparsity => "sparsity".into(),
            Self::Memory => "peak memory".into(),
            Self::Step => "median step".into(),
            Self::Size => "adapter".into(),
            Self::Steps => "steps".into(),
        };
        Heading { title, right: self != Self::Setting }
    }

    /// Its cell for a setting.
    #[must_use]
    pub fn cell(self, comparison: &Comparison, row: &Row) -> String {
        let metric = comparison.metric;
        let dash = || "-".to_owned();
        let mean = |spread: Option<Spread>, shown: &dyn Fn(f64) -> String| spread.map_or_else(dash, |s| shown(s.mean));
        match self {
            Self::Setting => row.setting.clone(),
            Self::Runs => row.runs.len().to_string(),
            Self::Best => row.best.map_or_else(dash, |best| scored(metric, best)),
            Self::Last => row.last.map_or_else(dash, |last| scored(metric, last)),
            Self::Difference => match &row.test {
                Some(test) => format!("{} {}", difference(metric, test), limits(metric, test)),
                None => dash(),
            },
            Self::P => row.test.as_ref().and_then(|test| test.mcnemar).map_or_else(dash, |test| p_value(test.p)),
            Self::Trainable => mean(row.trainable, &grouped),
            Self::Sparsity => mean(row.sparsity, &percent),
            Self::Memory => mean(row.peak_memory, &mebibytes),
            Self::Step => mean(row.step_seconds, &milliseconds),
            Self::Size => mean(row.result_bytes, &mebibytes),
            Self::Steps => mean(row.steps, &|steps| format!("{steps:.0}")),
        }
    }

    /// Its number for sorting; none for texts and missing values, which come last.
    #[must_use]
    pub fn number(self, row: &Row) -> Option<f64> {
        let mean = |spread: Option<Spread>| spread.map(|spread| spread.mean);
        match self {
            Self::Setting => None,
            #[expect(clippy::cast_precision_loss, reason = "runs are few")]
            Self::Runs => Some(row.runs.len() as f64),
            Self::Best => mean(row.best),
            Self::Last => mean(row.last),
            Self::Difference => row.test.as_ref().map(|test| test.difference.difference),
            Self::P => row.test.as_ref().and_then(|test| test.mcnemar).map(|test| test.p),
            Self::Trainable => mean(row.trainable),
            Self::Sparsity => mean(row.sparsity),
            Self::Memory => mean(row.peak_memory),
            Self::Step => mean(row.step_seconds),
            Self::Size => mean(row.result_bytes),
            Self::Steps => mean(row.steps),
        }
    }
}

/// A metric with its spread.
fn scored(metric: Metric, spread: Spread) -> String {
    let Spread { mean, deviation, .. } = spread;
    match (metric, deviation) {
        (Metric::Accuracy, Some(deviation)) => format!("{:.2} ± {:.2} %", mean * 100.0, deviation * 100.0),
        (Metric::Accuracy, None) => format!("{:.2} %", mean * 100.0),
        (Metric::EvalLoss, Some(deviation)) => format!("{mean:.4} ± {deviation:.4}"),
        (Metric::EvalLoss, None) => format!("{mean:.4}"),
    }
}

/// The difference of a metric, with its sign.
pub fn difference(metric: Metric, test: &Paired) -> String {
    signed(metric, test.difference.difference)
}

/// The limits of a difference's interval.
pub fn limits(metric: Metric, test: &Paired) -> String {
    format!("[{}, {}]", signed(metric, test.difference.low), signed(metric, test.difference.high))
}

fn signed(metric: Metric, value: f64) -> String {
    match metric {
        // In percentage points.
        Metric::Accuracy => format!("{:+.2}", value * 100.0 + 0.0),
        Metric::EvalLoss => format!("{:+.4}", value + 0.0),
    }
}

/// A p-value with its significant digits.
pub fn p_value(p: f64) -> String {
    match p {
        p if p >= 0.9995 => "1".into(),
        p if p >= 0.001 => format!("{p:.3}"),
        p if p >= 1e-99 => format!("{p:.0e}"),
        _ => "<1e-99".into(),
    }
}

/// The name of a test.
pub fn test_name(test: Test) -> &'static str {
    match test {
        Test::ExactBinomial => "exact binomial",
        Test::ChiSquareCorrected => "chi-square, corrected",
    }
}

/// A whole number with grouped digits.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A share with enough digits to distinguish 99.9 % from 99.95 %.
fn percent(share: f64) -> String {
    let digits = match (1.0 - share).min(share).abs() * 100.0 {
        0.0 => 0,
        rest if rest < 0.01 => 4,
        rest if rest < 0.1 => 3,
        rest if rest < 1.0 => 2,
        _ => 1,
    };
    format!("{:.digits$} %", share * 100.0)
}

fn mebibytes(bytes: f64) -> String {
    let mib = bytes / f64::from(1 << 20);
    let digits = if mib < 0.1 { 3 } else { usize::from(mib < 100.0) };
    format!("{mib:.digits$} MiB")
}

fn milliseconds(seconds: f64) -> String {
    let ms = seconds * 1e3;
    let digits = usize::from(ms < 100.0);
    format!("{ms:.digits$} ms")
}

#[cfg(test)]
mod tests {
    use super::super::tests::six_runs;
    use super::*;

    #[test]
    fn cells_say_what_they_should() {
        let comparison = Comparison::of(&six_runs(), 0).unwrap();
        let cell = |column: Column, row: usize| column.cell(&comparison, &comparison.settings[row]);
        assert_eq!(cell(Column::Best, 0), "81.00 ± 1.00 %");
        assert_eq!(cell(Column::Best, 1), "50.00 %");
        assert_eq!(cell(Column::Trainable, 0), "227 178");
        assert_eq!(cell(Column::Sparsity, 1), "99.980 %");
        assert_eq!((cell(Column::Memory, 0).as_str(), cell(Column::Size, 0).as_str()), ("559 MiB", "1.8 MiB"));
        assert_eq!((cell(Column::Step, 0).as_str(), cell(Column::Runs, 0).as_str()), ("177 ms", "3"));
        assert!(cell(Column::Difference, 1).starts_with("-30.00 [-3"), "{}", cell(Column::Difference, 1));
        assert_eq!((cell(Column::P, 0).as_str(), cell(Column::P, 3).as_str()), ("-", "-"));
        assert_eq!((p_value(1.0).as_str(), p_value(0.0314).as_str(), p_value(3e-9).as_str()), ("1", "0.031", "3e-9"));
        assert_eq!((grouped(1_234_567.0).as_str(), grouped(12.0).as_str()), ("1 234 567", "12"));
    }
}
