//! Templates like those of public families, and their building blocks, against Jinja2.

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::tests::{names, then};
use super::*;

fn golden(name: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/chat").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"))
}

/// The template with this name, with the arguments of its conversations.
fn template(golden: &Json, name: &str) -> ChatTemplate {
    let path = format!("{}/../../tests/golden/chat/families/{name}.jinja", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    ChatTemplate::new(&source, names(&golden["special_tokens"]), then).unwrap()
}

fn arguments(chat: &Json) -> Arguments {
    let mut arguments = Arguments::default();
    let given = chat["arguments"].as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    let columns = ["tools", "documents"].into_iter().filter_map(|name| Some((name, chat.get(name)?)));
    given.chain(columns).for_each(|(name, value)| arguments.set(name, value.clone()));
    arguments
}

#[test]
fn texts_of_all_families_are_those_of_jinja2_and_what_it_refuses_is_refused() {
    let golden = golden("families.json");
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, pairs) in golden["expected"].as_object().unwrap() {
        for (title, expected) in pairs.as_object().unwrap() {
            let chat = &golden["conversations"][title];
            let template = template(&golden, name).with_arguments(&arguments(chat));
            for (at, prompt) in [false, true].into_iter().enumerate() {
                compared += 1;
                let ours = template.render(&chat["messages"], prompt);
                let found = ours.as_ref().map_or(Json::Null, |text| hash(text)[..16].into());
                if found != expected[at] {
                    wrong.push(format!("{name} {title} {prompt}: {ours:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty() && compared == 1176, "{} of {compared}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn turns_of_families_equal_those_of_marked_copies() {
    let golden = golden("families.json");
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, chats) in golden["turns"].as_object().unwrap() {
        for (title, expected) in chats.as_object().unwrap() {
            let chat = &golden["conversations"][title];
            let template = template(&golden, name);
            let ours = template.render_with_spans(&chat["messages"], &arguments(chat), 0);
            let ours =
                ours.map(|(text, spans)| spans.into_iter().map(|span| Json::from(&text[span])).collect::<Json>());
            compared += 1;
            if ours.as_ref() != Ok(expected) {
                wrong.push(format!("{name} {title}: {ours:?}\n {expected}"));
            }
        }
    }
    assert!(wrong.is_empty() && compared > 40, "{} of {compared}\n{}", wrong.len(), wrong.join("\n"));
}

/// All conversations that a template accepts can be learned from: the assistant's turns are found in each. Two have
/// nothing to find them by: an empty answer after a prompt that is rendered differently without it, and texts that
/// count their messages.
#[test]
fn turns_are_found_in_every_text() {
    let golden = golden("families.json");
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, pairs) in golden["expected"].as_object().unwrap() {
        for (title, expected) in pairs.as_object().unwrap() {
            let chat = &golden["conversations"][title];
            if expected[0].is_null()
                || name == "printed"
                || (name.as_str(), title.as_str()) == ("mistral-tekken", "empty")
            {
                continue;
            }
            compared += 1;
            if let Err(why) = template(&golden, name).render_with_spans(&chat["messages"], &arguments(chat), 0) {
                wrong.push(format!("{name} {title}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty() && compared > 400, "{} of {compared}\n{}", wrong.len(), wrong.join("\n"));
}

/// Filters, tests, methods and operators on values of every kind. Where Jinja2 raises an error, a text is accepted
/// here: the template library compares values that Python does not.
#[test]
fn expressions_are_those_of_jinja2() {
    let golden = golden("expressions.json");
    let values = golden["values"].as_object().unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (source, expected) in golden["expected"].as_object().unwrap() {
        let expected = expected.as_str().unwrap();
        for (at, name) in values.keys().map(String::as_str).chain(["undefined_one"]).enumerate() {
            let expected = &expected[4 * at..4 * at + 4];
            // Jinja2's filters over lists accept a number or a flag that is false for an empty one.
            let over_list = ["map(", "select", "reject"].iter().any(|filter| source.contains(filter));
            if expected == "----" || (over_list && ["v_false", "v_zero"].contains(&name)) {
                continue;
            }
            compared += 1;
            let source = source.replace('V', name);
            let mut arguments = Arguments::default();
            values.iter().for_each(|(name, value)| arguments.set(name, value.clone()));
            let chat = ChatTemplate::new(&source, Vec::new(), then).map(|chat| chat.with_arguments(&arguments));
            let ours = chat.and_then(|chat| chat.render(&json!([]), false));
            if ours.as_ref().is_ok_and(|text| hash(text)[..4] == *expected) {
                continue;
            }
            wrong.push(format!("{source}: {ours:?}"));
        }
    }
    assert!(wrong.is_empty() && compared > 3000, "{} of {compared}\n{}", wrong.len(), wrong.join("\n"));
}
