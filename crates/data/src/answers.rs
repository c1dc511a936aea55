//! Rows with an answer other than one label: several labels, or numbers.

use std::path::Path;

use serde_json::Value;

use super::example::Example;
use super::rows::{Dialect, RowFile};
use super::tokenizer::Tokenizer;
use super::whole::read_to_answer;
use spartui_facts::error::Result;
use spartui_facts::quote::quoted;
use spartui_facts::recipe::{Data, TaskKind};

/// The content of the label column.
#[derive(Debug, Clone, Copy)]
pub enum Answers<'a> {
    /// Any of these labels: a list of names, or a list of 0 or 1 for each label; or a single label.
    AnyOf(&'a [String]),
    /// This many numbers: a list, or a single number.
    Numbers(usize),
}

/// Reads the rows to evaluate on as [`super::read_for_prediction`] does, and the answer of each: a number for each
/// output of the model, which is 0 or 1 for a label.
///
/// # Errors
/// Refuses the file for any bad row, and names the first ones: a score over some of the rows would be a different
/// score.
pub fn read_with_answers(
    path: &Path,
    data: &Data,
    answers: Answers<'_>,
    tokenizer: &Tokenizer,
) -> Result<(Vec<Example>, Vec<Vec<f32>>)> {
    let (examples, mut bad) = read_to_answer(path, data, TaskKind::SequenceClassification, tokenizer)?;
    let mut read = Vec::with_capacity(examples.len());
    let mut number = 0;
    RowFile::open(path, Dialect::of(data))?.for_each(&mut |line, columns| {
        number += 1;
        let answer = columns.and_then(|columns| {
            let name = &data.label;
            let value = columns.get(name).ok_or_else(|| format!("has no column {}", quoted(name)))?;
            answers.of(value).map_err(|why| format!("has in the column {} {why}", quoted(name)))
        });
        match answer {
            Ok(answer) => read.push(answer),
            Err(why) => bad.add(number, line, why),
        }
        Ok(())
    })?;
    bad.refuse(path)?;
    Ok((examples, read))
}

impl Answers<'_> {
    /// The answer in a row's column, or the error as it reads after "has in the column".
    fn of(self, value: &Value) -> std::result::Result<Vec<f32>, String> {
        // In a table, lists are texts.
        let list = value.as_str().filter(|text| text.trim_start().starts_with('['));
        let list = list.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let value = list.as_ref().unwrap_or(value);
        let values = match value {
            Value::Array(list) => list.iter().collect(),
            Value::Null => Vec::new(),
            one => vec![one],
        };
        match self {
            Self::Numbers(count) => numbers(&values, count),
            Self::AnyOf(labels) => any_of(&values, labels),
        }
    }
}

fn numbers(values: &[&Value], count: usize) -> std::result::Result<Vec<f32>, String> {
    #[expect(clippy::cast_possible_truncation, reason = "the model's outputs are of this type")]
    let number = |value: &&Value| {
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|number| number.is_finite()).map(|number| number as f32)
    };
    let read: Option<Vec<f32>> = values.iter().map(number).collect();
    let read = read.ok_or("something else than a number")?;
    if read.len() == count { Ok(read) } else { Err(format!("{} numbers, and the model gives {count}", read.len())) }
}

fn any_of(values: &[&Value], labels: &[String]) -> std::result::Result<Vec<f32>, String> {
    let flag = |value: &&Value| match value.as_f64() {
        Some(number) if number == 0.0 || number == 1.0 => Some(if number == 0.0 { 0.0 } else { 1.0 }),
        _ => None,
    };
    let flags: Option<Vec<f32>> = values.iter().map(flag).collect();
    if let Some(flags) = flags.filter(|flags| flags.len() == labels.len()) {
        return Ok(flags);
    }
    let mut chosen = vec![0.0; labels.len()];
    for value in values {
        let name = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let place = labels.iter().position(|label| *label == name);
        let unknown = || {
            let known: Vec<String> = labels.iter().take(8).map(|label| quoted(label)).collect();
            format!("the unknown label {} (known are {})", quoted(&name), known.join(", "))
        };
        chosen[place.ok_or_else(unknown)?] = 1.0;
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_named_or_flagged() {
        let labels = ["a", "b", "c"].map(String::from);
        let of = |value: Value| Answers::AnyOf(&labels).of(&value);
        assert_eq!(of(json!(["c", "a"])), Ok(vec![1.0, 0.0, 1.0]));
        assert_eq!(of(json!([0, 1, 0])), Ok(vec![0.0, 1.0, 0.0]));
        assert_eq!(of(json!("[0, 1.0, 1]")), Ok(vec![0.0, 1.0, 1.0]));
        assert_eq!(of(json!("b")), Ok(vec![0.0, 1.0, 0.0]));
        assert_eq!(of(json!([])), Ok(vec![0.0; 3]));
        assert_eq!(of(json!(["d"])).unwrap_err(), "the unknown label \"d\" (known are \"a\", \"b\", \"c\")");
        assert!(of(json!([0, 1])).is_err());
    }

    #[test]
    fn numbers_are_as_many_as_the_model_gives() {
        let of = |count, value: Value| Answers::Numbers(count).of(&value);
        assert_eq!(of(1, json!(2.5)), Ok(vec![2.5]));
        assert_eq!(of(1, json!(" 2.5 ")), Ok(vec![2.5]));
        assert_eq!(of(2, json!([1, -1])), Ok(vec![1.0, -1.0]));
        assert_eq!(of(2, json!(1)).unwrap_err(), "1 numbers, and the model gives 2");
        assert!(of(1, json!("high")).is_err() && of(1, json!(null)).is_err() && of(1, json!("inf")).is_err());
    }
}
