//! Tokens that the files beside `tokenizer.json` add, as in transformers.
//!
//! `tokenizer_config.json` lists them with their ids (`added_tokens_decoder`); older models have `added_tokens.json`
//! and `special_tokens_map.json` instead. Special tokens that a file names (`eos_token`, `additional_special_tokens`)
//! are added if they are in none of these lists, since a text with one would be split otherwise.

use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::ends::{json, token_name};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};

/// Names of special tokens in the order of their addition; a model's own names follow.
const NAMES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The content of the files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    /// Special tokens by name, such as `eos_token`.
    named: Map<String, Value>,
    /// Special tokens without a name.
    extra: Vec<Value>,
    /// Added tokens with their ids, in order.
    listed: Vec<(u32, AddedToken)>,
    /// Whether the list is the older one, which follows the tokenizer's own.
    older: bool,
}

impl Beside {
    /// Reads the files of a model, if present.
    ///
    /// # Errors
    /// Refuses a file that is not JSON, and a malformed list of tokens.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer_config.json");
        let config = json(&path)?;
        let mut beside = Self::default();
        beside.add_names(&config);
        beside.extra = extra(&config);
        match config.get("added_tokens_decoder") {
            Some(listed) => beside.listed = with_ids(&path, listed)?,
            None => beside.read_older(folder)?,
        }
        beside.listed.sort_by_key(|(id, _)| *id);
        Ok(beside)
    }

    /// The files of models saved before there was one list of added tokens.
    fn read_older(&mut self, folder: &Path) -> Result<()> {
        let map = json(&folder.join("special_tokens_map.json"))?;
        self.add_names(&map);
        // Tokens that the map adds to the configuration's do not make tokens of the older list special.
        let extra_of_config = self.extra.clone();
        if self.extra.is_empty() {
            self.extra = extra(&map);
        }
        let path = folder.join("added_tokens.json");
        let added = json(&path)?;
        if added.is_null() {
            return Ok(());
        }
        let special = |token: &str| {
            let named = NAMES.iter().filter_map(|name| self.named.get(*name));
            named.chain(&extra_of_config).any(|value| token_name(value) == Some(token))
        };
        let tokens = added.as_object().ok_or_else(|| broken(&path, "is not a list of tokens with their ids"))?;
        let mut listed = Vec::new();
        for (token, id) in tokens {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| broken(&path, &format!("gives {} no id", quoted(token))))?;
            listed.push((id, AddedToken::from(token.clone(), special(token))));
        }
        (self.listed, self.older) = (listed, true);
        Ok(())
    }

    fn add_names(&mut self, file: &Value) {
        let entries = file.as_object().into_iter().flatten();
        let of_model = file.get("extra_special_tokens").and_then(Value::as_object).into_iter().flatten();
        let tokens = entries.filter(|(name, _)| name.ends_with("_token")).chain(of_model);
        for (name, value) in tokens.filter(|(_, value)| token_name(value).is_some()) {
            self.named.insert(name.clone(), value.clone());
        }
    }

    /// The text of the special token with this name.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.named.get(name).and_then(token_name)
    }

    /// Names and texts of all named special tokens.
    pub fn names(&self) -> Vec<(String, String)> {
        self.named.iter().filter_map(|(name, value)| Some((name.clone(), token_name(value)?.to_owned()))).collect()
    }

    /// The tokens to add to a tokenizer that has these already.
    pub fn missing(&self, present: &[(u32, AddedToken)]) -> Vec<AddedToken> {
        let is_named = |token: &AddedToken| self.named.values().any(|value| token_name(value) == Some(&token.content));
        let new = |(id, token): &&(u32, AddedToken)| {
            !present.iter().any(|(has_id, has)| has == token || (self.older && has_id == id))
        };
        let mut missing: Vec<AddedToken> = self.listed.iter().filter(new).map(|(_, token)| token.clone()).collect();
        let known = |token: &str| present.iter().any(|(_, has)| has.content == token);
        let first = NAMES.iter().filter_map(|name| self.named.get(*name));
        let others = self.named.iter().filter(|(name, _)| !NAMES.contains(&name.as_str())).map(|(_, value)| value);
        for value in first.chain(others).chain(&self.extra) {
            let Some(content) = token_name(value) else { continue };
            if !known(content) && !missing.iter().any(|token| token.content == content) {
                missing.push(token(value).unwrap_or_else(|| AddedToken::from(content, true)));
            }
        }
        missing.iter_mut().filter(|token| is_named(token)).for_each(|token| token.special = true);
        missing
    }
}

fn extra(file: &Value) -> Vec<Value> {
    let lists =
        ["extra_special_tokens", "additional_special_tokens"].map(|name| file.get(name).and_then(Value::as_array));
    let list = lists.into_iter().flatten().find(|list| !list.is_empty());
    list.into_iter().flatten().filter(|value| token_name(value).is_some()).cloned().collect()
}

fn with_ids(path: &Path, listed: &Value) -> Result<Vec<(u32, AddedToken)>> {
    let list = listed.as_object().ok_or_else(|| broken(path, "has an added_tokens_decoder that is not an object"))?;
    let entry = |(id, value): (&String, &Value)| {
        let found = id.parse().ok().zip(token(value));
        found.ok_or_else(|| broken(path, &format!("has no token of the id {} in added_tokens_decoder", quoted(id))))
    };
    list.iter().map(entry).collect()
}

/// A token from an object with its `content`; other properties default to the library's.
fn token(value: &Value) -> Option<AddedToken> {
    let content = value.get("content")?.as_str()?;
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let mut token = AddedToken::from(content, flag("special").unwrap_or(false));
    for (name, place) in [
        ("single_word", &mut token.single_word),
        ("lstrip", &mut token.lstrip),
        ("rstrip", &mut token.rstrip),
        ("normalized", &mut token.normalized),
    ] {
        *place = flag(name).unwrap_or(*place);
    }
    Some(token)
}

fn broken(path: &Path, why: &str) -> Error {
    Error::refused(format!("{} {why}; copy it from the model again", place(path)))
}
