//! Finds likely mistakes in readable rows: reported before a run, which starts anyway.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use rayon::prelude::*;

use super::columns::{Content, Row};
use super::conversation::Conversation;
use super::labels::Labels;
use super::left_out::{NAMED, and_more, rows_of};
use spartui_facts::quote::quoted;

/// Rows between two progress reports.
const CHUNK: usize = 1 << 16;
/// With fewer rows, nothing can be said about which column is which.
const FEW: usize = 8;

/// The usable rows of a file or of a part of it: without bad and too long ones.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// `training` or `validation`.
    pub name: &'static str,
    /// Name of the file.
    pub file: &'a str,
    pub rows: &'a [Row],
}

/// Facts about both parts.
pub(super) struct Parts<'a> {
    pub train: Part<'a>,
    pub validation: Part<'a>,
    /// Whether both are from one file.
    pub split: bool,
    /// All labels; none for token targets.
    pub labels: Option<&'a Labels>,
}

/// The facts of a row that are compared.
struct Facts {
    text: u64,
    label: u64,
    empty: bool,
}

/// Line and label of the first row with each text hash.
type Seen = HashMap<u64, (usize, u64)>;

impl Parts<'_> {
    /// All findings, a sentence each. `progress` gets the share that is done.
    pub fn check(&self, progress: &mut dyn FnMut(f32)) -> Vec<String> {
        // Swapped columns explain much of what follows.
        let mut found: Vec<String> = self.labels.and_then(|_| swapped(self.train.rows)).into_iter().collect();
        let all = self.train.rows.len() + self.validation.rows.len();
        #[expect(clippy::cast_precision_loss, reason = "for a progress bar")]
        let mut tell = |done: usize| progress(done as f32 / all.max(1) as f32);
        let mut trained = Seen::with_capacity(self.train.rows.len());
        self.train.go_through(&mut trained, &Seen::new(), &mut found, &mut tell);
        let mut measured = Seen::with_capacity(self.validation.rows.len());
        let before = self.train.rows.len();
        let both = self.validation.go_through(&mut measured, &trained, &mut found, &mut |done| tell(before + done));
        found.extend(both.map(|both| self.in_both(&both)));
        if let Some(labels) = self.labels {
            self.of_labels(labels, &mut found);
        }
        found
    }

    fn in_both(&self, both: &Pairs) -> String {
        let (here, there) = (self.validation, self.train);
        let (count, have) = (counted(both.count, here), if both.count == 1 { "has" } else { "have" });
        let lines = both.first.iter().map(|(line, other)| format!("{}:{line} is {}:{other}", here.file, there.file));
        format!("{count} {have} the text of a training row ({}{})", list(lines), and_more(both.count, both.first.len()))
    }

    fn of_labels(&self, labels: &Labels, found: &mut Vec<String>) {
        let count = |part: Part<'_>| {
            let mut counts = vec![0usize; labels.names().len()];
            let places = part.rows.iter().filter_map(|row| labels.place(&row.label).ok());
            places.for_each(|place| counts[place] += 1);
            counts
        };
        let names = labels.names();
        let (train, validation) = (count(self.train), count(self.validation));
        found.extend(alike(names, &train));
        let of = |is: &dyn Fn(usize) -> bool, what: &str| {
            let all = names.len();
            let names: Vec<&String> =
                names.iter().enumerate().filter(|(at, _)| is(*at)).map(|(_, name)| name).collect();
            let have = if names.len() == 1 { "has" } else { "have" };
            let shown = list(names.iter().take(NAMED).map(|name| quoted(name)));
            let more = and_more(names.len(), names.len().min(NAMED));
            (!names.is_empty()).then(|| format!("{} of {all} labels {have} {what} ({shown}{more})", names.len()))
        };
        let measured = !self.validation.rows.is_empty();
        found.extend(of(&|at| train[at] == 1, "one row to learn from"));
        if self.split {
            found.extend(of(&|at| train[at] == 0, "no training row"));
        } else {
            found.extend(of(&|at| train[at] == 0 && validation[at] == 0, "no training row"));
            found.extend(of(&|at| train[at] == 0 && validation[at] > 0, "validation rows and no training row"));
        }
        if measured {
            found.extend(of(&|at| train[at] > 0 && validation[at] == 0, "training rows and no validation row"));
        }
    }
}

/// Rows, each with another row with the same text.
#[derive(Default)]
struct Pairs {
    count: usize,
    first: Vec<(usize, usize)>,
}

impl Pairs {
    fn add(&mut self, line: usize, other: usize) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push((line, other));
        }
    }
}

