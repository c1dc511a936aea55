//! The labels of a task.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;

/// Names of the labels, and their indices among the logits.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Labels {
    /// Labels in this order. `source` says where they are from.
    ///
    /// # Errors
    /// Refuses fewer than two, and duplicates.
    pub fn new(names: Vec<String>, source: &str) -> Result<Self> {
        let mut places = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            if places.insert(key(name).to_owned(), place).is_some() {
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

    /// The distinct labels among these, sorted: numerically if all are whole numbers. A number written as both 1 and
    /// 1.0 is one label.
    pub fn sorted<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
        let distinct: BTreeSet<&str> = labels.collect();
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for label in distinct {
            let name = names.entry(key(label)).or_insert(label);
            if label == key(label) {
                *name = label;
            }
        }
        let mut names: Vec<String> = names.into_values().map(str::to_owned).collect();
        names.sort_unstable();
        if names.iter().all(|name| whole(name).is_some()) {
            names.sort_by(|one, other| compare(whole(one), whole(other)));
        }
        names
    }

    /// The labels, in the order of the logits.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn into_names(self) -> Vec<String> {
        self.names
    }

    /// The label's index among the logits, or the error as it reads after "line 3".
    pub fn place(&self, label: &str) -> std::result::Result<usize, String> {
        self.places.get(key(label)).copied().ok_or_else(|| {
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

/// The identity of a label: a whole number written with a fraction, as in 1.0, equals the number without it.
fn key(label: &str) -> &str {
    match label.split_once('.') {
        Some((number, fraction)) if is_zero(fraction) && whole(number).is_some() => number,
        _ => label,
    }
}

fn is_zero(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|digit| digit == b'0')
}

/// For a whole number: whether it is negative, and its digits without leading zeros, of any length.
fn whole(label: &str) -> Option<(bool, &str)> {
    let (negative, digits) = match label.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, label.strip_prefix('+').unwrap_or(label)),
    };
    let number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let digits = digits.trim_start_matches('0');
    number.then_some((negative && !digits.is_empty(), digits))
}

fn compare(one: Option<(bool, &str)>, other: Option<(bool, &str)>) -> Ordering {
    let (Some((below, one)), Some((other_below, other))) = (one, other) else { return Ordering::Equal };
    let by_size = one.len().cmp(&other.len()).then(one.cmp(other));
    match (below, other_below) {
        (false, false) => by_size,
        (true, true) => by_size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
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
    fn numbers_of_any_length_are_themselves() {
        let long =
            ["99999999999999999999", "100000000000000000000", "-99999999999999999999", "5", "18446744073709551615"];
        let sorted = Labels::sorted(long.into_iter());
        assert_eq!(
            sorted,
            ["-99999999999999999999", "5", "18446744073709551615", "99999999999999999999", "100000000000000000000"]
        );
        let labels = Labels::new(sorted, "a.jsonl").unwrap();
        assert_eq!((labels.place("99999999999999999999"), labels.place("100000000000000000000")), (Ok(3), Ok(4)));
    }

    #[test]
    fn one_number_is_one_label_however_it_is_written() {
        assert_eq!(Labels::sorted(["1.0", "1", "2", "10"].into_iter()), ["1", "2", "10"]);
        // Labels written in one way only keep their name and their order.
        assert_eq!(Labels::sorted(["2.0", "10.0"].into_iter()), ["10.0", "2.0"]);
        assert_eq!(Labels::sorted(["1.5", "1.50", "v1.0", "v1"].into_iter()), ["1.5", "1.50", "v1", "v1.0"]);
        let labels = Labels::new(vec!["0.0".into(), "1".into()], "a.jsonl").unwrap();
        assert_eq!((labels.place("0"), labels.place("1.0"), labels.place("1.00")), (Ok(0), Ok(1), Ok(1)));
        assert!(labels.place("1.01").is_err());
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
