use super::*;

fn rows_of(text: &str, data: &Data, kind: TaskKind) -> Result<Vec<std::result::Result<Row, String>>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, text).unwrap();
    let mut rows = Vec::new();
    read(&path, Wanted::to_learn(data, kind)?, &mut |_, row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

fn labelled(text: &str, data: &Data) -> Result<Vec<std::result::Result<Row, String>>> {
    rows_of(text, data, TaskKind::SequenceClassification)
}

fn contents(text: &str, data: &Data) -> Vec<Content> {
    rows_of(text, data, TaskKind::CausalLm).unwrap().into_iter().map(|row| row.unwrap().content).collect()
}

fn refusal(text: &str, data: &Data) -> String {
    rows_of(text, data, TaskKind::CausalLm).unwrap_err().message().to_owned()
}

#[test]
fn labels_are_texts_numbers_or_flags() {
    let text = r#"{"text":"a","label":"x"}
        {"text":"a","label":3}
        {"text":"a","label":-1.5}
        {"text":"a","label":true}"#;
    let rows = labelled(text, &Data::default()).unwrap();
    let labels: Vec<String> = rows.into_iter().map(|row| row.unwrap().label).collect();
    assert_eq!(labels, ["x", "3", "-1.5", "true"]);
}

#[test]
fn what_is_wrong_is_said() {
    let text = r#"{"text":"a"}
        {"text":5,"label":"x"}
        {"text":null,"label":"x"}
        {"text":"a","label":["x"]}
        {"text":"a","label":""}
        {}"#;
    let rows = labelled(text, &Data::default()).unwrap();
    let why: Vec<String> = rows.into_iter().map(|row| row.unwrap_err()).collect();
    insta::assert_snapshot!(why.join("\n"), @r#"
    has no column "label"; its columns are "text"
    has a number in the column "text", not a text
    has nothing in the column "text", not a text
    has a list in the column "label", not a label
    has an empty label in the column "label"
    has no column "text"; its columns are none
    "#);
    let misspelt = Data { text: "sentance".into(), ..Data::default() };
    let why = labelled(r#"{"sentence":"a","label":"x"}"#, &misspelt).unwrap()[0].clone().unwrap_err();
    assert_eq!(why, r#"has no column "sentance" (did you mean "sentence"?); its columns are "sentence", "label""#);
}

#[test]
fn a_template_sees_the_whole_row_and_escapes_nothing() {
    let template = "{{ a }} <{{ b.c }}>{% if d %}!{% endif %}".into();
    let data = Data { template, ..Data::default() };
    let text = r#"{"a":"x & y","b":{"c":2},"label":"l"}
        {"b":{"c":2},"label":"l"}"#;
    let rows = labelled(text, &data).unwrap();
    assert_eq!(rows[0].as_ref().unwrap().content, Content::Text("x & y <2>".into()));
    assert!(rows[1].as_ref().unwrap_err().starts_with("does not fit data.template: undefined"), "{rows:?}");
    assert_eq!(contents(text.lines().next().unwrap(), &data), [Content::Text("x & y <2>".into())]);
}

#[test]
fn a_broken_template_is_refused_with_its_line() {
    let error = labelled("{}", &Data { template: "fine\n{{ text".into(), ..Data::default() }).unwrap_err();
    assert!(error.message().starts_with("data.template, line 2: syntax error"), "{error}");
}

#[test]
fn a_pair_is_two_columns() {
    let data = Data { text_pair: "hypothesis".into(), text: "premise".into(), ..Data::default() };
    let text = "{\"premise\":\"a\",\"hypothesis\":\"b\",\"label\":1}\n{\"premise\":\"a\",\"label\":1}";
    let rows = labelled(text, &data).unwrap();
    assert_eq!(rows[0].as_ref().unwrap().content, Content::Pair("a".into(), "b".into()));
    assert!(rows[1].as_ref().unwrap_err().starts_with("has no column \"hypothesis\""));
    assert!(refusal("{}", &data).starts_with("data.text_pair is for sequence-classification"));
}

#[test]
fn the_first_good_row_says_what_a_causal_model_learns() {
    let (text, data) = (|text: &str| Content::Text(text.into()), Data::default());
    let completion = Content::Completion { prompt: "p".into(), completion: "c".into() };
    assert_eq!(contents(r#"{"prompt":"p","completion":"c","text":"t"}"#, &data), [completion]);
    assert_eq!(contents(r#"{"prompt":"p","text":"t"}"#, &data), [text("t")]);
    let chat = r#"{"text":"t","messages":[{"role":"assistant","content":"x"}]}"#;
    assert!(matches!(&contents(chat, &data)[..], [Content::Messages(_)]));
    assert_eq!(contents(chat, &Data { format: DataFormat::Text, ..Data::default() }), [text("t")]);
    let rows = rows_of("no\n{\"text\":\"t\"}\n{\"prompt\":\"p\",\"completion\":\"c\"}", &data, TaskKind::CausalLm);
    let rows = rows.unwrap();
    assert!(rows[0].is_err() && rows[1].is_ok() && rows[2].is_err(), "{rows:?}");
}

#[test]
fn columns_that_make_no_example_are_refused_by_name() {
    let refused = refusal("{\"question\":\"q\",\"prompt\":\"p\"}", &Data::default());
    let (_, refused) = refused.split_once("a.jsonl").unwrap();
    insta::assert_snapshot!(refused, @r#" has neither the column "messages" (data.messages), nor "prompt" and "completion" (data.prompt, data.completion), nor "text" (data.text); its columns are "question", "prompt": set one of these fields to the column to learn from"#);
    let data = Data { format: DataFormat::Messages, template: "{{ a }}".into(), ..Data::default() };
    assert!(refusal("{}", &data).starts_with("data.template makes one text"));
}

#[test]
fn odd_conversations_are_bad_rows() {
    let text = r#"{"messages":"hi"}
        {"messages":["hi"]}
        {"messages":[{"role":"assistant","content":"x"},{"from":"user"}]}
        {"messages":[{"role":"user","content":"x"}]}
        {"messages":[]}"#;
    let rows = rows_of(text, &Data::default(), TaskKind::CausalLm).unwrap();
    let why: Vec<String> = rows.into_iter().map(|row| row.unwrap_err()).collect();
    insta::assert_snapshot!(why.join("\n"), @r#"
    has a text in the column "messages", not a list of messages
    has a message without a role in the column "messages" (number 1)
    has a message without a role in the column "messages" (number 2)
    has no message of the role "assistant" in the column "messages"
    has no message of the role "assistant" in the column "messages"
    "#);
}
