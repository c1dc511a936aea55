use serde_json::{Value as Json, json};

use super::*;

fn golden() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/chat/templates.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The time at which the goldens were rendered.
pub fn then() -> NaiveDateTime {
    NaiveDateTime::parse_from_str("2024-07-05 09:03:07", "%Y-%m-%d %H:%M:%S").unwrap()
}

fn template(golden: &Json, name: &str) -> ChatTemplate {
    let source = golden["templates"][name].as_str().unwrap();
    ChatTemplate::new(source, names(&golden["special_tokens"]), then).unwrap()
}

/// Names and texts of special tokens.
pub fn names(tokens: &Json) -> Vec<(String, String)> {
    let text = |token: &Json| token.as_str().unwrap().to_owned();
    tokens.as_object().unwrap().iter().map(|(name, token)| (name.clone(), text(token))).collect()
}

fn with_spans(chat: &ChatTemplate, messages: &Json) -> std::result::Result<(String, Vec<Range<usize>>), String> {
    chat.render_with_spans(messages, &Arguments::default(), 0)
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
        let ours = with_spans(&template, messages).map(|(text, spans)| {
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
    let mut config = json!({"chat_template": "a{{ eos_token }}{{ bos_token }}", "eos_token": eos});
    write("tokenizer_config.json", &config.to_string());
    // As in transformers: the map applies if the configuration has no list of added tokens, and only then.
    assert_eq!(render().unwrap(), "aotherBEGIN");
    config["added_tokens_decoder"] = json!({});
    write("tokenizer_config.json", &config.to_string());
    assert_eq!(render().unwrap(), "aEND");
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
fn errors_raised_by_a_template_are_reported() {
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
fn an_endless_template_is_an_error() {
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
    let (text, spans) = with_spans(&chat, &json!([user("a"), assistant("b")])).unwrap();
    assert_eq!((text.as_str(), spans.len(), &text[spans[0].clone()]), ("user: a;assistant: b;", 1, "b;"));
    let two = json!([user("a"), assistant("b"), user("c"), assistant("d")]);
    let why = with_spans(&chat, &two).unwrap_err();
    assert!(why.starts_with("has an assistant's turn that the model's chat template writes another way"), "{why}");
}

#[test]
fn marks_do_not_mix_with_the_text() {
    let marking =
        small("{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}").unwrap();
    let why = with_spans(&marking, &json!([assistant("\u{f0000}")])).unwrap_err();
    assert!(why.starts_with("holds \\u{f0000} or \\u{f0001}"), "{why}");
    let plain = small("{% for m in messages %}{{ m.content }}{% endfor %}").unwrap();
    assert_eq!(plain.render(&json!([assistant("\u{f0000}a")]), false).unwrap(), "\u{f0000}a");
}

#[test]
fn marks_find_turns_that_are_rendered_differently_later() {
    let source = "{% for m in messages %}{% if m.role == 'assistant' %}A:\n{% if loop.last %}<think></think>{% endif %}\
                  {{ m.content.split('</think>')[-1] }}{% for c in m.tool_calls %}[{{ c.function.name }}]{% endfor %}.\n\
                  {% else %}U:{{ m.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}A:\n{% endif %}";
    let chat = small(source).unwrap();
    let call = json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]});
    let (text, spans) =
        with_spans(&chat, &json!([user("a"), assistant("<think>x</think>b"), user("c"), call, assistant("d")]))
            .unwrap();
    let turns: Vec<&str> = spans.into_iter().map(|span| &text[span]).collect();
    assert_eq!(turns, ["b.\n", "[f].\n", "<think></think>d.\n"]);
}

#[test]
fn messages_without_weight_and_those_of_a_prompt_are_not_learned() {
    let plain =
        "{% for m in messages %}{{ m.role[0] }}{{ m.content }};{% endfor %}{% if add_generation_prompt %}a{% endif %}";
    let marking = "{% for m in messages %}{{ m.role[0] }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }};\
                   {% endgeneration %}{% else %}{{ m.content }};{% endif %}{% endfor %}";
    let turns = |source: &str, messages: &Json, from: usize| {
        let chat = small(source).unwrap();
        let (text, spans) = chat.render_with_spans(messages, &Arguments::default(), from).unwrap();
        spans.into_iter().map(|span| text[span].to_owned()).collect::<Vec<_>>()
    };
    let mut messages = json!([user("1"), assistant("2"), user("3"), assistant("4"), assistant("5")]);
    for source in [plain, marking] {
        assert_eq!(turns(source, &messages, 0), ["2;", "4;", "5;"]);
        assert_eq!(turns(source, &messages, 3), ["4;", "5;"]);
    }
    (messages[1]["weight"], messages[4]["train"]) = (json!(0), json!(false));
    for source in [plain, marking] {
        assert_eq!(turns(source, &messages, 0), ["4;"]);
    }
    let once = small("{% generation %}{{ messages | map(attribute='content') | join }}{% endgeneration %}").unwrap();
    assert!(with_spans(&once, &messages).unwrap_err().contains("does not write one by one"));
}

#[test]
fn arguments_reach_the_template_and_a_rows_own_come_first() {
    let chat =
        small("{{ tools | tojson }} {{ enable_thinking }} {{ documents }} {{ add_generation_prompt }} {{ eos_token }}")
            .unwrap();
    let recipe = "enable_thinking = false\ntools = [{ name = \"f\" }]\neos_token = \"END\"";
    let recipe: spartui_facts::recipe::TemplateArguments = toml::from_str(recipe).unwrap();
    let chat = chat.with_arguments(&Arguments::of_recipe(&recipe));
    assert_eq!(chat.render(&json!([]), true).unwrap(), "[{\"name\": \"f\"}] False None True END");
    let mut row = Arguments::default();
    row.set("enable_thinking", json!(true));
    row.set("tools", Json::Null);
    row.set("add_generation_prompt", json!(true));
    let (text, spans) = chat.render_with_spans(&json!([]), &row, 0).unwrap_or_default();
    assert_eq!((text.as_str(), spans.len()), ("", 0), "the text changes with the prompt, which is refused");
    row.set("add_generation_prompt", json!(false));
    assert_eq!(chat.render_with_spans(&json!([]), &row, 0).unwrap().0, "null True None False END");
    row.set("tools", json!(["f"]));
    assert!(chat.render_with_spans(&json!([]), &row, 0).unwrap_err().contains("tools that are not a list of objects"));
    row.set("messages", json!([]));
    let why = chat.render_with_spans(&json!([]), &row, 0).unwrap_err();
    assert!(why.starts_with("gives the chat template messages as an argument, and the conversation itself"), "{why}");
}

#[test]
fn a_template_for_tools_is_used_with_tools() {
    let folder = tempfile::tempdir().unwrap();
    let named = json!([{"name": "tool_use", "template": "T{% generation %}x{% endgeneration %}"}, {"name": "default", "template": "D{% generation %}\u{f0000}{% endgeneration %}"}]);
    std::fs::write(folder.path().join("tokenizer_config.json"), json!({"chat_template": named}).to_string()).unwrap();
    let chat = || ChatTemplate::load(folder.path()).unwrap().unwrap();
    let mut tools = Arguments::default();
    tools.set("tools", json!([{}]));
    assert_eq!(chat().render(&json!([]), false).unwrap(), "D\u{f0000}");
    assert_eq!(chat().with_arguments(&tools).render(&json!([]), false).unwrap(), "Tx");
    std::fs::write(folder.path().join("chat_template.jinja"), "own").unwrap();
    assert_eq!(chat().with_arguments(&tools).render(&json!([]), false).unwrap(), "own");
    std::fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
    std::fs::write(folder.path().join("additional_chat_templates/tool_use.jinja"), "own tools").unwrap();
    assert_eq!(chat().with_arguments(&tools).render(&json!([]), false).unwrap(), "own tools");
}
