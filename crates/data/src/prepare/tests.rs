use std::path::PathBuf;

use tempfile::TempDir;

use super::super::example::Target;
use super::super::tokenizer::tests::small_tokenizer;
use super::super::{read_for_evaluation, read_for_prediction};
use super::*;

struct Files {
    folder: TempDir,
    recipe: Recipe,
}

impl Files {
    fn new(train: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut recipe = Recipe::default();
        recipe.data.train = folder.path().join("train.jsonl");
        recipe.data.validation = Validation::Share(0.25);
        recipe.data.max_length = 6;
        std::fs::write(&recipe.data.train, train).unwrap();
        Self { folder, recipe }
    }

    fn with_validation(train: &str, validation: &str) -> Self {
        let mut files = Self::new(train);
        let path = files.write("valid.jsonl", validation);
        files.recipe.data.validation = Validation::File(path);
        files
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn prepare(&self) -> Result<Prepared> {
        prepare(&self.recipe, &small_tokenizer(), &mut |_, _| {})
    }

    fn refusal(&self) -> String {
        let error = self.prepare().unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && !error.message().contains('\n'), "{error}");
        error.message().replace(&*self.folder.path().to_string_lossy(), "…")
    }
}

fn example(tokens: &[u32], label: usize) -> Example {
    Example { tokens: tokens.to_vec(), token_types: Vec::new(), target: Target::Label(label) }
}

fn line(text: &str, label: &str) -> String {
    format!("{}\n", serde_json::json!({"text": text, "label": label}))
}

fn lines(rows: usize) -> String {
    (0..rows).map(|row| line(&format!("w{} w{}", row % 10, row / 10 % 10), ["b", "a"][row % 2])).collect()
}

#[test]
fn rows_become_examples_with_sorted_labels() {
    let valid = line("w3", "a");
    let prepared = Files::with_validation(&(line("w1 w2", "b") + &line("w0", "a")), &valid).prepare().unwrap();
    assert_eq!(prepared.labels, ["a", "b"]);
    assert_eq!(prepared.train.examples[0], example(&[2, 5, 6, 3], 1));
    assert_eq!(prepared.validation.examples, [example(&[2, 7, 3], 0)]);
    assert_eq!(prepared.train.left_out.sentence(), None);
}

#[test]
fn a_validation_share_is_deterministic() {
    let files = Files::new(&lines(100));
    let prepared = files.prepare().unwrap();
    assert_eq!((prepared.train.examples.len(), prepared.validation.examples.len()), (75, 25));
    assert_eq!(prepared, files.prepare().unwrap());
    let mut other = Files::new(&lines(100));
    other.recipe.train.seed += 1;
    assert_ne!(prepared.validation, other.prepare().unwrap().validation);
    let mut all: Vec<_> =
        prepared.train.examples.iter().chain(&prepared.validation.examples).map(|e| e.tokens.clone()).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 100);
}

