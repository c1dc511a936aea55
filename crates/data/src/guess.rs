//! Guesses the columns to learn from by a file's header, if they are not set.

use std::path::Path;

use serde_json::{Map, Value};

use super::rows::{Dialect, RowFile};
use super::sample::{Sample, sample};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;
use spartui_facts::recipe::{self, Data, DataFormat, Recipe, TaskKind};

/// Whether the user has set a field.
pub type Named<'a> = &'a dyn Fn(&str) -> bool;

/// A field and the guessed column; for `task.kind`, the task.
pub type Guessed = (&'static str, String);

const CONVERSATIONS: [&str; 7] = ["messages", "conversations", "conversation", "chat", "dialog", "dialogue", "turns"];

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

/// The most distinct values of a guessed label column.
const MOST_LABELS: usize = 100;

/// The most likely columns, for fields that are not set and whose default columns the file lacks.
#[must_use]
pub fn guess_columns(sample: &Sample, data: &Data, kind: TaskKind, named: Named<'_>) -> Vec<Guessed> {
    let mut found: Vec<Guessed> = Vec::new();
    let mut kind = kind;
    let messages = conversation(sample).filter(|_| !has(sample, &data.messages) && !named("data.messages"));
    let conversation = has(sample, &data.messages)
        || messages.is_some()
        || (has(sample, &data.prompt) && has(sample, &data.completion));
    if conversation && kind != TaskKind::CausalLm && !named("task.kind") {
        found.push(("task.kind", "causal-lm".into()));
        kind = TaskKind::CausalLm;
    }
    if kind == TaskKind::CausalLm && conversation {
        found.extend(messages.map(|column| ("data.messages", column.to_owned())));
        return found;
    }
    let mut column = data.text.as_str();
    if !has(sample, &data.text)
        && !named("data.text")
        && let Some(name) = text(sample, &data.label)
    {
        found.push(("data.text", name.to_owned()));
        column = name;
    }
    if kind == TaskKind::SequenceClassification
        && !has(sample, &data.label)
        && !named("data.label")
        && let Some(name) = label(sample, column)
    {
        found.push(("data.label", name.to_owned()));
    }
    found
}

/// Sets the columns that a recipe does not set and that its training file lacks by default, as the launch form does.
/// Returns what was guessed, in one sentence. Errors in the file are left to its reader.
///
/// # Errors
/// Refuses a column with a name that a recipe cannot have.
pub fn name_columns(recipe: &mut Recipe, named: Named<'_>) -> Result<Option<String>> {
    let Recipe { data, task, .. } = recipe;
    let fields = ["data.text", "data.label", "data.messages", "task.kind"];
    if data.train.as_os_str().is_empty() || fields.iter().all(|field| named(field)) {
        return Ok(None);
    }
    let dialect = Dialect::of(data);
    let Some(first) = first_row(&data.train, dialect) else { return Ok(None) };
    let labelled = !named("data.label");
    if !lacks_columns(&first, data, task.kind, labelled) {
        return Ok(None);
    }
    let Ok(sample) = sample(&data.train, 0, dialect) else { return Ok(None) };
    let found = guess_columns(&sample, data, task.kind, named);
    let file = quoted(&data.train.file_name().unwrap_or(data.train.as_os_str()).to_string_lossy());
    for (field, column) in &found {
        recipe.set(field, recipe::Value::String(column.clone())).map_err(Error::refused)?;
    }
    let shown: Vec<String> = found.iter().map(|(field, column)| format!("{field} = {}", quoted(column))).collect();
    Ok((!found.is_empty())
        .then(|| format!("guessed from the columns of {file}: {}; name them to take others", shown.join(", "))))
}

/// As [`name_columns`], for a file to predict or to evaluate on.
///
/// # Errors
/// As [`name_columns`].
pub fn name_columns_of(file: &Path, data: &mut Data, kind: TaskKind, named: Named<'_>) -> Result<Option<String>> {
    let mut recipe = Recipe { data: Data { train: file.to_owned(), ..data.clone() }, ..Recipe::default() };
    recipe.task.kind = kind;
    let said = name_columns(&mut recipe, &|field| field == "task.kind" || named(field))?;
    *data = Data { train: std::mem::take(&mut data.train), ..recipe.data };
    Ok(said)
}

/// The columns of the first readable row.
fn first_row(path: &Path, dialect: Dialect) -> Option<Map<String, Value>> {
    // A pipe can be read only once, by the reader of its rows; opening it again would block forever.
    if !std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return None;
    }
    let mut first = None;
    let read = RowFile::open(path, dialect).and_then(|file| {
        file.for_each(&mut |_, columns| match columns {
            Ok(columns) => {
                first = Some(columns);
                Err(Error::refused("the first row is enough"))
            }
            Err(_) => Ok(()),
        })
    });
    // An error before the first row leaves nothing to look at.
    drop(read);
    first
}

/// Whether a row lacks required columns.
fn lacks_columns(row: &Map<String, Value>, data: &Data, kind: TaskKind, labelled: bool) -> bool {
    let has = |name: &String| row.contains_key(name);
    let has_text = !data.template.is_empty() || has(&data.text);
    match (kind, data.format) {
        (TaskKind::SequenceClassification, _) => !has_text || (labelled && !has(&data.label)),
        (TaskKind::CausalLm, DataFormat::Text) => !has_text,
        (TaskKind::CausalLm, DataFormat::Messages) => !has(&data.messages),
        (TaskKind::CausalLm, DataFormat::Completion) => false,
        (TaskKind::CausalLm, DataFormat::Auto) => {
            !(has_text || has(&data.messages) || has(&data.prompt) && has(&data.completion))
        }
    }
}

