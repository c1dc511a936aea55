//! Tokens that an adapter or a trained model adds to those of its base model, in the files of peft-sparta.
//!
//! `new_embeddings_init.safetensors` holds the rows of the embeddings for these tokens as they were before training; the
//! deltas of these rows are among the others. peft-sparta has no rows of a language-model head of its own; here they are in
//! the same file under another name. The tokenizer beside the adapter has the tokens.

use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::adapter::{CONFIG, LM_HEAD, family, refuse_part};
use super::adapter_config::vocabulary;
use spartui_facts::error::{Error, Result};
use spartui_facts::family::Family;
use spartui_facts::quote::quoted;
use spartui_run::files::{read_bounded, write_synced};
use spartui_run::tensors::{NamedTensor, parse_tensors, write_tensors};

pub(super) const ROWS: &str = "new_embeddings_init.safetensors";
const PICKLED_ROWS: &str = "new_embeddings_init.pt";
/// In an adapter's config.json: the new tokens with their ids.
pub(super) const TOKENS: &str = "spartui_new_tokens";
const OF_EMBEDDINGS: &str = "new_embeddings";
const OF_HEAD: &str = "new_lm_head";
const LIMIT: u64 = 1 << 30;
const TOKENIZER: &str = "tokenizer.json";

/// Tokens beyond those of a base model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewTokens {
    /// Texts and ids, in the order of the ids.
    pub tokens: Vec<(String, i64)>,
    /// The matrices that have more rows than in the base model; none where the base model had rows to spare.
    pub rows: Vec<NewRows>,
}

/// The rows of a matrix beyond those of the base model's.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRows {
    /// Name of the matrix.
    pub parameter: String,
    /// Number of rows, and scalars of each.
    pub shape: [usize; 2],
    /// Their values before training.
    pub init: Vec<f32>,
}

/// The name of the word embeddings.
pub(super) fn embeddings(family: &Family) -> String {
    format!("{}{}", family.prefix, family.words)
}

