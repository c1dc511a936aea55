//! What a file's header says about the columns to learn from.

use crate::data::Sample;

const TEXTS: [&str; 18] = [
    "text",
    "sentence",
    "content",
    "review",
    "question",
    "message",
    "body",
    "input",
    "query",
    "document",
    "utterance",
    "comment",
    "tweet",
    "title",
    "description",
    "premise",
    "sentence1",
    "prompt",
];
const LABELS: [&str; 15] = [
    "label",
    "labels",
    "class",
    "category",
    "intent",
    "target",
    "sentiment",
    "topic",
    "answer",
    "y",
    "output",
    "rating",
    "score",
    "gold",
    "tag",
];

/// The most labels that a column may have to be guessed as one.
const MOST_LABELS: usize = 100;

/// The column of the text: by its name, else the one with the longest texts.
#[must_use]
pub fn text(sample: &Sample) -> Option<&str> {
    let columns = || sample.columns.iter().filter(|column| !column.nested);
    named(columns().map(|column| column.name.as_str()), &TEXTS).or_else(|| {
        let longest = columns().max_by_key(|column| column.characters)?;
        Some(longest.name.as_str()).filter(|_| longest.characters > 0)
    })
}

/// The column of the label: by its name, else the one with the fewest values that is not `text`.
#[must_use]
pub fn label<'a>(sample: &'a Sample, text: &str) -> Option<&'a str> {
    let columns = || sample.columns.iter().filter(|column| !column.nested && column.name != text);
    named(columns().map(|column| column.name.as_str()), &LABELS).or_else(|| {
        let counted = columns().filter_map(|column| Some((column, column.values.as_ref()?.len())));
        let fit = |count: usize| (2..=MOST_LABELS).contains(&count) && count * 2 <= sample.count.max(4);
        counted.filter(|(_, count)| fit(*count)).min_by_key(|(_, count)| *count).map(|(column, _)| column.name.as_str())
    })
}

/// Whether a column of this name is there.
#[must_use]
pub fn has(sample: &Sample, name: &str) -> bool {
    sample.columns.iter().any(|column| column.name == name)
}

/// The first of these names that is there, whatever its case.
fn named<'a>(columns: impl Iterator<Item = &'a str>, names: &[&str]) -> Option<&'a str> {
    let columns: Vec<&str> = columns.collect();
    names.iter().find_map(|name| columns.iter().copied().find(|column| column.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SampledColumn;

    fn sample(columns: &[(&str, u64, Option<usize>)]) -> Sample {
        let columns = columns.iter().map(|(name, characters, values)| SampledColumn {
            name: (*name).into(),
            filled: 40,
            characters: *characters,
            nested: false,
            values: values.map(|count| (0..count).map(|value| (value.to_string(), 1)).collect()),
        });
        Sample { columns: columns.collect(), count: 40, ..Sample::default() }
    }

    #[test]
    fn names_come_first() {
        let sample = sample(&[("id", 9000, None), ("Review", 10, None), ("Sentiment", 3, Some(2))]);
        assert_eq!((text(&sample), label(&sample, "Review")), (Some("Review"), Some("Sentiment")));
        assert!(has(&sample, "id") && !has(&sample, "text"));
    }

    #[test]
    fn else_lengths_and_counts_tell() {
        let sample = sample(&[("nr", 80, None), ("satz", 4000, None), ("art", 200, Some(4)), ("one", 40, Some(1))]);
        assert_eq!((text(&sample), label(&sample, "satz")), (Some("satz"), Some("art")));
        assert_eq!(text(&Sample::default()), None);
    }
}
