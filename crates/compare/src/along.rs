//! A metric as a function of a field of the recipe: for example a learning-rate curve for each method.

use serde::Serialize;

use super::setting::settings_without;
use super::{Metric, Spread, Subject, metric_of};
use spartui_facts::recipe::{Value, number};

/// A metric as a function of a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Along {
    /// The metric, taken from the best evaluation of each run.
    pub metric: Metric,
    /// The field.
    pub field: String,
    /// Its values; numbers are sorted.
    pub values: Vec<Tick>,
    /// A line for each setting of the other fields.
    pub lines: Vec<Line>,
}

/// A value of the field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tick {
    /// The displayed value.
    pub text: String,
    /// The numeric value, if it is a number.
    pub number: Option<f64>,
}

/// A setting of the other fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Its label.
    pub setting: String,
    /// The metric at each value; none if no run has that value.
    pub points: Vec<Option<Spread>>,
    /// Index of the best point.
    pub best: Option<usize>,
}

impl Along {
    /// From runs, along the field with this name.
    ///
    /// # Errors
    /// One sentence if the runs have no common metric, or a recipe has no such field.
    pub fn of(subjects: &[Subject], field: &str) -> Result<Self, String> {
        let metric = metric_of(subjects)?;
        let known = spartui_facts::recipe::Field::find(field)?.name;
        let value = |subject: &Subject| subject.recipe.get(known);
        let mut values: Vec<(Value, Tick)> = Vec::new();
        for own in subjects.iter().filter_map(value) {
            if values.iter().all(|(known, _)| *known != own) {
                let tick = Tick { text: super::setting::shown(&own), number: number(&own) };
                values.push((own, tick));
            }
        }
        let by_number = |tick: &Tick| tick.number.unwrap_or(f64::INFINITY);
        values.sort_by(|(_, a), (_, b)| by_number(a).total_cmp(&by_number(b)));
        let lines = settings_without(subjects, Some(known)).into_iter().map(|setting| {
            let at = |wanted: &Value| {
                let runs = setting.members.iter().map(|&at| &subjects[at]);
                let here = runs.filter(|run| value(run).as_ref() == Some(wanted));
                let found: Vec<f64> = here.filter_map(|run| Some(metric.of(&run.best?))).collect();
                Spread::of(&found).filter(|spread| spread.mean.is_finite())
            };
            let points: Vec<Option<Spread>> = values.iter().map(|(value, _)| at(value)).collect();
            Line { setting: setting.label, best: best(metric, &points), points }
        });
        let lines = lines.collect();
        Ok(Self { metric, field: known.to_owned(), values: values.into_iter().map(|(_, tick)| tick).collect(), lines })
    }
}

/// The first of the best points.
fn best(metric: Metric, points: &[Option<Spread>]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (at, mean) in points.iter().enumerate().filter_map(|(at, point)| Some((at, point.as_ref()?.mean))) {
        let is_better = best.is_none_or(|(_, known)| match metric {
            Metric::Accuracy => mean > known,
            Metric::EvalLoss => mean < known,
        });
        if is_better {
            best = Some((at, mean));
        }
    }
    best.map(|(at, _)| at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::subject;
    use super::*;

    /// Two methods at three rates.
    pub fn rates() -> Vec<Subject> {
        let run = |name: &str, kind: &str, rate: &str, seed: &str, accuracy: f64| {
            let mut run = subject(name, &[kind, rate, seed]);
            run.best.as_mut().unwrap().accuracy = accuracy;
            run
        };
        let [low, middle, high] = ["1e-4", "1e-3", "1e-2"].map(|rate| format!("optimizer.learning_rate={rate}"));
        let (sparta, head) = ("method.kind=sparta", "method.kind=head");
        vec![
            run("a", sparta, &middle, "train.seed=1", 0.7),
            run("b", sparta, &middle, "train.seed=2", 0.8),
            run("c", sparta, &low, "train.seed=1", 0.5),
            run("d", head, &high, "train.seed=1", 0.4),
            run("e", head, &middle, "train.seed=1", 0.3),
        ]
    }

    #[test]
    fn each_setting_has_a_line_over_all_values() {
        let along = Along::of(&rates(), "optimizer.learning_rate").unwrap();
        let ticks: Vec<&str> = along.values.iter().map(|tick| tick.text.as_str()).collect();
        assert_eq!(ticks, ["1e-4", "0.001", "0.01"]);
        let lines: Vec<(&str, Option<usize>)> =
            along.lines.iter().map(|line| (line.setting.as_str(), line.best)).collect();
        assert_eq!(lines, [("sparta", Some(1)), ("head", Some(2))]);
        let middle = along.lines[0].points[1].unwrap();
        assert!((middle.mean - 0.75).abs() < 1e-12 && middle.runs == 2);
        assert_eq!(along.lines[1].points[0], None);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(Along::of(&rates(), "optimizer.rate").unwrap_err().contains("did you mean"));
    }
}
