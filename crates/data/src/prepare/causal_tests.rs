use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::super::example::Target;
use super::super::{read_for_evaluation, read_for_prediction};
use super::*;
use spartui_facts::recipe::DataFormat;

const END: u32 = 3;

fn lines(rows: &[Json]) -> String {
    rows.iter().map(Json::to_string).collect::<Vec<_>>().join("\n")
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/chat").join(name)
}

fn golden_json(name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

/// A folder with a model's tokenizer, and rows.
struct Model {
    folder: TempDir,
    recipe: Recipe,
}

impl Model {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(golden("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
        let mut recipe = Recipe::default();
        recipe.task.kind = TaskKind::CausalLm;
        recipe.data.train = folder.path().join("train.jsonl");
        let model = Self { folder, recipe };
        model.write("tokenizer_config.json", &json!({"bos_token": "<s>", "eos_token": "</s>"}).to_string());
        model
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::load(self.folder.path(), 400).unwrap()
    }

    /// The examples of these rows, which are also used for validation.
    fn prepare(&mut self, rows: &[Json]) -> Result<Prepared> {
        self.write("train.jsonl", &lines(rows));
        self.recipe.data.validation = Validation::File(self.recipe.data.train.clone());
        prepare(&self.recipe, &self.tokenizer(), &mut |_, _| {})
    }

    fn examples(&mut self, rows: &[Json]) -> Vec<Example> {
        let prepared = self.prepare(rows).unwrap();
        assert!(prepared.labels.is_empty());
        prepared.train.examples
    }

    fn refusal(&mut self, rows: &[Json]) -> String {
        let error = self.prepare(rows).unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && !error.message().contains('\n'), "{error}");
        error.message().replace(&*self.folder.path().to_string_lossy(), "…")
    }
}

fn trained(example: &Example) -> &[bool] {
    match &example.target {
        Target::Tokens(trained) => trained,
        Target::Label(_) => panic!("a label"),
    }
}

/// The text of the target tokens.
fn learned(model: &Model, example: &Example) -> String {
    let tokenizer = model.tokenizer();
    let learned = example.tokens.iter().zip(trained(example)).filter(|(_, trained)| **trained);
    learned.map(|(&token, _)| tokenizer.token_text(token)).collect()
}

#[test]
fn all_of_a_text_is_learned_and_its_end() {
    let mut model = Model::new();
    let rows = [json!({"text": "The capital"}), json!({"text": "One</s>"})];
    let examples = model.examples(&rows);
    let bare = model.tokenizer().encode("The capital").unwrap();
    assert_eq!(examples[0].tokens, [bare.as_slice(), &[END]].concat());
    assert_eq!(learned(&model, &examples[0]), "The capital</s>");
    assert_eq!(learned(&model, &examples[1]), "One</s>");
    assert_eq!(examples[0].target_tokens(), bare.len());
    model.recipe.data.append_end = false;
    assert_eq!(model.examples(&rows)[0].tokens, bare);
    model.recipe.data.template = "{{ text }}!".into();
    assert_eq!(learned(&model, &model.tokenizer_example(&rows[0])), "The capital!");
}

impl Model {
    fn tokenizer_example(&self, row: &Json) -> Example {
        let mut copy = Self::new();
        copy.recipe.data.clone_from(&self.recipe.data);
        copy.recipe.data.train = copy.folder.path().join("train.jsonl");
        copy.examples(std::slice::from_ref(row)).remove(0)
    }
}

#[test]
fn prompts_of_completions_are_not_learned() {
    let mut model = Model::new();
    let row = |prompt: &str, completion: &str| json!({"prompt": prompt, "completion": completion});
    let rows = [
        row("The capital of France is", " Paris."),
        row("The capital of France is ", "Paris."),
        row("", "Madrid"),
        row("naïve 漢", "字"),
        row("Madrid", ""),
    ];
    let examples = model.examples(&rows);
    let whole = |text: &str| [model.tokenizer().encode(text).unwrap(), vec![END]].concat();
    assert_eq!(examples[0].tokens, whole("The capital of France is Paris."));
    assert_eq!(examples[1].tokens, examples[0].tokens);
    // The space belongs to the token of the first word, and is learned with it, on either side of the boundary.
    let texts: Vec<String> = examples.iter().map(|example| learned(&model, example)).collect();
    assert_eq!(texts[..3], [" Paris.</s>", " Paris.</s>", "Madrid</s>"]);
    assert_eq!(trained(&examples[3]).iter().filter(|&&trained| trained).count(), "字".len() + 1);
    assert_eq!(texts[4], "</s>");
    model.recipe.data.append_end = false;
    assert_eq!(learned(&model, &model.tokenizer_example(&rows[0])), " Paris.");
}

#[test]
fn an_end_token_that_the_tokenizer_puts_there_is_learned_once() {
    let mut model = Model::new();
    let mut file: Json = golden_json("tokenizer.json");
    let end = json!({"SpecialToken": {"id": "</s>", "type_id": 0}});
    file["post_processor"]["single"].as_array_mut().unwrap().push(end);
    model.write("tokenizer.json", &file.to_string());
    let examples = model.examples(&[json!({"prompt": "The capital", "completion": " of"})]);
    assert_eq!(learned(&model, &examples[0]), " of</s>");
    assert_eq!(examples[0].tokens.iter().filter(|&&token| token == END).count(), 1);
}

#[test]
fn of_a_conversation_the_assistants_turns_are_learned_as_transformers_marks_them() {
    let mut model = Model::new();
    let templates = golden_json("templates.json");
    let cases = golden_json("tokens.json")["masks"].clone();
    for case in cases.as_array().unwrap() {
        model
            .write("chat_template.jinja", templates["templates"][case["template"].as_str().unwrap()].as_str().unwrap());
        let messages = &templates["conversations"][case["conversation"].as_str().unwrap()];
        let examples = model.examples(&[json!({"messages": messages})]);
        assert_eq!(json!(examples[0].tokens), case["ids"], "{case}");
        let mask: Vec<u8> = trained(&examples[0]).iter().map(|&trained| trained.into()).collect();
        assert_eq!(json!(mask), case["mask"], "{case}");
    }
    assert_eq!(cases.as_array().unwrap().len(), 8);
}

#[test]
fn a_template_without_marks_gives_the_turns_with_their_ends() {
    let mut model = Model::new();
    let templates = golden_json("templates.json");
    model.write("chat_template.jinja", templates["templates"]["chatml-line"].as_str().unwrap());
    let examples = model.examples(&[json!({"messages": templates["conversations"]["several"]})]);
    let learned = learned(&model, &examples[0]);
    assert!(learned.starts_with("Two, then <b>three</b> & 'four'.<|im_end|>\nna"), "{learned}");
    assert!(learned.ends_with("<|im_end|>\n") && !learned.contains("And now"), "{learned}");
}

#[test]
fn long_ones_are_dropped_or_cut_and_those_without_a_target_are_bad() {
    let mut model = Model::new();
    model.recipe.data.max_length = 8;
    let row = |prompt: &str| json!({"prompt": prompt, "completion": " Paris"});
    let rows = [row("The"), row(&"The capital ".repeat(20))];
    let left_out = model.prepare(&rows).unwrap().train.left_out;
    assert_eq!((left_out.too_long, left_out.bad), (1, 0));
    model.recipe.data.too_long = TooLong::Truncate;
    let train = model.prepare(&rows).unwrap().train;
    assert_eq!((train.examples.len(), train.left_out.bad), (1, 1));
    assert_eq!(train.left_out.first_bad[0].why, "has no token to learn within 8 tokens");
    let cut = model.prepare(&[json!({"text": "The capital of France ".repeat(9)})]).unwrap().train;
    assert_eq!((cut.examples[0].tokens.len(), cut.left_out.truncated), (8, 1));
    assert_ne!(cut.examples[0].tokens[7], END);
    model.recipe.data.append_end = false;
    assert!(model.refusal(&[json!({"text": ""})]).contains("is bad (train.jsonl:1 has no token to learn)"));
    model.recipe.data.max_length = 1;
    assert!(model.refusal(&rows).contains("no room beside the tokenizer's 1 special tokens"));
}

#[test]
fn what_the_model_lacks_is_named() {
    let mut model = Model::new();
    let chat = [json!({"messages": [{"role": "assistant", "content": "x"}]})];
    insta::assert_snapshot!(model.refusal(&chat), @"… has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json) to write messages with; take a model that has one, or set data.format to text or completion");
    model.write("tokenizer_config.json", "{}");
    insta::assert_snapshot!(model.refusal(&[json!({"text": "x"})]), @"… names no end token (eos_token in tokenizer_config.json, eos_token_id in generation_config.json or config.json) to put behind each text; name one, or set data.append_end = false");
    model.write("chat_template.jinja", "{{ raise_exception('no') }}");
    insta::assert_snapshot!(model.refusal(&chat), @"the only row of …/train.jsonl is bad (train.jsonl:1 does not fit the model's chat template: invalid operation, no); fix the file, or set data.format, the columns of data and data.max_length to fit it");
    assert!(model.refusal(&[json!({"x": "y"})]).contains("train.jsonl has neither the column \"messages\""));
}

#[test]
fn the_preview_is_the_first_example() {
    let mut model = Model::new();
    let preview = model.prepare(&[json!({"prompt": "One?", "completion": " Two\n"})]).unwrap().preview.unwrap();
    let text = |trained| -> String {
        preview.pieces.iter().filter(|piece| piece.trained == trained).map(|piece| piece.text.as_str()).collect()
    };
    assert_eq!((text(false).as_str(), text(true).as_str(), &preview.label), ("<s>One?", " Two\\n</s>", &None));
}

#[test]
fn every_row_counts_where_a_causal_model_answers() {
    let model = Model::new();
    let tokenizer = model.tokenizer();
    let rows = model
        .write("rows.jsonl", "{\"text\":\"The capital\",\"prompt\":\"p\",\"completion\":\"c\"}\n{\"text\":\"\"}\n");
    let kind = TaskKind::CausalLm;
    let predicted = read_for_prediction(&rows, &Data::default(), kind, &tokenizer).unwrap();
    assert_eq!(predicted[0].tokens, tokenizer.encode("The capital").unwrap());
    assert!(!trained(&predicted[0])[0] && trained(&predicted[0])[1..].iter().all(|&trained| trained));
    assert_eq!((predicted[1].tokens.as_slice(), predicted[1].target_tokens()), (&[2][..], 0));
    let evaluate = |data: &Data| read_for_evaluation(&rows, data, kind, &[], &tokenizer);
    let error = evaluate(&Data::default()).unwrap_err();
    assert!(error.message().contains("rows.jsonl, line 2 has no column \"prompt\""), "{error}");
    let whole = evaluate(&Data { format: DataFormat::Text, ..Data::default() }).unwrap();
    assert_eq!(learned(&model, &whole[0]), "The capital</s>");
    assert_eq!(whole[1].tokens, [2, END]);
}

#[test]
fn pairs_are_classified_with_their_types() {
    let mut model = Model::new();
    model.recipe.task.kind = TaskKind::SequenceClassification;
    model.recipe.data.text_pair = "second".into();
    model.recipe.data.too_long = TooLong::Truncate;
    model.recipe.data.max_length = 7;
    let row = |label: &str| json!({"text": "The capital of France is Paris", "second": "Madrid", "label": label});
    let rows = [row("a"), row("b")];
    let path = model.write("train.jsonl", &lines(&rows));
    model.recipe.data.validation = Validation::File(path.clone());
    let tokenizer = model.tokenizer();
    let prepared = prepare(&model.recipe, &tokenizer, &mut |_, _| {}).unwrap();
    let example = &prepared.train.examples[0];
    let (ids, types, cut) = tokenizer.encode_pair_within("The capital of France is Paris", "Madrid", 7).unwrap();
    assert_eq!((&example.tokens, &example.token_types, &example.target), (&ids, &types, &Target::Label(0)));
    assert!(cut && types.contains(&1) && prepared.train.left_out.truncated == 2);
    assert_eq!(prepared.preview.unwrap().label.as_deref(), Some("a"));
    let kind = TaskKind::SequenceClassification;
    assert_eq!(read_for_prediction(&path, &model.recipe.data, kind, &tokenizer).unwrap()[1].tokens, ids);
    model.recipe.data.max_length = 3;
    let error = prepare(&model.recipe, &tokenizer, &mut |_, _| {}).unwrap_err();
    assert!(error.message().contains("no room beside the tokenizer's 3 special tokens"), "{error}");
}

#[test]
fn conversations_of_every_shape_are_learned_alike() {
    let mut model = Model::new();
    let templates = golden_json("templates.json");
    model.write("chat_template.jinja", templates["templates"]["chatml-line"].as_str().unwrap());
    let message = |role: &str, content: &str| json!({"role": role, "content": content});
    let (asked, answered) = (message("user", "One?"), message("assistant", "Two"));
    let shared = json!([{"from": "human", "value": "One?"}, {"from": "gpt", "value": "Two"}]);
    let list = json!([asked, answered]);
    let rows = [
        json!({"messages": list}),
        json!({"messages": list.to_string()}),
        json!({"conversations": shared}),
        json!({"prompt": [asked], "completion": [answered]}),
    ];
    let expected = model.examples(&rows[..1]).remove(0);
    assert_eq!(learned(&model, &expected), "Two<|im_end|>\n");
    for row in &rows[1..] {
        assert_eq!(model.examples(std::slice::from_ref(row)), std::slice::from_ref(&expected), "{row}");
    }
    let mut weighted = json!({"messages": [asked, answered, asked, answered]});
    weighted["messages"][1]["weight"] = json!(0);
    let examples = model.examples(std::slice::from_ref(&weighted));
    assert_eq!(examples[0].target_tokens(), expected.target_tokens());
    assert!(examples[0].tokens.len() > expected.tokens.len());
}

#[test]
fn tools_and_switches_of_recipe_and_row_are_in_the_tokens() {
    let mut model = Model::new();
    let template =
        "{% if tools %}{{ tools | tojson }}{% endif %}{{ mode }}|{% for m in messages %}{{ m.content }}|{% endfor %}";
    model.write("chat_template.jinja", template);
    model.recipe.set("data.template_arguments.mode", spartui_facts::recipe::Value::String("fast".into())).unwrap();
    let messages = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
    let rows = [
        json!({"messages": messages}),
        json!({"messages": messages, "tools": "[{\"name\": \"f\"}]", "chat_template_kwargs": {"mode": "slow"}}),
        json!({"messages": messages, "tools": "none"}),
    ];
    let prepared = model.prepare(&rows).unwrap();
    let texts: Vec<String> =
        prepared.train.examples.iter().map(|example| model.tokenizer().decode(&example.tokens).unwrap()).collect();
    assert_eq!(texts, ["fast|a|b|", "[{\"name\": \"f\"}]slow|a|b|"]);
    assert_eq!(prepared.train.left_out.first_bad[0].why, "has a text in the column \"tools\" that is not JSON");
    let shown: String = prepared.preview.unwrap().pieces.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!(shown, "fast|a|b|");
}