#[test]
fn long_rows_are_dropped_or_cut() {
    let mut files = Files::with_validation(&(lines(4) + &line("w1 w2 w3 w4 w5", "a")), &lines(2));
    let dropped = files.prepare().unwrap().train;
    assert_eq!((dropped.examples.len(), dropped.left_out.too_long), (4, 1));
    files.recipe.data.too_long = TooLong::Truncate;
    let cut = files.prepare().unwrap().train;
    assert_eq!((cut.left_out.truncated, cut.examples[4].tokens.as_slice()), (1, &[2, 5, 6, 7, 8, 3][..]));
    files.recipe.data.too_long = TooLong::Drop;
    files.recipe.data.max_length = 3;
    insta::assert_snapshot!(files.refusal(), @r#"every row of …/train.jsonl is longer than data.max_length = 3 tokens, the shortest has 4; raise it, or set data.too_long = "truncate""#);
    files.recipe.data.max_length = 2;
    assert!(files.refusal().contains("no room beside the tokenizer's 2 special tokens"));
}

#[test]
fn a_text_of_a_megabyte_is_truncated_quickly() {
    let long = "w1 ".repeat(350_000);
    let mut files = Files::with_validation(&(lines(4) + &line(&long, "a")), &lines(2));
    let started = std::time::Instant::now();
    assert_eq!(files.prepare().unwrap().train.left_out.too_long, 1);
    files.recipe.data.too_long = TooLong::Truncate;
    assert_eq!(files.prepare().unwrap().train.examples[4].tokens.len(), 6);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[test]
fn bad_rows_are_listed_or_refused() {
    let bad = lines(4) + "no\n{\"text\":\"\\u001b[2J\"}\n{\"text\":7,\"label\":\"a\"}\n\n[]\n";
    let mut files = Files::with_validation(&bad, &lines(2));
    let prepared = files.prepare().unwrap();
    assert_eq!(prepared.train.examples.len(), 4);
    insta::assert_snapshot!(prepared.train.left_out.sentence().unwrap(), @r#"of 8 rows of "train.jsonl": 4 bad left out (train.jsonl:5 is not JSON: expected ident at column 2; train.jsonl:6 has no column "label"; its columns are "text"; train.jsonl:7 has a number in the column "text", not a text; and 1 more)"#);
    files.recipe.data.bad_rows = BadRows::Fail;
    insta::assert_snapshot!(files.refusal(), @r#"…/train.jsonl, line 5 is not JSON: expected ident at column 2; fix the row, or leave such rows out with data.bad_rows = "report""#);
}

#[test]
fn a_label_outside_the_list_is_a_bad_row() {
    let mut files = Files::with_validation(&lines(4), &(lines(2) + &line("w1", "aa\u{7}")));
    let left_out = files.prepare().unwrap().validation.left_out;
    assert_eq!(left_out.first_bad[0].why, r#"has the unknown label "aa\u{7}" (the nearest known is "a")"#);
    files.recipe.task.labels = vec!["b".into(), "a".into(), "c".into()];
    let prepared = files.prepare().unwrap();
    assert_eq!((prepared.labels.len(), prepared.train.examples[0].target.clone()), (3, Target::Label(0)));
    files.recipe.task.labels = vec!["x".into(), "y".into()];
    insta::assert_snapshot!(files.refusal(), @r#"each of the 4 rows of …/train.jsonl is bad (train.jsonl:1 has the unknown label "b" (known are "x", "y"); train.jsonl:2 has the unknown label "a" (known are "x", "y"); and 2 more); fix the file, or set data.text, data.label, data.template and task.labels to fit it"#);
}

#[test]
fn files_without_use_are_refused() {
    assert_eq!(Files::new("").refusal(), "…/train.jsonl holds no rows; give a file with some");
    assert_eq!(Files::new("\n\n").refusal(), "…/train.jsonl holds no rows; give a file with some");
    assert!(Files::new(&line("w1", "a")).refusal().contains("has only \"a\""));
    let mut missing = Files::new("");
    missing.recipe.data.train = missing.folder.path().join("none.csv");
    assert!(missing.refusal().contains("none.csv"));
    missing.recipe.data.train = PathBuf::new();
    assert!(missing.refusal().contains("data.train"));
    let mut column = Files::new(&lines(4));
    column.recipe.data.text = "sentence".into();
    assert!(
        column
            .refusal()
            .contains("(train.jsonl:1 has no column \"sentence\"; its columns are \"text\", \"label\"; and 3 more)")
    );
    let mut template = Files::new(&lines(4));
    template.recipe.data.template = "{% if %}".into();
    assert!(template.refusal().starts_with("data.template, line 1"));
}

#[test]
fn a_refusal_names_the_rows_that_were_left_out() {
    let one_label = line("w1", "a") + &line("w2", "a") + "no\n{\"text\": \"w3\"}\n";
    insta::assert_snapshot!(Files::new(&one_label).refusal(), @r#"a classifier needs two labels or more, but …/train.jsonl has only "a"; add rows of other labels, or set data.label to the column of the label; of its 4 rows, 2 bad left out (train.jsonl:3 is not JSON: expected ident at column 2; train.jsonl:4 has no column "label"; its columns are "text")"#);
    let mut long =
        Files::with_validation(&(line("w1 w2 w3", "a") + &line("w1 w2", "b")), &(line("w1", "a") + &line("w1", "c")));
    long.recipe.data.max_length = 3;
    assert!(long.refusal().starts_with("every row of …/train.jsonl is longer than data.max_length = 3"));
    let mut single = Files::new(&(line("w1", "a") + "no\n"));
    single.recipe.task.labels = vec!["a".into(), "b".into()];
    assert!(single.refusal().contains("one good row") && single.refusal().contains("train.jsonl:2 is not JSON"));
}

#[test]
fn likely_mistakes_and_guesses_are_reported() {
    let train = line("w1", "a") + &line("w1", "a") + &line(" ", "b") + &line("w3", "b") + &line("w4", "A");
    let prepared = Files::with_validation(&train, &(line("w3", "b") + &line("w5", "a"))).prepare().unwrap();
    insta::assert_snapshot!(prepared.findings.join("\n"), @r#"
    1 of 5 training rows has an empty text (train.jsonl:3)
    1 of 5 training rows repeats an earlier one (train.jsonl:2 repeats train.jsonl:1)
    1 of 2 validation rows has the text of a training row (valid.jsonl:1 is train.jsonl:4)
    2 of 3 labels differ from another only by case or space ("A" in 1 row, "a" in 2 rows)
    1 of 3 labels has one row to learn from ("A")
    1 of 3 labels has training rows and no validation row ("A")
    "#);
    let mut files = Files::new("");
    files.recipe.data.train = files.write("rows.csv", "text;label\nw1;a\nw2;b\nw3;a\n");
    let prepared = files.prepare().unwrap();
    assert_eq!((prepared.train.examples.len(), prepared.validation.examples.len()), (2, 1));
    assert!(prepared.train.read_as.unwrap().contains("with \";\" between the fields"));
    files.recipe.data.delimiter = ",".into();
    assert!(files.refusal().contains("its columns are \"text;label\""), "{}", files.refusal());
}

#[test]
fn findings_are_about_the_rows_that_are_left() {
    let long = "w1 w2 w3 w4 w5";
    // All training rows of "b" but one are too long, all of "c", and the repeated one.
    let train = line("w1", "a") + &line("w2", "a") + &line("w3", "b") + &line(long, "b") + &line(long, "c");
    let valid = line("w4", "a") + &line("w5", "b") + &line(long, "a") + &line("w6", "c");
    let mut files = Files::with_validation(&train, &valid);
    insta::assert_snapshot!(files.prepare().unwrap().findings.join("\n"), @r#"
    1 of 3 labels has one row to learn from ("b")
    1 of 3 labels has validation rows and no training row ("c")
    "#);
    // The same for a validation share.
    let mut share = Files::new(&(lines(30) + &line(long, "c") + &line(long, "c")));
    share.recipe.data.validation = Validation::Share(0.2);
    insta::assert_snapshot!(share.prepare().unwrap().findings.join("\n"), @r#"1 of 3 labels has no training row ("c")"#);
    // A truncated row is kept.
    files.recipe.data.too_long = TooLong::Truncate;
    let found = files.prepare().unwrap().findings.join("\n");
    assert!(found.contains("1 of 3 labels has one row to learn from (\"c\")"), "{found}");
    assert!(found.contains("1 of 5 training rows has the text of an earlier one"), "{found}");
}

#[test]
fn swapped_columns_are_named_where_the_labels_of_the_other_file_are_unknown() {
    let row = |at: usize| line(["billing", "delivery"][at % 2], &format!("a sentence of some length, {at}"));
    let (train, validation): (String, String) = ((0..12).map(row).collect(), (12..15).map(row).collect());
    let refusal = Files::with_validation(&train, &validation).refusal();
    assert!(
        refusal.contains("data.text and data.label look swapped: 12 training rows have 2 texts and 12 labels"),
        "{refusal}"
    );
}

#[test]
fn progress_rises_over_both_files() {
    let mut heard = Vec::new();
    let files = Files::with_validation(&lines(1500), &lines(600));
    prepare(&files.recipe, &small_tokenizer(), &mut |what, fraction| heard.push((what.to_owned(), fraction))).unwrap();
    let train: Vec<f32> =
        heard.iter().filter(|(what, _)| what == "tokenizing train.jsonl").filter_map(|(_, f)| *f).collect();
    assert_eq!(train.len(), 3);
    assert!(train.is_sorted() && heard.iter().any(|(what, _)| what == "reading valid.jsonl"), "{heard:?}");
}

#[test]
fn where_every_row_counts_all_bad_rows_are_named_at_once() {
    let files = Files::new("");
    let (tokenizer, kind) = (small_tokenizer(), TaskKind::SequenceClassification);
    let data = Data { max_length: 4, ..Data::default() };
    let row = |number| match number {
        2 | 7 => "{\"text\":\"w1\"}\n",
        3 => "{\"label\":\"a\"}\n",
        4 | 8 => "{\"text\":\"w1\",\"label\":\"z\"}\n",
        5 => "[]\n",
        _ => "{\"text\":\"w1\",\"label\":\"a\"}\n",
    };
    let bad = files.write("bad.jsonl", &(1..=8).map(row).collect::<String>());
    let labels = ["a".to_owned(), "b".to_owned()];
    let told = |error: spartui_facts::error::Error, begins: &str, parts: &[&str]| {
        let said = error.message().replace(&*bad.to_string_lossy(), "bad.jsonl");
        assert!(said.starts_with(&format!("{begins} of the 8 rows of bad.jsonl cannot be used: line ")), "{said}");
        let found = parts.iter().try_fold(0, |from, part| Some(from + said[from..].find(part)?));
        assert!(found.is_some() && said.ends_with("; fix or remove them"), "{said}");
    };
    let all =
        ["line 2 has no ", " (line 7 too); line 3 has no ", "; line 4 has ", "; line 5 is a list", "; and 1 more; "];
    told(read_for_evaluation(&bad, &data, kind, &labels, &tokenizer).unwrap_err(), "6", &all);
    let any = crate::Answers::AnyOf(&labels);
    told(crate::read_with_answers(&bad, &data, any, &tokenizer).unwrap_err(), "6", &all);
    let unread = ["line 3 has no ", "; line 5 is a list, not an object with columns; fix"];
    told(read_for_prediction(&bad, &data, kind, &tokenizer).unwrap_err(), "2", &unread);
}

#[test]
fn where_every_row_counts_one_bad_row_is_an_error() {
    let files = Files::new("");
    let (tokenizer, kind) = (small_tokenizer(), TaskKind::SequenceClassification);
    let data = Data { max_length: 4, ..Data::default() };
    let predict = |path: &Path| read_for_prediction(path, &data, kind, &tokenizer);
    let good = files.write("good.csv", "text,label\nw1 w2 w3,a\n,b\n");
    assert_eq!(predict(&good).unwrap(), [example(&[2, 5, 6, 3], 0), example(&[2, 3], 0)]);
    let labels = ["b".to_owned(), "a".to_owned()];
    let evaluate = |path: &Path| read_for_evaluation(path, &data, kind, &labels, &tokenizer);
    assert_eq!(evaluate(&good).unwrap(), [example(&[2, 5, 6, 3], 1), example(&[2, 3], 0)]);
    let bad = files.write("bad.jsonl", "{\"text\":\"w1\",\"label\":\"c\"}\nnull\n");
    let error = predict(&bad).unwrap_err();
    assert!(
        error.message().ends_with("bad.jsonl, line 2 is null, not an object with columns; fix or remove the row"),
        "{error}"
    );
    let error = evaluate(&bad).unwrap_err();
    assert!(error.message().contains("line 1 has the unknown label \"c\" (known are \"b\", \"a\")"), "{error}");
    assert!(error.message().contains("2 of the 2 rows of "), "{error}");
    assert!(predict(&files.write("none.tsv", "text\n")).is_err());
}
