//! Rows that did not become examples.

use spartui_facts::error::Error;
use spartui_facts::quote::{one_line, quoted};

/// How many rows, labels and the like a message names.
pub(super) const NAMED: usize = 3;

/// The end of a list: how many more there are than are `shown`.
pub(super) fn and_more(count: usize, shown: usize) -> String {
    if count > shown { format!(" and {} more", count - shown) } else { String::new() }
}

/// Rows of a file, each as `file:line`.
pub(super) fn rows_of(file: &str, lines: impl IntoIterator<Item = usize>) -> String {
    lines.into_iter().map(|line| format!("{file}:{line}")).collect::<Vec<_>>().join(", ")
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file.
    pub line: usize,
    /// The error, as it reads after "line 3".
    pub why: String,
}

/// The rows of a file that did not become examples, or only in part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Name of the file.
    pub file: String,
    /// Rows read, including bad ones.
    pub rows: usize,
    /// Whether these are validation rows drawn from the training file.
    pub drawn: bool,
    /// Rows left out because they have more than `max_length` tokens.
    pub too_long: usize,
    /// Lines of the first of them.
    pub first_too_long: Vec<usize>,
    /// Truncated rows.
    pub truncated: usize,
    /// The longest example allowed, in tokens.
    pub max_length: usize,
    /// Rows that cannot be used.
    pub bad: usize,
    /// The first of them.
    pub first_bad: Vec<BadRow>,
}

impl LeftOut {
    pub(super) fn add_bad(&mut self, line: usize, why: String) {
        self.bad += 1;
        if self.first_bad.len() < NAMED {
            self.first_bad.push(BadRow { line, why });
        }
    }

    pub(super) fn add_too_long(&mut self, line: usize) {
        self.too_long += 1;
        if self.first_too_long.len() < NAMED {
            self.first_too_long.push(line);
        }
    }

    /// One sentence for the log, if any rows were left out.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let cut = (self.truncated > 0).then(|| format!("{} cut to {} tokens", self.truncated, self.max_length));
        let parts: Vec<String> = [self.long_ones(), cut, self.bad_ones()].into_iter().flatten().collect();
        let of = if self.drawn { "rows drawn for validation from" } else { "rows of" };
        (!parts.is_empty()).then(|| format!("of {} {of} {}: {}", self.rows, quoted(&self.file), parts.join(", ")))
    }

    fn long_ones(&self) -> Option<String> {
        let lines = rows_of(&one_line(&self.file), self.first_too_long.iter().copied());
        let more = and_more(self.too_long, self.first_too_long.len());
        (self.too_long > 0)
            .then(|| format!("{} longer than {} tokens left out ({lines}{more})", self.too_long, self.max_length))
    }

    fn bad_ones(&self) -> Option<String> {
        (self.bad > 0).then(|| format!("{} bad left out ({})", self.bad, self.reasons()))
    }

    /// The first bad rows with their errors; an error shared by several rows is named once.
    pub(super) fn reasons(&self) -> String {
        let file = one_line(&self.file);
        let mut said: Vec<&BadRow> = Vec::new();
        for bad in &self.first_bad {
            if said.iter().all(|other| other.why != bad.why) {
                said.push(bad);
            }
        }
        let named: Vec<String> = said.iter().map(|bad| format!("{file}:{} {}", bad.line, bad.why)).collect();
        let more = match self.bad - said.len().min(self.bad) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!("{}{more}", named.join("; "))
    }

    /// Adds the rows left out to an error, since what is missing in a file may be in them.
    pub(super) fn with_left_out(&self, error: Error) -> Error {
        let missing: Vec<String> = [self.long_ones(), self.bad_ones()].into_iter().flatten().collect();
        match error {
            Error::Refused(why) if !missing.is_empty() => {
                Error::refused(format!("{why}; of its {} rows, {}", self.rows, missing.join(", ")))
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_when_nothing_is_left_out() {
        assert_eq!(LeftOut { rows: 5, ..LeftOut::default() }.sentence(), None);
    }

    #[test]
    fn everything_in_one_sentence() {
        let mut left = LeftOut { file: "a.csv".into(), rows: 90, truncated: 1, max_length: 16, ..LeftOut::default() };
        left.add_too_long(7);
        left.add_too_long(9);
        (0..5).for_each(|line| left.add_bad(line, format!("is {} bytes long", line / 2)));
        insta::assert_snapshot!(left.sentence().unwrap(), @r#"of 90 rows of "a.csv": 2 longer than 16 tokens left out (a.csv:7, a.csv:9), 1 cut to 16 tokens, 5 bad left out (a.csv:0 is 0 bytes long; a.csv:2 is 1 bytes long; and 3 more)"#);
        let error = left.with_left_out(Error::refused("there is one label"));
        insta::assert_snapshot!(error.message(), @"there is one label; of its 90 rows, 2 longer than 16 tokens left out (a.csv:7, a.csv:9), 5 bad left out (a.csv:0 is 0 bytes long; a.csv:2 is 1 bytes long; and 3 more)");
    }
}