impl NewTokens {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.rows.is_empty()
    }

    /// Number of rows that the embeddings have beyond the base model's.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.first().map_or(0, |rows| rows.shape[0])
    }

    /// Reads the new tokens of an adapter's folder; none where it has none.
    ///
    /// # Errors
    /// Refuses files that are damaged, and rows in a pickle file.
    pub fn of_adapter(folder: &Path) -> Result<Self> {
        if folder.join(PICKLED_ROWS).exists() && !folder.join(ROWS).exists() {
            return Err(refuse_part(
                folder,
                PICKLED_ROWS,
                "rows of new tokens in a pickle file are not read, since such a file can run any program; save it as safetensors",
            ));
        }
        let config: Value = match std::fs::read(folder.join("config.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(_) => return Ok(Self::default()),
        };
        let rows = if folder.join(ROWS).exists() { read_rows(folder, &config)? } else { Vec::new() };
        let mut tokens: Vec<(String, i64)> = match config.get(TOKENS) {
            Some(listed) => listed_tokens(listed)
                .ok_or_else(|| refuse_part(folder, CONFIG, &format!("{TOKENS} is no list of texts with their ids")))?,
            None if rows.is_empty() => Vec::new(),
            None => tokens_from(folder, vocabulary(&config) - rows[0].shape[0].cast_signed() as i64)?,
        };
        tokens.sort_by_key(|(_, id)| *id);
        let new = Self { tokens, rows };
        new.check(folder, vocabulary(&config))?;
        Ok(new)
    }

    /// Refuses tokens whose ids are not those of the rows, or not those in the tokenizer beside the adapter.
    fn check(&self, folder: &Path, vocabulary: i64) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let refuse = |why: String| Err(refuse_part(folder, CONFIG, &why));
        let ids = || self.tokens.iter().map(|(_, id)| *id);
        if !ids().is_sorted_by(|one, next| one < next) || ids().any(|id| !(0..vocabulary).contains(&id)) {
            return refuse(format!("the new tokens have an id twice, or ids beyond its vocab_size {vocabulary}"));
        }
        let count = self.count();
        if count > 0 && (ids().next_back() != Some(vocabulary - 1) || self.tokens.len() < count) {
            return refuse(format!(
                "{count} rows of new tokens belong to the last {count} of its vocab_size {vocabulary}, and its new tokens have other \
                 ids"
            ));
        }
        if !folder.join(TOKENIZER).exists() {
            return Ok(());
        }
        let known = tokens_from(folder, 0)?;
        match self.tokens.iter().find(|token| !known.contains(token)) {
            Some((text, id)) => refuse(format!("{} with the id {id} is not so in {TOKENIZER}", quoted(text))),
            None => Ok(()),
        }
    }

    /// Refuses a base model that has another number of rows than the one for which the tokens were added.
    pub(super) fn check_base(&self, folder: &Path, config: &Value, parameters: &[(String, Vec<usize>)]) -> Result<()> {
        let Some(family) = family(config).filter(|_| !self.is_empty()) else { return Ok(()) };
        let words = embeddings(family);
        let rows = parameters.iter().find(|(name, _)| *name == words).map(|(_, shape)| shape[0].cast_signed() as i64);
        match rows.filter(|rows| *rows != vocabulary(config)) {
            None => Ok(()),
            Some(rows) => {
                let added = self.count().cast_signed() as i64;
                Err(refuse_part(
                    folder,
                    CONFIG,
                    &format!(
                        "its tokens were added to embeddings of {} rows, and the base model has {}",
                        vocabulary(config) - added,
                        rows - added
                    ),
                ))
            }
        }
    }

    /// Writes the rows into an adapter's folder, if there are any.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let tensors: Vec<NamedTensor> = self
            .rows
            .iter()
            .map(|rows| {
                let key = if rows.parameter == LM_HEAD { OF_HEAD } else { OF_EMBEDDINGS };
                NamedTensor::float32(key, rows.shape.to_vec(), &rows.init)
            })
            .collect();
        write_tensors(&folder.join(ROWS), tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)))
    }

    /// Lists the tokens in an adapter's config.json.
    pub(super) fn note(&self, config: &mut Value) {
        let listed: Map<String, Value> = self.tokens.iter().map(|(text, id)| (text.clone(), json!(id))).collect();
        if let Some(config) = config.as_object_mut().filter(|_| !listed.is_empty()) {
            config.insert(TOKENS.into(), listed.into());
        }
    }

    /// Adds the tokens to the files of a tokenizer, as transformers would save it.
    pub(super) fn add_to_tokenizer(&self, folder: &Path) -> io::Result<()> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        // Without the tokens before them, readers would give other ids to the new ones.
        let before = listed_beside(folder);
        edit(&folder.join(TOKENIZER), |file| {
            let added = file.entry("added_tokens").or_insert_with(|| json!([]));
            let Some(added) = added.as_array_mut() else { return };
            let new = self.tokens.iter().map(|(text, id)| described(text, json!({"id": id})));
            for token in before.into_iter().chain(new) {
                if !added.iter().any(|known| known["content"] == token["content"] || known["id"] == token["id"]) {
                    added.push(token);
                }
            }
            added.sort_by_key(|token| token["id"].as_i64());
        })?;
        edit(&folder.join("tokenizer_config.json"), |file| {
            if let Some(decoder) = file.get_mut("added_tokens_decoder").and_then(Value::as_object_mut) {
                for (text, id) in &self.tokens {
                    decoder.insert(id.to_string(), described(text, json!({})));
                }
            }
            let is_newer = file.get("extra_special_tokens").is_some_and(Value::is_array);
            let name = if is_newer { "extra_special_tokens" } else { "additional_special_tokens" };
            self.append(file.entry(name).or_insert_with(|| json!([])));
        })?;
        edit(&folder.join("special_tokens_map.json"), |file| {
            self.append(file.entry("additional_special_tokens").or_insert_with(|| json!([])));
        })?;
        edit(&folder.join("added_tokens.json"), |file| {
            file.extend(self.tokens.iter().map(|(text, id)| (text.clone(), json!(id))));
        })
    }

    /// Appends the texts to a list of special tokens.
    fn append(&self, list: &mut Value) {
        if let Some(list) = list.as_array_mut() {
            for (text, _) in &self.tokens {
                if !list.iter().any(|known| known == text) {
                    list.push(json!(text));
                }
            }
        }
    }

    /// The rows of a matrix.
    pub(super) fn rows_of(&self, parameter: &str) -> Option<&NewRows> {
        self.rows.iter().find(|rows| rows.parameter == parameter)
    }
}

