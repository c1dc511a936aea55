//! What of a file did not make it into the examples.

use super::quote::quoted;

/// Bad rows that are named.
const NAMED: usize = 3;

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file.
    pub line: usize,
    /// What is wrong, as it stands after "line 3".
    pub why: String,
}

/// What of a file did not make it into the examples, or not whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Name of the file.
    pub file: String,
    /// Rows that were read, the bad ones too.
    pub rows: usize,
    /// Rows left out because they have more than `max_length` tokens.
    pub too_long: usize,
    /// Rows whose end was cut off.
    pub truncated: usize,
    /// Longest example in tokens.
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

    /// One sentence for the log, if there is anything to say.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.too_long > 0 {
            parts.push(format!("{} longer than {} tokens left out", self.too_long, self.max_length));
        }
        if self.truncated > 0 {
            parts.push(format!("{} cut to {} tokens", self.truncated, self.max_length));
        }
        if self.bad > 0 {
            let named: Vec<String> =
                self.first_bad.iter().map(|bad| format!("line {} {}", bad.line, bad.why)).collect();
            let more = match self.bad - self.first_bad.len() {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            parts.push(format!("{} bad left out ({}{more})", self.bad, named.join("; ")));
        }
        (!parts.is_empty()).then(|| format!("of {} rows of {}: {}", self.rows, quoted(&self.file), parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_when_nothing_is_left_out() {
        assert_eq!(LeftOut { rows: 5, ..LeftOut::default() }.sentence(), None);
    }

    #[test]
    fn everything_in_one_sentence() {
        let mut left =
            LeftOut { file: "a.csv".into(), rows: 90, too_long: 2, truncated: 1, max_length: 16, ..LeftOut::default() };
        (0..5).for_each(|line| left.add_bad(line, "is not JSON".into()));
        insta::assert_snapshot!(left.sentence().unwrap(), @r#"of 90 rows of "a.csv": 2 longer than 16 tokens left out, 1 cut to 16 tokens, 5 bad left out (line 0 is not JSON; line 1 is not JSON; line 2 is not JSON; and 2 more)"#);
    }
}
