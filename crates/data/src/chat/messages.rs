//! Prepares messages for a template as transformers does.

use serde_json::{Map, Value as Json};

/// Names of the reasoning before an answer; templates read the first one.
pub const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// The messages without null entries, and with their reasoning under each name that a template may read.
pub fn prepared(messages: &Json) -> Json {
    let Some(messages) = messages.as_array() else { return messages.clone() };
    messages.iter().map(message).collect()
}

fn message(message: &Json) -> Json {
    let Some(entries) = message.as_object() else { return message.clone() };
    let mut prepared = Map::new();
    let reasoning = REASONING.iter().find_map(|name| entries.get(*name).filter(|value| !value.is_null()));
    if let Some(reasoning) = reasoning {
        prepared.insert("thinking".into(), reasoning.clone());
    }
    let there = entries.iter().filter(|(_, value)| !value.is_null());
    prepared.extend(there.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(reasoning) = reasoning {
        prepared.insert("reasoning_content".into(), reasoning.clone());
    }
    Json::Object(prepared)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_goes_and_reasoning_is_found_under_each_name() {
        let given = json!([{"role": "assistant", "content": null, "tool_calls": null, "reasoning": "hm"}, 5]);
        let expected =
            json!([{"thinking": "hm", "role": "assistant", "reasoning": "hm", "reasoning_content": "hm"}, 5]);
        assert_eq!(prepared(&given).to_string(), expected.to_string());
        let own = json!([{"thinking": "a", "reasoning_content": "b"}]);
        assert_eq!(prepared(&own), own);
    }
}
