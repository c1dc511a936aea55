//! Groups runs that differ only in their seeds.

use std::collections::BTreeMap;

use super::subject::Subject;
use spartui_facts::recipe::{FIELDS, Recipe, Value};

/// A setting: its runs, and its differences from the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Indices of its runs.
    pub members: Vec<usize>,
    /// Its label.
    pub label: String,
    /// The fields in which settings differ, with its values.
    pub fields: Vec<(String, String)>,
}

/// Groups runs into settings, in order of first occurrence.
#[must_use]
pub fn settings(subjects: &[Subject]) -> Vec<Setting> {
    settings_without(subjects, None)
}

/// As [`settings`], ignoring a field.
#[must_use]
pub fn settings_without(subjects: &[Subject], without: Option<&str>) -> Vec<Setting> {
    let mut keys: Vec<Key> = Vec::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let mut key = Key::of(subject);
        key.fields.retain(|field, _| Some(*field) != without);
        match keys.iter().position(|known| *known == key) {
            Some(at) => members[at].push(index),
            None => {
                keys.push(key);
                members.push(vec![index]);
            }
        }
    }
    // A field that a method does not use is not a difference.
    let differ = |field: &&str| {
        let mut values = keys.iter().filter_map(|key| key.fields.get(field));
        values.next().is_some_and(|first| values.any(|other| other != first))
    };
    let differing: Vec<&str> = FIELDS.iter().map(|field| field.name).filter(differ).collect();
    let mut settings: Vec<Setting> = Vec::new();
    for (key, members) in keys.iter().zip(members) {
        let own = differing.iter().filter_map(|&field| Some((field, key.fields.get(field)?)));
        let mut fields: Vec<(String, String)> = own.map(|(field, value)| (field.to_owned(), shown(value))).collect();
        if !key.more.is_empty() {
            fields.push(("resumed".into(), format!("with {}", key.more.join(", "))));
        }
        if !key.changes.is_empty() {
            fields.push(("by hand".into(), counted(key.changes.len())));
        }
        settings.push(Setting { label: label(&fields, &key.fields), members, fields });
    }
    // Settings without any difference in their fields are told apart by name.
    let labels: Vec<String> = settings.iter().map(|setting| setting.label.clone()).collect();
    for setting in &mut settings {
        if labels.iter().filter(|label| **label == setting.label).count() > 1 {
            setting.label = format!("{} ({})", setting.label, subjects[setting.members[0]].name);
        }
    }
    settings
}

/// What the runs of a setting have in common.
#[derive(Debug, PartialEq)]
struct Key {
    fields: BTreeMap<&'static str, Value>,
    changes: Vec<String>,
    more: Vec<String>,
}

impl Key {
    fn of(subject: &Subject) -> Self {
        let mut fields = subject.recipe.values();
        fields.retain(|field, _| field.rsplit('.').next() != Some("seed") && matters(&subject.recipe, field));
        Self { fields, changes: subject.changes.clone(), more: subject.more.clone() }
    }
}

/// Whether a recipe's method uses a field.
fn matters(recipe: &Recipe, field: &str) -> bool {
    let Some(of_method) = field.strip_prefix("method.") else { return true };
    // A count and a share are alternatives: a given count takes precedence.
    let is_second = match of_method {
        "trainable" => recipe.method.trainable == 0,
        "sparsity" => recipe.method.trainable > 0,
        _ => false,
    };
    !is_second && recipe.method.uses_field(of_method)
}

fn counted(changes: usize) -> String {
    if changes == 1 { "1 change".into() } else { format!("{changes} changes") }
}

/// The method, then the other fields by their last names.
fn label(fields: &[(String, String)], all: &BTreeMap<&'static str, Value>) -> String {
    let method = all.get("method.kind").map_or_else(|| "run".into(), shown);
    let others = fields.iter().filter(|(field, _)| field != "method.kind").map(|(field, value)| {
        let name = field.rsplit('.').next().unwrap_or(field);
        // Kinds and paths need the name of their table.
        let name = if name == "kind" || name == "path" { field } else { name };
        format!("{} {value}", name.replace('_', " "))
    });
    std::iter::once(method).chain(others).collect::<Vec<_>>().join(", ")
}

