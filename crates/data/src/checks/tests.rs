use super::*;

fn row(line: usize, text: &str, label: &str) -> Row {
    Row { line, content: Content::Text(text.into()), label: label.into() }
}

/// Rows on the lines from 2 on, as in a file with a header.
fn rows(rows: &[(&str, &str)]) -> Vec<Row> {
    rows.iter().enumerate().map(|(at, (text, label))| row(at + 2, text, label)).collect()
}

fn found(train: &[Row], validation: &[Row], split: bool, labels: &[&str]) -> String {
    let part = |name, file, rows| Part { name, file, rows };
    let labels = Labels::new(labels.iter().map(|&label| label.into()).collect(), "the rows").ok();
    let file = if split { "train.csv" } else { "valid.csv" };
    let parts = Parts {
        train: part("training", "train.csv", train),
        validation: part("validation", file, validation),
        split,
        labels: labels.as_ref(),
    };
    parts.check(&mut |_| {}).join("\n")
}

#[test]
fn good_rows_have_no_findings() {
    let train = rows(&[("one", "a"), ("two", "b"), ("three", "a"), ("four", "b")]);
    assert_eq!(found(&train, &rows(&[("five", "a"), ("six", "b")]), false, &["a", "b"]), "");
    assert_eq!(found(&train, &[], false, &["a", "b"]), "");
}

#[test]
fn empty_and_repeated_rows_are_counted_and_the_first_named() {
    let train = rows(&[
        ("one", "a"),
        ("  ", "b"),
        ("one ", "a"),
        ("", "a"),
        ("one", "b"),
        ("two", "b"),
        ("\n", "b"),
        ("\t", "b"),
    ]);
    insta::assert_snapshot!(found(&train, &rows(&[("two", "b"), ("x", "a")]), false, &["a", "b"]), @r"
    4 of 8 training rows have an empty text (train.csv:3, train.csv:5, train.csv:8 and 1 more)
    1 of 8 training rows repeats an earlier one (train.csv:4 repeats train.csv:2)
    1 of 8 training rows has the text of an earlier one and another label (train.csv:6 and train.csv:2)
    1 of 2 validation rows has the text of a training row (valid.csv:2 is train.csv:7)
    ");
}

#[test]
fn labels_that_differ_only_in_case_or_space_are_reported() {
    let train = rows(&[("1", "Billing"), ("2", "billing "), ("3", "x"), ("4", "x"), ("5", "x y"), ("6", "X  Y")]);
    let labels = ["Billing", "X  Y", "billing ", "x", "x y"];
    let found = found(&train, &rows(&[("7", "x"), ("8", "x y"), ("9", "Billing")]), false, &labels);
    let first = found.lines().next().unwrap();
    insta::assert_snapshot!(first, @r#"4 of 5 labels differ from another only by case or space ("Billing" in 1 row, "billing " in 1 row; "X  Y" in 1 row, "x y" in 1 row)"#);
}

#[test]
fn rare_labels_and_those_of_one_file_are_named() {
    let train = rows(&[("1", "a"), ("2", "a"), ("3", "b"), ("4", "c"), ("5", "c")]);
    let validation = rows(&[("6", "a"), ("7", "b"), ("8", "d"), ("9", "d")]);
    insta::assert_snapshot!(found(&train, &validation, false, &["a", "b", "c", "d"]), @r#"
    1 of 4 labels has one row to learn from ("b")
    1 of 4 labels has validation rows and no training row ("d")
    1 of 4 labels has training rows and no validation row ("c")
    "#);
    // The same for a validation share, and for labels in a recipe that no row has.
    insta::assert_snapshot!(found(&train, &validation, true, &["a", "b", "c", "d", "e"]), @r#"
    1 of 5 labels has one row to learn from ("b")
    2 of 5 labels have no training row ("d", "e")
    1 of 5 labels has training rows and no validation row ("c")
    "#);
    insta::assert_snapshot!(found(&train, &[], true, &["a", "c", "e"]), @r#"1 of 3 labels has no training row ("e")"#);
}

#[test]
fn text_and_label_that_are_swapped_are_noticed() {
    let texts: Vec<String> = (0..20).map(|at| format!("a sentence of some length, number {at}")).collect();
    let right: Vec<Row> =
        texts.iter().enumerate().map(|(at, text)| row(at, text, ["billing", "other"][at % 2])).collect();
    let wrong: Vec<Row> =
        texts.iter().enumerate().map(|(at, text)| row(at, ["billing", "other"][at % 2], text)).collect();
    assert_eq!(swapped(&right), None);
    assert_eq!(
        swapped(&wrong).as_deref(),
        Some("data.text and data.label look swapped: 20 training rows have 2 texts and 20 labels")
    );
    // One label per text is a naming task, and few rows prove nothing.
    let names: Vec<Row> = texts.iter().enumerate().map(|(at, text)| row(at, text, &at.to_string())).collect();
    assert_eq!((swapped(&names), swapped(&wrong[..6])), (None, None));
}

#[test]
fn completions_and_conversations_repeat_too() {
    let completion = |line, prompt: &str, completion: &str| Row {
        line,
        content: Content::Completion { prompt: prompt.into(), completion: completion.into() },
        label: String::new(),
    };
    let train = [completion(1, "a", "b"), completion(2, "a", "c"), completion(3, "a", "b"), completion(4, "a", " ")];
    insta::assert_snapshot!(found(&train, &[], false, &[]), @r"
    1 of 4 training rows has an empty text (train.csv:4)
    1 of 4 training rows repeats an earlier one (train.csv:3 repeats train.csv:1)
    ");
}

#[test]
fn many_rows_take_one_pass() {
    let train: Vec<Row> = (0..300_000).map(|at| row(at, &format!("text {}", at % 200_000), "a")).collect();
    let mut heard = Vec::new();
    let part = Part { name: "training", file: "train.csv", rows: &train };
    let validation = Part { name: "validation", file: "valid.csv", rows: &train[..10] };
    let parts = Parts { train: part, validation, split: false, labels: None };
    let found = parts.check(&mut |share| heard.push(share));
    assert!(found[0].starts_with("100000 of 300000 training rows repeat an earlier one"), "{found:?}");
    assert!(found[1].starts_with("10 of 10 validation rows have the text of a training row"), "{found:?}");
    assert!(heard.is_sorted() && heard.len() > 4, "{heard:?}");
}
