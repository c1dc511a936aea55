//! Conversations in the formats of common data sets.
//!
//! Messages are lists of objects with `role` and `content`, or with `from` and `value` (`ShareGPT`), or the JSON text
//! of such a list. A row may also have `tools`, `documents` and `chat_template_kwargs` for the template.

use serde_json::{Map, Value, json};

use super::chat::Arguments;
use super::columns::{is_answer, is_assistant, kind};
use spartui_facts::quote::quoted;

/// The column of conversations in `ShareGPT`.
const SHARED: &str = "conversations";
/// The columns passed to a template under their own names.
const FOR_TEMPLATE: [&str; 2] = ["tools", "documents"];
/// The column of other template arguments by name.
const ARGUMENTS: &str = "chat_template_kwargs";

/// What is wrong with a row, as it reads after "line 3".
type Why = String;

/// Messages and template arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conversation {
    /// A list of objects, each with a role.
    pub messages: Value,
    /// Index of the first message after the prompt; prompts are not learned.
    pub learned_from: usize,
    /// The row's template arguments.
    pub arguments: Arguments,
}

/// The column of conversations: the one with this name, else that of `ShareGPT`.
pub(super) fn column<'a>(columns: &Map<String, Value>, name: &'a str) -> Option<&'a str> {
    [name, SHARED].into_iter().find(|name| columns.contains_key(*name))
}

/// The conversation in a column.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn of_column(columns: &Map<String, Value>, name: &str, value: &Value) -> Result<Conversation, Why> {
    let mut messages = messages(name, value)?;
    let opens = messages.first().is_some_and(|message| message["role"] == "system");
    if let (SHARED, false, Some(Value::String(system))) = (name, opens, columns.get("system"))
        && !system.is_empty()
    {
        messages.insert(0, json!({"role": "system", "content": system}));
    }
    checked(columns, messages, 0, name)
}

/// A conversation of a prompt and its completion.
///
/// # Errors
/// Says what is wrong with them.
pub(super) fn of_prompt(
    columns: &Map<String, Value>,
    (prompt_name, completion_name): (&str, &str),
    prompt: &Value,
    completion: &Value,
) -> Result<Conversation, Why> {
    let side = |name: &str, value: &Value, role: &str| match value {
        Value::String(text) => Ok(vec![json!({"role": role, "content": text})]),
        value => messages(name, value),
    };
    let mut all = side(prompt_name, prompt, "user")?;
    let learned_from = all.len();
    all.extend(side(completion_name, completion, "assistant")?);
    checked(columns, all, learned_from, completion_name)
}

fn checked(
    columns: &Map<String, Value>,
    messages: Vec<Value>,
    learned_from: usize,
    name: &str,
) -> Result<Conversation, Why> {
    let later = messages.get(learned_from..).unwrap_or_default();
    if !later.iter().any(is_assistant) {
        return Err(format!("has no message of the role \"assistant\" in the column {}", quoted(name)));
    }
    if !later.iter().any(is_answer) {
        return Err(format!(
            "has no message of the role \"assistant\" to learn in the column {} (each has weight 0 or train false)",
            quoted(name)
        ));
    }
    Ok(Conversation { messages: messages.into(), learned_from, arguments: arguments(columns)? })
}

fn messages(name: &str, value: &Value) -> Result<Vec<Value>, Why> {
    let wrong = |what: &str| Err(format!("has {what} in the column {}, not a list of messages", quoted(name)));
    let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let list = match parsed.as_ref().unwrap_or(value) {
        Value::Array(list) => list,
        Value::String(text) if text.trim_start().starts_with('[') => {
            return wrong("a text that starts like a list but is not JSON");
        }
        other => return wrong(kind(other)),
    };
    list.iter().enumerate().map(|(at, item)| message(item).map_err(|why| at_message(name, at, &why))).collect()
}

fn at_message(name: &str, at: usize, why: &str) -> Why {
    format!("has a message {why} in the column {} (number {})", quoted(name), at + 1)
}

/// A message with role and content.
fn message(item: &Value) -> Result<Value, Why> {
    let item = if item["role"].is_string() { item.clone() } else { shared(item).ok_or("without a role")? };
    match &item["weight"] {
        Value::Null => {}
        weight if [Some(0.0), Some(1.0)].contains(&weight.as_f64()) => {}
        weight => return Err(format!("with the weight {}, which is 0 or 1,", quoted(&weight.to_string()))),
    }
    match &item["train"] {
        Value::Null | Value::Bool(_) => Ok(item),
        other => Err(format!("with train = {}, which is true or false,", quoted(&other.to_string()))),
    }
}

/// A message of `ShareGPT`, with the names that templates use.
fn shared(item: &Value) -> Option<Value> {
    let from = item["from"].as_str()?;
    let mut message = item.as_object()?.clone();
    message.remove("from");
    let value = message.remove("value")?;
    let role = match from {
        "human" | "user" => "user",
        "gpt" | "assistant" | "chatgpt" | "model" | "bot" | "function_call" | "tool_call" => "assistant",
        "observation" | "function_response" | "tool_response" | "tool" => "tool",
        other => other,
    };
    message.insert("role".into(), role.into());
    match (from.ends_with("_call"), calls(&value)) {
        (true, Some(calls)) => message.insert("tool_calls".into(), calls),
        _ => message.insert("content".into(), value),
    };
    Some(message.into())
}

