use serde_json::{Value as Json, json};

use super::*;

fn golden() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/chat/templates.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The moment at which the goldens were rendered.
fn then() -> NaiveDateTime {
    NaiveDateTime::parse_from_str("2024-07-05 09:03:07", "%Y-%m-%d %H:%M:%S").unwrap()
}

fn template(golden: &Json, name: &str) -> ChatTemplate {
    let source = golden["templates"][name].as_str().unwrap();
    ChatTemplate::new(source, special_tokens(&[&golden["special_tokens"]]), then).unwrap()
}

fn small(source: &str) -> std::result::Result<ChatTemplate, String> {
    ChatTemplate::new(source, vec![("eos_token".into(), "</s>".into())], then)
}

fn user(content: &str) -> Json {
    json!({"role": "user", "content": content})
}

fn assistant(content: &str) -> Json {
    json!({"role": "assistant", "content": content})
}

#[test]
fn texts_are_those_of_transformers() {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in cases {
        let template = template(&golden, case["template"].as_str().unwrap());
        let messages = &golden["conversations"][case["conversation"].as_str().unwrap()];
        for (field, prompt) in [("text", false), ("prompted", true)] {
            compared += 1;
            let ours = template.render(messages, prompt);
            if ours.clone().ok().as_deref() != case[field].as_str() {
                wrong
                    .push(format!("{} {} {field}: {ours:?}\n {}", case["template"], case["conversation"], case[field]));
            }
        }
    }
    assert!(wrong.is_empty() && compared == 196, "{compared}\n{}", wrong.join("\n"));
}

#[test]
fn turns_are_what_the_assistant_wrote() {
    let golden = golden();
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in golden["cases"].as_array().unwrap() {
        let Some(turns) = case.get("turns") else { continue };
        compared += 1;
        let template = template(&golden, case["template"].as_str().unwrap());
        let messages = &golden["conversations"][case["conversation"].as_str().unwrap()];
        let ours = template.render_with_spans(messages).map(|(text, spans)| {
            assert_eq!(Some(text.as_str()), case["text"].as_str());
            Json::from(spans.into_iter().map(|span| &text[span]).collect::<Vec<_>>())
        });
        if ours.as_ref() != Ok(turns) {
            wrong.push(format!("{} {}: {ours:?}\n {turns}", case["template"], case["conversation"]));
        }
    }
    assert!(wrong.is_empty() && compared > 30, "{compared}\n{}", wrong.join("\n"));
}

#[test]
fn the_clock_is_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chat_template.jinja"), "{{ strftime_now('%Y') }}").unwrap();
    let year: u32 =
        ChatTemplate::load(folder.path()).unwrap().unwrap().render(&json!([]), false).unwrap().parse().unwrap();
    assert!(year >= 2025, "{year}");
}

#[test]
fn a_file_of_its_own_comes_first_then_the_tokenizers_default() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let render = || ChatTemplate::load(folder.path()).unwrap().map(|chat| chat.render(&json!([]), true).unwrap());
    assert_eq!(render(), None);
    write("tokenizer_config.json", "{}");
    assert_eq!(render(), None);
    let eos = json!({"content": "END"});
    write("special_tokens_map.json", r#"{"bos_token": "BEGIN", "eos_token": "other"}"#);
    write(
        "tokenizer_config.json",
        &json!({"chat_template": "a{{ eos_token }}{{ bos_token }}", "eos_token": eos}).to_string(),
    );
    assert_eq!(render().unwrap(), "aENDBEGIN");
    let named =
        json!([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d{{ add_generation_prompt }}"}]);
    write("tokenizer_config.json", &json!({"chat_template": named}).to_string());
    assert_eq!(render().unwrap(), "dTrue");
    write("chat_template.jinja", "own");
    assert_eq!(render().unwrap(), "own");
}

#[test]
fn broken_files_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    let refusal = || {
        let error = ChatTemplate::load(folder.path()).unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && !error.message().contains('\n'), "{error}");
        error.message().replace(&*folder.path().to_string_lossy(), "…")
    };
    write("tokenizer_config.json", b"{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}");
    assert_eq!(
        refusal(),
        "…/tokenizer_config.json: chat_template has no template of the name \"default\"; copy it from the model again"
    );
    write("tokenizer_config.json", b"{\"chat_template\": 5}");
    assert!(refusal().contains("neither a text nor a list"));
    write("tokenizer_config.json", b"{\"chat_template\": \"\\n{% if %}\"}");
    assert!(refusal().contains("tokenizer_config.json: the chat template is broken in line 2 (syntax error"));
    write("chat_template.jinja", b"\xff");
    assert!(refusal().contains("chat_template.jinja is not UTF-8"));
    write("tokenizer_config.json", b"{");
    assert!(refusal().contains("is not JSON"));
}

#[test]
fn what_a_template_says_of_a_row_is_told() {
    let chat = small("{{ raise_exception('Roles\\nmust alternate') }}").unwrap();
    let why = chat.render(&json!([]), false).unwrap_err();
    assert_eq!(why, "does not fit the model's chat template: invalid operation, Roles must alternate");
    for source in
        ["{{ messages[0].content + 1 }}", "{{ strftime_now('%Q') }}", "{{ strftime_now('%Z') }}", "{{ nothing() }}"]
    {
        assert!(small(source).unwrap().render(&json!([user("a")]), false).is_err(), "{source}");
    }
}

#[test]
fn a_template_without_end_is_an_error_and_no_crash() {
    let chat = small("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}").unwrap();
    assert!(chat.render(&json!([]), false).is_err());
    let deep = format!("{}x", "{% if true %}".repeat(2000));
    assert!(small(&deep).is_err());
    let _ = small(&format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)));
}

#[test]
fn a_template_that_rewrites_turns_is_refused_where_it_matters() {
    let source = "{% for m in messages %}{% if not loop.last and m.role == 'assistant' %}(cut){% else %}{{ m.role }}: {{ m.content }};{% endif %}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    let chat = small(source).unwrap();
    let (text, spans) = chat.render_with_spans(&json!([user("a"), assistant("b")])).unwrap();
    assert_eq!((text.as_str(), spans.len(), &text[spans[0].clone()]), ("user: a;assistant: b;", 1, "b;"));
    let two = json!([user("a"), assistant("b"), user("c"), assistant("d")]);
    let why = chat.render_with_spans(&two).unwrap_err();
    assert!(why.starts_with("has an assistant's turn that the model's chat template writes another way"), "{why}");
}

#[test]
fn marks_do_not_mix_with_the_text() {
    let marking =
        small("{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}").unwrap();
    let why = marking.render_with_spans(&json!([assistant("\u{f0000}")])).unwrap_err();
    assert!(why.starts_with("holds \\u{f0000} or \\u{f0001}"), "{why}");
    let plain = small("{% for m in messages %}{{ m.content }}{% endfor %}").unwrap();
    assert_eq!(plain.render(&json!([assistant("\u{f0000}a")]), false).unwrap(), "\u{f0000}a");
}
