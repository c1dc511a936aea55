//! The identity of a run: its recipe, and the hashes of the files with which it was made.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::files::open_regular;
use spartui_facts::quote::{one_line, quoted};
use spartui_facts::recipe::{FIELDS, Recipe, Validation};

/// The files of a tokenizer in the folder of a model. An adapter has copies of those that are there.
pub const TOKENIZER: [&str; 12] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
];

/// The parts of an identity whose differences a user may allow.
pub const PARTS: [&str; 4] = ["recipe", "weights", "tokenizer", "data"];

/// A recipe, and the hashes of the files that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The recipe that the run began with, as TOML.
    pub recipe: String,
    /// BLAKE3 hash of each file of the weights, by its name.
    pub weights: BTreeMap<String, String>,
    /// BLAKE3 hash of each file of the tokenizer, by its name.
    pub tokenizer: BTreeMap<String, String>,
    /// BLAKE3 hash of each file of rows, by its name.
    pub data: BTreeMap<String, String>,
}

/// An identity that is being computed on another thread.
#[derive(Debug, Clone)]
pub struct PendingIdentity(Arc<OnceLock<Result<Identity, String>>>);

impl PendingIdentity {
    /// Starts to hash the files on another thread.
    #[must_use]
    pub fn start(recipe: Recipe, model: PathBuf) -> Self {
        let pending = Self(Arc::new(OnceLock::new()));
        let result = pending.clone();
        std::thread::spawn(move || {
            let read = std::panic::catch_unwind(|| Identity::of(&recipe, &model));
            let identity = read.unwrap_or_else(|_| Err(io::Error::other("the files contradict each other")));
            let identity = identity.map_err(|error| one_line(&error.to_string()));
            let _ = result.0.set(identity);
        });
        pending
    }

    /// The identity of another recipe with the same files, which are not read again.
    #[must_use]
    pub fn with_recipe(&self, recipe: &Recipe) -> Self {
        let (files, recipe) = (self.clone(), recipe.to_toml());
        let pending = Self(Arc::new(OnceLock::new()));
        let result = pending.clone();
        std::thread::spawn(move || {
            while files.ready().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let identity = files.ready().map(|files| files.map(|files| Identity { recipe, ..files.clone() }));
            if let Some(identity) = identity {
                let _ = result.0.set(identity.map_err(str::to_owned));
            }
        });
        pending
    }

    /// The identity, or why a file cannot be read; none until it is computed.
    #[must_use]
    pub fn ready(&self) -> Option<Result<&Identity, &str>> {
        self.0.get().map(|identity| identity.as_ref().map_err(String::as_str))
    }

    /// Waits at most this long for the identity; none if it is not computed by then, or a file cannot be read.
    #[must_use]
    pub fn wait_for(&self, time: Duration) -> Option<&Identity> {
        let begun = Instant::now();
        while self.ready().is_none() && begun.elapsed() < time {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.ready()?.ok()
    }
}

impl Identity {
    /// The identity of a recipe and the folder of its model.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn of(recipe: &Recipe, model: &Path) -> io::Result<Self> {
        let mut weights = vec![model.join("config.json")];
        for entry in std::fs::read_dir(model)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "safetensors") {
                weights.push(path);
            }
        }
        if !recipe.method.adapter.as_os_str().is_empty() {
            let files = ["adapter_config.json", "adapter_model.safetensors"];
            weights.extend(files.map(|file| recipe.method.adapter.join(file)));
        }
        let tokenizer = TOKENIZER.iter().map(|name| model.join(name)).filter(|path| path.is_file()).collect();
        let mut data = vec![recipe.data.train.clone()];
        if let Validation::File(path) = &recipe.data.validation {
            data.push(path.clone());
        }
        Ok(Self {
            recipe: recipe.to_toml(),
            weights: hashes(weights)?,
            tokenizer: hashes(tokenizer)?,
            data: hashes(data)?,
        })
    }

    /// How another identity differs: each difference with the name of its part.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String)> {
        let mut found: Vec<(&str, String)> = Vec::new();
        let (Ok(mine), Ok(theirs)) = (parse(&self.recipe), parse(&other.recipe)) else {
            return vec![("recipe", "a recipe that cannot be read".into())];
        };
        for field in FIELDS {
            let (before, now) = (mine.get(field.name), theirs.get(field.name));
            if before != now {
                let shown = |value: Option<spartui_facts::recipe::Value>| {
                    value.map_or("none".into(), |value| one_line(&value.to_string()))
                };
                found.push(("recipe", format!("{} was {} and is {}", field.name, shown(before), shown(now))));
            }
        }
        for (part, before, now) in [
            ("weights", &self.weights, &other.weights),
            ("tokenizer", &self.tokenizer, &other.tokenizer),
            ("data", &self.data, &other.data),
        ] {
            let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
            let changed = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
            found.extend(changed.map(|name| {
                let short = |hashes: &BTreeMap<String, String>| {
                    hashes
                        .get(name)
                        .map_or("missing".into(), |hash| one_line(&hash.chars().take(8).collect::<String>()))
                };
                (part, format!("{} was {} and is {}", quoted(name), short(before), short(now)))
            }));
        }
        found
    }
}

fn parse(text: &str) -> spartui_facts::error::Result<Recipe> {
    Recipe::parse_run(text, Path::new("/"))
}

fn hashes(paths: Vec<PathBuf>) -> io::Result<BTreeMap<String, String>> {
    let hash = |path: PathBuf| -> io::Result<(String, String)> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(open_regular(&path)?)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok((name, hasher.finalize().to_hex().to_string()))
    };
    paths.into_iter().map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        for name in ["config.json", "model.safetensors", "tokenizer.json", "train.jsonl"] {
            write(name, "a");
        }
        let mut recipe = Recipe::default();
        recipe.data.train = root.path().join("train.jsonl");
        let before = Identity::of(&recipe, root.path()).unwrap();
        assert_eq!(before.differences(&Identity::of(&recipe, root.path()).unwrap()), []);
        for (name, part) in [("model.safetensors", "weights"), ("tokenizer.json", "tokenizer"), ("train.jsonl", "data")]
        {
            write(name, "b");
            let found = before.differences(&Identity::of(&recipe, root.path()).unwrap());
            assert!(found.len() == 1 && found[0].0 == part && found[0].1.contains(name), "{found:?}");
            write(name, "a");
        }
        recipe.method.sparsity = 0.5;
        let found = before.differences(&Identity::of(&recipe, root.path()).unwrap());
        assert_eq!(found, [("recipe", "method.sparsity was 0.99 and is 0.5".into())]);
        std::fs::remove_file(root.path().join("train.jsonl")).unwrap();
        assert!(Identity::of(&recipe, root.path()).is_err());
    }
}
