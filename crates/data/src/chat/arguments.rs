//! Template arguments besides the messages: tools, documents, switches.

use serde_json::{Map, Value as Json};
use toml::Value as Toml;

use spartui_facts::recipe::{TemplateArguments, reserved_by_chat};

/// Arguments of a chat template by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments(Map<String, Json>);

impl Arguments {
    /// The arguments in a recipe.
    #[must_use]
    pub fn of_recipe(arguments: &TemplateArguments) -> Self {
        Self(arguments.iter().map(|(name, value)| (name.clone(), json(value))).collect())
    }

    /// Sets one, replacing one with the same name.
    pub fn set(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    /// Adds others, replacing those with the same names.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.clone());
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn into_map(self) -> Map<String, Json> {
        self.0
    }

    /// Validates tools and documents as transformers does; returns whether there are tools.
    ///
    /// # Errors
    /// Says what is wrong with them, as it reads after "line 3".
    pub fn check(&self) -> Result<bool, String> {
        if let Some((name, why)) = self.0.keys().find_map(|name| Some((name, reserved_by_chat(name)?))) {
            return Err(format!("gives the chat template {name} as an argument, and {why}"));
        }
        for name in ["tools", "documents"] {
            let objects = |list: &Vec<Json>| list.iter().all(Json::is_object);
            let fits = self.0.get(name).is_none_or(|value| value.is_null() || value.as_array().is_some_and(objects));
            if !fits {
                return Err(format!("has {name} that are not a list of objects, as the chat template takes them"));
            }
        }
        if let Some(prompt) = self.0.get("add_generation_prompt").filter(|prompt| !prompt.is_boolean()) {
            return Err(format!("has add_generation_prompt = {prompt}, which is true or false"));
        }
        Ok(self.0.get("tools").is_some_and(|tools| !tools.is_null()))
    }
}

impl std::fmt::Display for Arguments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Json::Object(self.0.clone()).fmt(formatter)
    }
}

/// The same value as JSON; dates become texts.
fn json(value: &Toml) -> Json {
    match value {
        Toml::String(text) => text.as_str().into(),
        Toml::Integer(number) => (*number).into(),
        Toml::Float(number) => (*number).into(),
        Toml::Boolean(flag) => (*flag).into(),
        Toml::Datetime(time) => time.to_string().into(),
        Toml::Array(items) => items.iter().map(json).collect(),
        Toml::Table(entries) => Json::Object(entries.iter().map(|(name, value)| (name.clone(), json(value))).collect()),
    }
}
