//! Which labels there are.

use std::collections::HashMap;

use super::quote::quoted;
use crate::error::{Error, Result};

/// Names of the labels and their places among the logits.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Labels {
    /// The labels in this order. `source` says where they are from.
    ///
    /// # Errors
    /// Refuses fewer than two, and one that comes twice.
    pub fn new(names: Vec<String>, source: &str) -> Result<Self> {
        let mut places = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            if places.insert(name.clone(), place).is_some() {
                return Err(Error::refused(format!("{source} has the label {} twice; name each once", quoted(name))));
            }
        }
        if names.len() < 2 {
            let found = names.first().map_or("none".into(), |name| format!("only {}", quoted(name)));
            return Err(Error::refused(format!(
                "a classifier needs two labels or more, but {source} has {found}; add rows of other labels, or set data.label to the column of the label"
            )));
        }
        Ok(Self { names, places })
    }

    /// The distinct labels among these, sorted: as numbers where all are whole numbers.
    pub fn sorted<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut names: Vec<String> =
            labels.collect::<std::collections::BTreeSet<_>>().into_iter().map(str::to_owned).collect();
        let numbers: Option<HashMap<String, i64>> =
            names.iter().map(|name| Some((name.clone(), name.parse::<i64>().ok()?))).collect();
        if let Some(numbers) = numbers {
            names.sort_by_key(|name| numbers.get(name).copied());
        }
        names
    }

    pub fn into_names(self) -> Vec<String> {
        self.names
    }

    /// The label's place among the logits, or what is wrong as it stands after "line 3".
    pub fn place(&self, label: &str) -> std::result::Result<usize, String> {
        self.places.get(label).copied().ok_or_else(|| {
            let start: String = label.chars().take(64).collect();
            let near = |name: &String| strsim::jaro_winkler(&start, name);
            let nearest = self.names.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
            let hint = if let Some(name) = nearest.filter(|name| near(name) > 0.7) {
                format!("the nearest known is {}", quoted(name))
            } else {
                let known: Vec<String> = self.names.iter().take(8).map(|name| quoted(name)).collect();
                let more = if self.names.len() > known.len() { ", …" } else { "" };
                format!("known are {}{more}", known.join(", "))
            };
            format!("has the unknown label {} ({hint})", quoted(label))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_sort_as_numbers() {
        assert_eq!(Labels::sorted(["10", "9", "-1", "9"].into_iter()), ["-1", "9", "10"]);
        assert_eq!(Labels::sorted(["10", "9", "x"].into_iter()), ["10", "9", "x"]);
    }

    #[test]
    fn an_unknown_label_is_escaped_and_the_nearest_named() {
        let labels = Labels::new(vec!["billing".into(), "delivery".into()], "task.labels").unwrap();
        assert_eq!(labels.place("delivery"), Ok(1));
        let why = labels.place("biling\u{1b}[2J").unwrap_err();
        assert_eq!(why, "has the unknown label \"biling\\u{1b}[2J\" (the nearest known is \"billing\")");
    }

    #[test]
    fn too_few_and_repeated_labels_are_refused() {
        for names in [vec![], vec!["a"], vec!["a", "b", "a"]] {
            let names = names.into_iter().map(String::from).collect();
            assert!(Labels::new(names, "task.labels").unwrap_err().message().contains("task.labels has"));
        }
    }
}
