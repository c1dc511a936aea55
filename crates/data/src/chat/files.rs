//! Finds a model's chat templates.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::super::tokenizer::read_json;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;

/// A model's templates.
pub struct Files {
    /// The default template.
    pub source: String,
    /// The template for conversations with tools, if there is one.
    pub with_tools: Option<String>,
    /// The file of the default template.
    pub path: PathBuf,
}

/// Reads the templates of a model; none if it has none.
pub fn read(folder: &Path) -> Result<Option<Files>> {
    let path = folder.join("tokenizer_config.json");
    let config = read_json(&path)?;
    let own = folder.join("chat_template.jinja");
    if let Some(source) = text(&own)? {
        let with_tools = text(&folder.join("additional_chat_templates").join("tool_use.jinja"))?;
        return Ok(Some(Files { source, with_tools, path: own }));
    }
    let refuse =
        |why: &str| Err(Error::refused(format!("{}: chat_template {why}; copy it from the model again", place(&path))));
    let named = |name: &str| match &config["chat_template"] {
        Json::Array(all) => all.iter().find(|template| template["name"] == name).map(|found| &found["template"]),
        Json::Object(all) => all.get(name),
        _ => None,
    };
    match &config["chat_template"] {
        Json::Null => Ok(None),
        Json::String(source) => Ok(Some(Files { source: source.clone(), with_tools: None, path })),
        Json::Array(_) | Json::Object(_) => match named("default") {
            Some(Json::String(source)) => {
                let with_tools = named("tool_use").and_then(Json::as_str).map(str::to_owned);
                Ok(Some(Files { source: source.clone(), with_tools, path }))
            }
            Some(_) => refuse("has a default that is not a text"),
            None => refuse("has no template of the name \"default\""),
        },
        _ => refuse("is neither a text nor a list of templates"),
    }
}

/// The content of a file; none if there is none.
fn text(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::refused(format!("{} is not UTF-8; copy it from the model again", place(path)))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let path = place(path);
            Err(Error::refused(format!("cannot read {path}: {error}; make it readable, or remove it")))
        }
    }
}
