//! Chat templates, and the template of the recipe.

use serde_json::json;
use spartui::data::ChatTemplate;
use spartui::error::{Error, Result};

use crate::case::{Case, Reader, Spoil, case, program as run, setting};
use crate::folder::{Folder, folder_for, remove, set, write};

const FILE: &str = "lm/chat_template.jinja";
const CONFIG: &str = "lm/tokenizer_config.json";
/// A trillion times round.
const FOR_EVER: &str = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99) %}{% endfor %}{% endfor %}{% endfor %}";

pub fn cases() -> Vec<Case<Reader>> {
    let mut cases: Vec<Case<Reader>> = sources()
        .into_iter()
        .map(|(what, source)| case(what, write(FILE, source), chat as Reader, "template"))
        .collect();
    cases.extend([
        case("no UTF-8", write(FILE, b"\xff\xfe{{ x }}"), chat as Reader, "chat_template.jinja"),
        case("a folder", folder_for(FILE), chat, "chat_template.jinja"),
        case("a number", in_config(json!(5)), chat, "chat_template"),
        case("a list without a template", in_config(json!([{"name": "default"}])), chat, "chat_template"),
        case(
            "a list without a default",
            in_config(json!([{"name": "\u{1b}[2J", "template": "x"}])),
            chat,
            "chat_template",
        ),
    ]);
    cases
}

fn in_config(template: serde_json::Value) -> Spoil {
    Box::new(move |folder| {
        remove(FILE)(folder);
        set(CONFIG, "/chat_template", template.clone())(folder);
    })
}

fn chat(folder: &Folder) -> Result<()> {
    let template = ChatTemplate::load(&folder.at("lm"))?.ok_or_else(|| Error::failed("there is none"))?;
    let messages = json!([{"role": "user", "content": "the rain"}, {"role": "assistant", "content": "the sun"}]);
    template.render(&messages, true).map(|_| ()).map_err(Error::refused)
}

fn sources() -> Vec<(&'static str, String)> {
    let nested =
        |open: &str, close: &str, times: usize| format!("{{{{ {}1{} }}}}", open.repeat(times), close.repeat(times));
    vec![
        ("a block without an end", "{% for m in messages %}".into()),
        ("an unknown block", "{% nope %}".into()),
        ("a refusal with escapes", "{{ raise_exception('only \u{1b}[2J\nsystem') }}".into()),
        ("an unknown filter", "{{ messages | nofilter }}".into()),
        ("an unknown function", "{{ nofunc() }}".into()),
        ("a value of nothing", "{{ a.b.c }}".into()),
        ("a macro that calls itself", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}".into()),
        ("a loop that calls itself", "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}".into()),
        ("a loop without end", FOR_EVER.into()),
        ("a text of 100 gigabytes", "{{ 'x' * 100000000000 }}".into()),
        ("a list of ten billion", "{{ range(10000000000) | list }}".into()),
        ("division by zero", "{{ 1 // 0 }}".into()),
        ("a step of zero", "{{ messages[::0] }}".into()),
        ("a number too large", "{{ 10 ** 100000 }}".into()),
        ("a file of the machine", "{% include '/etc/passwd' %}".into()),
        ("a module of the machine", "{% import 'os' as os %}".into()),
        ("itself", "{% include 'chat template' %}".into()),
        ("its own parent", "{% extends 'chat template' %}".into()),
        ("a broken time", "{{ strftime_now('%Q%') }}".into()),
        ("deep brackets", nested("(", ")", 100_000)),
        ("deep lists", nested("[", "]", 100_000)),
        ("deep blocks", "{% if 1 %}".repeat(20_000) + &"{% endif %}".repeat(20_000)),
        ("many signs", nested("-", "", 500_000)),
        ("many sums", nested("1+", "", 500_000)),
        ("many steps down", format!("{{{{ a{} }}}}", ".a".repeat(500_000))),
        ("many alternatives", format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(500_000))),
    ]
}

pub fn program() -> Vec<Case<Vec<String>>> {
    let ask = "generate --model lm --chat --prompt the";
    let train = "train chat.toml";
    let refusal = "{{ raise_exception('only \u{1b}[2J\nsystem') }}";
    let rewriting = "{% for m in messages %}{{ m.content | length }}{{ messages | length }}{% endfor %}";
    vec![
        run("a broken template", write(FILE, "{% for m in messages %}"), ask, "template"),
        run("a broken template to learn with", write(FILE, "{{ messages | nofilter }}"), train, "template"),
        run("a template that refuses", write(FILE, refusal), ask, "template"),
        run("a template that refuses every row", write(FILE, refusal), train, "template"),
        run(
            "a template that calls itself",
            write(FILE, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
            ask,
            "template",
        ),
        run("a template that ends never", write(FILE, FOR_EVER), ask, "template"),
        run("a template that ends never, to learn with", write(FILE, FOR_EVER), train, "template"),
        run("a template of many sums", write(FILE, format!("{{{{ {}1 }}}}", "1+".repeat(500_000))), ask, "template"),
        run("a template that writes turns anew", write(FILE, rewriting), train, "template"),
        run("no template", remove(FILE), ask, "template"),
        run("no template to learn with", remove(FILE), train, "template"),
        setting("recipe.toml", "data.template={{ text", "data.template"),
        setting("recipe.toml", "data.template={{ nope.x }}", "data.template"),
        setting("recipe.toml", &format!("data.template={FOR_EVER}"), "data.template"),
    ]
}