/// The conversation column: one of lists with a suitable name.
fn conversation(sample: &Sample) -> Option<&str> {
    let nested = sample.columns.iter().filter(|column| column.nested);
    named_one_of(nested.map(|column| column.name.as_str()), &CONVERSATIONS)
}

/// The text column: by its name, else the one with the longest texts other than `label`.
fn text<'a>(sample: &'a Sample, label: &str) -> Option<&'a str> {
    let columns = || sample.columns.iter().filter(|column| !column.nested && column.name != label);
    named_one_of(columns().map(|column| column.name.as_str()), &TEXTS).or_else(|| {
        let longest = columns().max_by_key(|column| column.characters)?;
        Some(longest.name.as_str()).filter(|_| longest.characters > 0)
    })
}

/// The label column: by its name, else the one with the fewest distinct values other than `text`.
fn label<'a>(sample: &'a Sample, text: &str) -> Option<&'a str> {
    let columns = || sample.columns.iter().filter(|column| !column.nested && column.name != text);
    named_one_of(columns().map(|column| column.name.as_str()), &LABELS).or_else(|| {
        let counted = columns().filter_map(|column| Some((column, column.values.as_ref()?.len())));
        let fit = |count: usize| (2..=MOST_LABELS).contains(&count) && count * 2 <= sample.count.max(4);
        counted.filter(|(_, count)| fit(*count)).min_by_key(|(_, count)| *count).map(|(column, _)| column.name.as_str())
    })
}

/// Whether there is a column with this name.
fn has(sample: &Sample, name: &str) -> bool {
    sample.columns.iter().any(|column| column.name == name)
}

/// The first of these names that exists, ignoring case.
fn named_one_of<'a>(columns: impl Iterator<Item = &'a str>, names: &[&str]) -> Option<&'a str> {
    let columns: Vec<&str> = columns.collect();
    names.iter().find_map(|name| columns.iter().copied().find(|column| column.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::super::sample::SampledColumn;
    use super::*;

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
        assert_eq!((text(&sample, "label"), label(&sample, "Review")), (Some("Review"), Some("Sentiment")));
        assert!(has(&sample, "id") && !has(&sample, "text"));
    }

    #[test]
    fn otherwise_lengths_and_counts_decide() {
        let sample = sample(&[("nr", 80, None), ("satz", 4000, None), ("art", 200, Some(4)), ("one", 40, Some(1))]);
        assert_eq!((text(&sample, "label"), label(&sample, "satz")), (Some("satz"), Some("art")));
        assert_eq!(text(&sample, "satz"), Some("art"), "a label is no text");
        assert_eq!(text(&Sample::default(), "label"), None);
    }

    fn named_in(name: &str, text: &str, recipe: Recipe, named: Named<'_>) -> (Recipe, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let mut recipe = recipe;
        recipe.data.train = folder.path().join(name);
        std::fs::write(&recipe.data.train, text).unwrap();
        let said = name_columns(&mut recipe, named).unwrap();
        (recipe, said)
    }

    #[test]
    fn a_recipe_without_columns_uses_those_of_the_file() {
        let text = "sentence,intent\nwhere is it,a\nnever came,b\nlate,a\nlost,b\n";
        let (recipe, said) = named_in("a.csv", text, Recipe::default(), &|_| false);
        assert_eq!((recipe.data.text.as_str(), recipe.data.label.as_str()), ("sentence", "intent"));
        insta::assert_snapshot!(said.unwrap(), @r#"guessed from the columns of "a.csv": data.text = "sentence", data.label = "intent"; name them to take others"#);
        let (recipe, said) = named_in("a.csv", text, Recipe::default(), &|field| field == "data.text");
        assert_eq!((recipe.data.text.as_str(), recipe.data.label.as_str()), ("text", "intent"));
        assert!(said.is_some());
        for (name, text) in [("a.csv", "text,label,other\nx,y,z\n"), ("a.csv", "text,label\n"), ("a.txt", "x")] {
            let (recipe, said) = named_in(name, text, Recipe::default(), &|_| false);
            assert_eq!((recipe.data.text.as_str(), said), ("text", None), "{text}");
        }
    }

    #[test]
    fn conversations_make_a_language_model_of_it() {
        let text = "{\"id\": 1, \"conversations\": [{\"from\": \"human\", \"value\": \"x\"}]}\n";
        let (recipe, said) = named_in("a.jsonl", text, Recipe::default(), &|_| false);
        assert_eq!((recipe.task.kind, recipe.data.messages.as_str()), (TaskKind::CausalLm, "conversations"));
        assert!(said.unwrap().contains("task.kind = \"causal-lm\""));
        // Columns that fit the task are used as they are, whatever else is there.
        let text = "{\"text\": \"x\", \"label\": \"y\", \"messages\": []}\n";
        assert_eq!(named_in("a.jsonl", text, Recipe::default(), &|_| false).1, None);
    }

    #[test]
    fn a_pipe_is_left_to_the_reader_of_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("a.csv");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // There is no writer: opening it would block forever.
        assert_eq!(first_row(&pipe, Dialect::default()), None);
    }

    #[test]
    fn prediction_needs_no_label() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id,review\n1,fine and long enough\n").unwrap();
        let mut data = Data::default();
        let said = name_columns_of(&path, &mut data, TaskKind::SequenceClassification, &|field| field == "data.label");
        assert!(said.unwrap().unwrap().contains("data.text = \"review\""));
        assert_eq!((data.text.as_str(), data.label.as_str(), data.train.as_os_str().len()), ("review", "label", 0));
    }
}