/// The tool calls in a text such as `{"name": "weather", "arguments": {}}`, single or in a list.
fn calls(value: &Value) -> Option<Value> {
    let calls = match value {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let calls = if calls.is_array() { calls } else { json!([calls]) };
    let call = |call: &Value| call["name"].is_string().then(|| json!({"type": "function", "function": call}));
    calls
        .as_array()?
        .iter()
        .map(call)
        .collect::<Option<Vec<Value>>>()
        .filter(|calls| !calls.is_empty())
        .map(Value::from)
}

/// The template arguments of a row: columns with a value or its JSON text.
fn arguments(columns: &Map<String, Value>) -> Result<Arguments, Why> {
    let mut arguments = Arguments::default();
    let value = |name: &str| match columns.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => match serde_json::from_str::<Value>(text) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("has a text in the column {} that is not JSON", quoted(name))),
        },
        Some(value) => Ok(Some(value.clone())),
    };
    match value(ARGUMENTS)? {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => given.into_iter().for_each(|(name, value)| arguments.set(&name, value)),
        Some(other) => {
            return Err(format!("has {} in the column {}, not an object", kind(&other), quoted(ARGUMENTS)));
        }
    }
    for name in FOR_TEMPLATE {
        if let Some(value) = value(name)? {
            arguments.set(name, value);
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(row: &Value) -> Result<Conversation, Why> {
        let columns = row.as_object().unwrap();
        let name = column(columns, "messages").unwrap_or("messages");
        of_column(columns, name, columns.get(name).unwrap_or(&Value::Null))
    }

    fn user() -> Value {
        json!({"role": "user", "content": "a"})
    }

    #[test]
    fn shared_conversations_get_the_names_that_templates_know() {
        let found = row(&json!({"system": "Be brief.", "tools": "[{\"name\": \"f\"}]", "conversations": [
            {"from": "human", "value": "a"},
            {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},
            {"from": "observation", "value": "2"},
            {"from": "gpt", "value": "b", "weight": 1},
            {"from": "function_call", "value": "no JSON"},
        ]}))
        .unwrap();
        let expected = json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]},
            {"role": "tool", "content": "2"},
            {"role": "assistant", "content": "b", "weight": 1},
            {"role": "assistant", "content": "no JSON"},
        ]);
        assert_eq!((found.messages, found.learned_from), (expected, 0));
        assert_eq!(found.arguments.to_string(), json!({"tools": [{"name": "f"}]}).to_string());
    }

    #[test]
    fn a_list_may_be_given_as_its_json_text() {
        let list = json!([user(), {"role": "assistant", "content": "b"}]);
        let found =
            row(&json!({"messages": list.to_string(), "chat_template_kwargs": {"enable_thinking": false}})).unwrap();
        assert_eq!(found.messages, list);
        assert_eq!(found.arguments.to_string(), "{\"enable_thinking\":false}");
    }

    #[test]
    fn a_prompt_of_messages_is_not_learned() {
        let columns = Map::new();
        let names = ("prompt", "completion");
        let both = |prompt: Value, completion: Value| of_prompt(&columns, names, &prompt, &completion);
        let answer = json!({"role": "assistant", "content": "b"});
        let found = both(json!([user(), answer, user()]), json!([answer])).unwrap();
        assert_eq!((found.messages, found.learned_from), (json!([user(), answer, user(), answer]), 3));
        let found = both(json!([user()]), json!("b")).unwrap();
        assert_eq!((found.messages, found.learned_from), (json!([user(), answer]), 1));
        let why = both(json!([user(), answer]), json!([user()])).unwrap_err();
        assert_eq!(why, "has no message of the role \"assistant\" in the column \"completion\"");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let with = |name: &str, value: Value| json!({"messages": [user(), {"role": "assistant", "content": "b", name: value}]});
        let cases = [
            (json!({"messages": "[{'role': 'user'}]"}), "a text that starts like a list but is not JSON in the column"),
            (
                json!({"conversations": [{"value": "x"}]}),
                "a message without a role in the column \"conversations\" (number 1)",
            ),
            (with("weight", json!(0.5)), "a message with the weight \"0.5\", which is 0 or 1, in the column"),
            (
                with("train", json!("no")),
                "a message with train = \"\\\"no\\\"\", which is true or false, in the column",
            ),
            (with("weight", json!(0)), "to learn in the column \"messages\" (each has weight 0 or train false)"),
            (
                json!({"messages": [user(), {"role": "assistant"}], "tools": "none"}),
                "a text in the column \"tools\" that is not JSON",
            ),
            (
                json!({"messages": [user(), {"role": "assistant"}], "chat_template_kwargs": [1]}),
                "a list in the column \"chat_template_kwargs\", not an object",
            ),
        ];
        for (given, expected) in cases {
            let why = row(&given).unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }
}
