//! End tokens.

use std::path::Path;

use serde_json::Value;

use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

/// The end tokens in a model's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// The token appended to a training text.
    pub of_text: Option<u32>,
    /// The tokens at which generation stops.
    pub of_generation: Vec<u32>,
}

impl Ends {
    /// The tokenizer's own end token and those of `generation_config.json` and `config.json`, if present. Tokens
    /// outside the model's vocabulary are ignored.
    ///
    /// # Errors
    /// Refuses a file that is not JSON.
    pub fn read(folder: &Path, of_tokenizer: Option<u32>, vocab_size: usize) -> Result<Self> {
        let has = |&id: &u32| (id as usize) < vocab_size;
        let of_tokenizer = of_tokenizer.filter(has);
        let mut of_generation = Vec::new();
        for file in ["generation_config.json", "config.json"] {
            if of_generation.is_empty() {
                of_generation = ids(&json(&folder.join(file))?["eos_token_id"]);
                of_generation.retain(has);
            }
        }
        let of_text = of_tokenizer.or(of_generation.first().copied());
        if of_generation.is_empty() {
            of_generation.extend(of_text);
        }
        Ok(Self { of_text, of_generation })
    }
}

/// The name of a special token: a text, or an object with its `content`.
pub fn token_name(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

fn ids(value: &Value) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    value.as_array().map_or_else(|| id(value).into_iter().collect(), |ids| ids.iter().filter_map(id).collect())
}

/// The JSON of a file; null if there is none.
pub fn json(path: &Path) -> Result<Value> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Null),
        Err(error) => {
            let path = place(path);
            return Err(Error::refused(format!("cannot read {path}: {error}; make it readable, or remove it")));
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let why = one_line(&error.to_string());
        Error::refused(format!("{} is not JSON ({why}); copy it from the model again", place(path)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ends(of_tokenizer: Option<u32>, files: &[(&str, Value)]) -> Ends {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in files {
            std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        }
        Ends::read(folder.path(), of_tokenizer, 100).unwrap()
    }

    #[test]
    fn the_tokenizer_names_the_end_of_a_text_and_the_generation_its_own() {
        let generation = ("generation_config.json", json!({"eos_token_id": [7, 8, 1000]}));
        let config = ("config.json", json!({"eos_token_id": 5}));
        let all = ends(Some(2), &[generation.clone(), config.clone()]);
        assert_eq!(all, Ends { of_text: Some(2), of_generation: vec![7, 8] });
        assert_eq!(ends(None, &[generation, config.clone()]).of_text, Some(7));
        assert_eq!(ends(Some(100), std::slice::from_ref(&config)).of_text, Some(5));
        assert_eq!(ends(None, &[config]), Ends { of_text: Some(5), of_generation: vec![5] });
        assert_eq!(ends(Some(2), &[]), Ends { of_text: Some(2), of_generation: vec![2] });
    }

    #[test]
    fn odd_values_name_nothing_and_broken_files_are_refused() {
        for odd in [json!(null), json!("x"), json!({}), json!(-1), json!(1e300), json!([[]])] {
            let found = ends(None, &[("config.json", json!({"eos_token_id": odd}))]);
            assert_eq!(found, Ends::default(), "{odd}");
        }
        assert_eq!(ends(None, &[("config.json", json!([]))]), Ends::default());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        let error = Ends::read(folder.path(), None, 9).unwrap_err();
        assert!(error.message().contains("config.json is not JSON"), "{error}");
    }
}