/// A value in the shortest form.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('/') => text.rsplit('/').next().unwrap_or(text).to_owned(),
        Value::String(text) => text.clone(),
        Value::Float(number) if *number != 0.0 && !(1e-3..1e6).contains(&number.abs()) => format!("{number:e}"),
        Value::Float(number) => number.to_string(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join("+"),
        Value::Table(table) if table.is_empty() => "even".into(),
        Value::Table(table) => {
            table.iter().map(|(key, value)| format!("{key} {}", shown(value))).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::subject;
    use super::*;

    fn labels(subjects: &[Subject]) -> Vec<(String, Vec<usize>)> {
        settings(subjects).into_iter().map(|setting| (setting.label, setting.members)).collect()
    }

    #[test]
    fn seeds_alone_make_no_other_setting() {
        let runs = [
            subject("a", &["method.seed=1"]),
            subject("b", &["method.sparsity=0.995"]),
            subject("c", &["method.seed=2", "train.seed=2"]),
        ];
        let expected =
            [("sparta, sparsity 0.99".to_owned(), vec![0, 2]), ("sparta, sparsity 0.995".to_owned(), vec![1])];
        assert_eq!(labels(&runs), expected);
        assert_eq!(labels(&runs[..1]), [("sparta".to_owned(), vec![0])]);
    }

    #[test]
    fn unused_fields_of_a_method_do_not_count() {
        let runs = [
            subject("a", &["method.kind=head", "method.sparsity=0.9", "optimizer.learning_rate=1e-4"]),
            subject("b", &["method.kind=head", "method.sparsity=0.8", "optimizer.learning_rate=1e-4"]),
            subject("c", &["method.sparsity=0.8", "optimizer.learning_rate=2e-3", "method.targets=[\"a\", \"b\"]"]),
        ];
        let expected =
            [("head, learning rate 1e-4".to_owned(), vec![0, 1]), ("sparta, learning rate 0.002".to_owned(), vec![2])];
        assert_eq!(labels(&runs), expected);
    }

    #[test]
    fn a_count_stands_for_a_sparsity() {
        let runs = [
            subject("a", &["method.sparsity=0.9", "method.trainable=5000"]),
            subject("b", &["method.sparsity=0.8", "method.trainable=5000"]),
            subject("c", &["method.trainable=9000"]),
        ];
        let expected =
            [("sparta, trainable 5000".to_owned(), vec![0, 1]), ("sparta, trainable 9000".to_owned(), vec![2])];
        assert_eq!(labels(&runs), expected);
    }

    #[test]
    fn more_steps_are_no_change_by_hand() {
        let mut runs = [subject("a", &[]), subject("b", &[]), subject("c", &["train.seed=2"])];
        for run in &mut runs[1..] {
            run.more = vec!["epochs 2 from step 40".into()];
        }
        let expected =
            [("sparta".to_owned(), vec![0]), ("sparta, resumed with epochs 2 from step 40".to_owned(), vec![1, 2])];
        assert_eq!(labels(&runs), expected);
    }

    #[test]
    fn changes_by_hand_make_another_setting() {
        let mut runs = [subject("a", &[]), subject("b", &[]), subject("c", &[])];
        runs[1].changes = vec!["step 3: method.sparsity 0.99 to 0.9".into()];
        runs[2].changes = vec!["step 4: method.sparsity 0.99 to 0.9".into()];
        let expected = [
            ("sparta".to_owned(), vec![0]),
            ("sparta, by hand 1 change (b)".to_owned(), vec![1]),
            ("sparta, by hand 1 change (c)".to_owned(), vec![2]),
        ];
        assert_eq!(labels(&runs), expected);
    }
}