impl Part<'_> {
    /// Checks the rows in one pass; returns those with the text of a row in `other`, if that is given.
    fn go_through(
        self,
        seen: &mut Seen,
        other: &Seen,
        found: &mut Vec<String>,
        progress: &mut dyn FnMut(usize),
    ) -> Option<Pairs> {
        let (mut empty, mut again, mut contrary, mut both) = <(Pairs, Pairs, Pairs, Pairs)>::default();
        for (chunk, rows) in self.rows.chunks(CHUNK).enumerate() {
            progress(chunk * CHUNK);
            let facts: Vec<Facts> = rows.par_iter().map(Facts::of).collect();
            for (row, facts) in rows.iter().zip(facts) {
                if facts.empty {
                    // Empty rows are equal anyway, which need not be reported as well.
                    empty.add(row.line, row.line);
                    continue;
                }
                if let Some((line, _)) = other.get(&facts.text) {
                    both.add(row.line, *line);
                }
                match seen.get(&facts.text) {
                    None => {
                        seen.insert(facts.text, (row.line, facts.label));
                    }
                    Some((line, label)) if *label == facts.label => again.add(row.line, *line),
                    Some((line, _)) => contrary.add(row.line, *line),
                }
            }
        }
        found.extend(
            self.sentence(&empty, "has an empty text", "have an empty text", |line, _| rows_of(self.file, [line])),
        );
        let file = self.file;
        found.extend(self.sentence(&again, "repeats an earlier one", "repeat an earlier one", |line, other| {
            format!("{file}:{line} repeats {file}:{other}")
        }));
        let text = "the text of an earlier one and another label";
        found.extend(self.sentence(&contrary, &format!("has {text}"), &format!("have {text}"), |line, other| {
            format!("{file}:{line} and {file}:{other}")
        }));
        (both.count > 0).then_some(both)
    }

    fn sentence(
        self,
        pairs: &Pairs,
        one: &str,
        several: &str,
        shown: impl Fn(usize, usize) -> String,
    ) -> Option<String> {
        let does = if pairs.count == 1 { one } else { several };
        let lines = list(pairs.first.iter().map(|(line, other)| shown(*line, *other)));
        let more = and_more(pairs.count, pairs.first.len());
        (pairs.count > 0).then(|| format!("{} {does} ({lines}{more})", counted(pairs.count, self)))
    }
}

fn counted(count: usize, of: Part<'_>) -> String {
    format!("{count} of {} {} rows", of.rows.len(), of.name)
}

fn number_of_rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

impl Facts {
    fn of(row: &Row) -> Self {
        let mut text = DefaultHasher::new();
        let empty = match &row.content {
            Content::Text(whole) => {
                whole.trim().hash(&mut text);
                whole.trim().is_empty()
            }
            Content::Pair(first, second) => {
                (first.trim(), second.trim()).hash(&mut text);
                first.trim().is_empty() || second.trim().is_empty()
            }
            Content::Completion { prompt, completion } => {
                (prompt.trim(), completion.trim()).hash(&mut text);
                completion.trim().is_empty()
            }
            Content::Messages(conversation) => {
                let Conversation { messages, learned_from, arguments } = conversation;
                (messages.to_string(), learned_from, format!("{arguments:?}")).hash(&mut text);
                false
            }
        };
        let mut label = DefaultHasher::new();
        row.label.hash(&mut label);
        Self { text: text.finish(), label: label.finish(), empty }
    }
}

/// Labels that differ only in case or white space.
fn alike(labels: &[String], counts: &[usize]) -> Option<String> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, label) in labels.iter().enumerate() {
        let plain = label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        groups.entry(plain).or_default().push(at);
    }
    let groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    let count: usize = groups.iter().map(Vec::len).sum();
    let shown = |group: &Vec<usize>| {
        let rows = |at: usize| counts.get(at).copied().unwrap_or(0);
        let one = |at: &usize| format!("{} in {}", quoted(&labels[*at]), number_of_rows(rows(*at)));
        list(group.iter().take(NAMED).map(one)) + &and_more(group.len(), group.len().min(NAMED))
    };
    let first = groups.iter().take(NAMED).map(shown).collect::<Vec<_>>().join("; ");
    let more = and_more(groups.len(), groups.len().min(NAMED));
    (count > 0).then(|| {
        format!("{count} of {} labels differ from another only by case or space ({first}{more})", labels.len())
    })
}

/// Whether text and label look swapped: most labels are distinct and longer than the texts, and there are few distinct
/// texts.
pub(super) fn swapped(rows: &[Row]) -> Option<String> {
    let texts: Option<Vec<&str>> = rows
        .iter()
        .map(|row| match &row.content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let texts = texts.filter(|texts| texts.len() >= FEW)?;
    let characters: usize = texts.iter().map(|text| text.len()).sum();
    let of_labels: usize = rows.iter().map(|row| row.label.len()).sum();
    let few = texts.iter().collect::<HashSet<_>>().len();
    let many = rows.iter().map(|row| row.label.as_str()).collect::<HashSet<_>>().len();
    let all = rows.len();
    (few * 4 <= all && many * 2 > all && of_labels > characters).then(|| {
        format!("data.text and data.label look swapped: {all} training rows have {few} texts and {many} labels")
    })
}

#[cfg(test)]
mod tests;