/// The tokens with ids that the files beside `tokenizer.json` add to it, described as in that file.
fn listed_beside(folder: &Path) -> Vec<Value> {
    let read = |name: &str| -> Option<Value> { serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok() };
    let config = read("tokenizer_config.json").unwrap_or_default();
    if let Some(listed) = config.get("added_tokens_decoder").and_then(Value::as_object) {
        let with_id = |(id, token): (&String, &Value)| {
            let mut all = json!({"id": id.parse::<i64>().ok()?});
            all.as_object_mut()?.extend(token.as_object()?.clone());
            Some(all)
        };
        return listed.iter().filter_map(with_id).collect();
    }
    let older = read("added_tokens.json").unwrap_or_default();
    let named = |text: &str| {
        let entries = config.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_token"));
        entries.into_iter().any(|(_, value)| value == text || value["content"] == text)
    };
    let described_as = |(text, id): (&String, &Value)| {
        let mut token = described(text, json!({"id": id.as_i64()?}));
        token["special"] = named(text).into();
        token["normalized"] = (!named(text)).into();
        Some(token)
    };
    older.as_object().into_iter().flatten().filter_map(described_as).collect()
}

/// Texts with their ids; none where one has no id, or is blank.
fn listed_tokens(listed: &Value) -> Option<Vec<(String, i64)>> {
    let token = |(text, id): (&String, &Value)| Some((text.clone(), id.as_i64().filter(|_| !text.trim().is_empty())?));
    listed.as_object()?.iter().map(token).collect()
}

/// The properties of an added special token, after those given.
fn described(text: &str, mut first: Value) -> Value {
    let rest = json!({
        "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true
    });
    if let (Some(first), Value::Object(rest)) = (first.as_object_mut(), rest) {
        first.extend(rest);
    }
    first
}

/// Edits a JSON object in a file, if the file exists.
fn edit(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) -> io::Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let mut file: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    if let Some(object) = file.as_object_mut() {
        change(object);
    }
    write_synced(path, &serde_json::to_vec_pretty(&file)?)
}

fn read_rows(folder: &Path, config: &Value) -> Result<Vec<NewRows>> {
    let refuse = |why: &str| refuse_part(folder, ROWS, why);
    let bytes = read_bounded(&folder.join(ROWS), LIMIT).map_err(|error| refuse(&error.to_string()))?;
    let tensors = parse_tensors(&bytes).map_err(|why| refuse(&format!("it is damaged ({why})")))?;
    let family = family(config).ok_or_else(|| refuse("config.json beside it is of a model that is not known here"))?;
    let named = |key: &str| tensors.iter().find(|tensor| tensor.name == key);
    let words = named(OF_EMBEDDINGS).ok_or_else(|| refuse(&format!("it has no {OF_EMBEDDINGS}")))?;
    let all = [(embeddings(family), Some(words)), (LM_HEAD.to_owned(), named(OF_HEAD))];
    let rows = all.into_iter().filter_map(|(parameter, tensor)| Some((parameter, tensor?)));
    let rows = rows.map(|(parameter, tensor)| {
        let (&[count, width], Some(init)) = (tensor.shape.as_slice(), tensor.as_float32()) else {
            return Err(refuse(&format!("its {} is no matrix of float32 numbers", tensor.name)));
        };
        if count == 0 || tensor.shape != words.shape || init.iter().any(|value| !value.is_finite()) {
            return Err(refuse(&format!(
                "its {} has no rows, others than the embeddings, or values that are no numbers",
                tensor.name
            )));
        }
        Ok(NewRows { parameter, shape: [count, width], init })
    });
    rows.collect()
}

/// The added tokens of the tokenizer in an adapter's folder, from this id on.
fn tokens_from(folder: &Path, first: i64) -> Result<Vec<(String, i64)>> {
    let bytes = std::fs::read(folder.join(TOKENIZER)).map_err(|error| {
        Error::refused(format!(
            "{}: the adapter has new tokens, and its tokenizer.json cannot be read: {error}; copy the tokenizer that it was trained \
             with there",
            folder.display()
        ))
    })?;
    let file: Value =
        serde_json::from_slice(&bytes).map_err(|error| refuse_part(folder, TOKENIZER, &error.to_string()))?;
    let added = file["added_tokens"].as_array().into_iter().flatten();
    let tokens = added.filter_map(|token| Some((token["content"].as_str()?.to_owned(), token["id"].as_i64()?)));
    Ok(tokens.filter(|(_, id)| *id >= first).collect())
}
