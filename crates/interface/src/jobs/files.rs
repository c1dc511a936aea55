//! Lists folders, to choose a file of rows or a model.

use std::fs;
use std::path::{Path, PathBuf};

use spartui_data::holds_rows;

/// The most entries.
const MOST: usize = 5000;

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Bytes of a file, or of a model's weights.
    pub bytes: u64,
    /// `model_type` of the model in the folder, if models are listed.
    pub family: Option<String>,
}

/// The subfolders of a folder, those with models first; hidden ones are left out.
pub(super) fn model_folders(folder: &Path) -> Result<Vec<Entry>, String> {
    let read = fs::read_dir(folder).map_err(|error| format!("the folder cannot be read: {error}"))?;
    let known = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        if name.starts_with('.') || !path.is_dir() {
            return None;
        }
        let (family, bytes) = model(&path).unzip();
        Some(Entry { name, folder: true, bytes: bytes.unwrap_or(0), family })
    };
    let mut entries: Vec<Entry> = read.flatten().filter_map(|entry| known(entry.path())).take(MOST).collect();
    let order = |entry: &Entry| (entry.family.is_none(), entry.name.to_lowercase());
    entries.sort_by_key(order);
    Ok(entries)
}

/// The subfolders and the files of rows of a folder; hidden ones are left out.
pub(super) fn list(folder: &Path) -> Result<Vec<Entry>, String> {
    let read = fs::read_dir(folder).map_err(|error| format!("the folder cannot be read: {error}"))?;
    let mut entries: Vec<Entry> = read.flatten().filter_map(|entry| known(&entry.path())).take(MOST).collect();
    entries.sort_by(|a, b| a.folder.cmp(&b.folder).then_with(|| a.name.to_lowercase().cmp(&b.name.to_lowercase())));
    Ok(entries)
}

fn known(path: &Path) -> Option<Entry> {
    let name = path.file_name()?.to_str()?.to_owned();
    let metadata = fs::metadata(path).ok().filter(|_| !name.starts_with('.'))?;
    let rows = metadata.is_file() && holds_rows(path);
    (metadata.is_dir() || rows).then(|| Entry { name, folder: metadata.is_dir(), bytes: metadata.len(), family: None })
}

/// A model found in a folder or in the hub's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundModel {
    /// Its name in a recipe: a path relative to the working folder, or a name on the hub.
    pub name: String,
    /// `model_type` in its config.json.
    pub family: String,
    /// Bytes of its weights.
    pub bytes: u64,
    /// Whether it is in the hub's cache.
    pub cached: bool,
}

/// The depth to which models are searched.
const DEPTH: usize = 4;
/// The most folders that are searched.
const MOST_FOLDERS: usize = 4000;

pub(super) fn models(folder: &Path, cache: Option<&Path>) -> Vec<FoundModel> {
    let mut found = Vec::new();
    let mut left = MOST_FOLDERS;
    walk(folder, Path::new(""), DEPTH, &mut left, &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(cache) = cache {
        let mut cached: Vec<FoundModel> =
            fs::read_dir(cache).into_iter().flatten().flatten().filter_map(|entry| cached(&entry.path())).collect();
        cached.sort_by(|a, b| a.name.cmp(&b.name));
        found.extend(cached);
    }
    found
}

fn walk(root: &Path, below: &Path, depth: usize, left: &mut usize, found: &mut Vec<FoundModel>) {
    let folder = root.join(below);
    if let Some((family, bytes)) = model(&folder) {
        let name = if below.as_os_str().is_empty() { ".".into() } else { below.to_string_lossy().into_owned() };
        found.push(FoundModel { name, family, bytes, cached: false });
        return;
    }
    // A folder of runs can have thousands of entries.
    if depth == 0 || *left == 0 || folder.join("status.json").exists() {
        return;
    }
    *left -= 1;
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        let skipped = ["target", "node_modules", "checkpoints"].iter().any(|skipped| name == *skipped);
        if !hidden && !skipped && entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink()) {
            walk(root, &below.join(name), depth - 1, left, found);
        }
    }
}

/// `model_type` and size in bytes of the model in a folder, if there is one.
fn model(folder: &Path) -> Option<(String, u64)> {
    let config = fs::read(folder.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&config).ok()?;
    let family = config.get("model_type")?.as_str()?.to_owned();
    let weights = fs::read_dir(folder).ok()?.flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("model") && name.to_string_lossy().ends_with(".safetensors")
    });
    let bytes = weights.filter_map(|entry| Some(fs::metadata(entry.path()).ok()?.len())).sum();
    (bytes > 0).then_some((family, bytes))
}

/// The model in a folder `models--owner--name` of the cache.
fn cached(folder: &Path) -> Option<FoundModel> {
    let (owner, name) = folder.file_name()?.to_str()?.strip_prefix("models--")?.split_once("--")?;
    let snapshots: Vec<PathBuf> =
        fs::read_dir(folder.join("snapshots")).ok()?.flatten().map(|entry| entry.path()).collect();
    let (family, bytes) = snapshots.iter().find_map(|snapshot| model(snapshot))?;
    Some(FoundModel { name: format!("{owner}/{name}"), family, bytes, cached: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn folders_come_last_and_other_files_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        for file in ["b.CSV", "a.parquet", "c.jsonl.gz", "notes.txt", "notes.txt.gz", ".hidden.csv", "sub/c.csv"] {
            put(root.path(), file, "x");
        }
        let names: Vec<(String, bool)> =
            list(root.path()).unwrap().into_iter().map(|entry| (entry.name, entry.folder)).collect();
        let expected = [("a.parquet", false), ("b.CSV", false), ("c.jsonl.gz", false), ("sub", true)];
        assert_eq!(names, expected.map(|(name, folder)| (name.to_owned(), folder)));
        assert!(list(&root.path().join("none")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn models_behind_links_are_found() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "elsewhere/deep/small/config.json", "{\"model_type\": \"bert\"}");
        put(root.path(), "elsewhere/deep/small/model.safetensors", "12345");
        fs::create_dir(root.path().join("project")).unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere/deep"), root.path().join("project/models")).unwrap();
        let names: Vec<String> = models(&root.path().join("project"), None).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["models/small"]);
    }

    #[test]
    fn models_are_found_in_folders_and_in_the_cache() {
        let root = tempfile::tempdir().unwrap();
        let config = "{\"model_type\": \"bert\"}";
        for folder in ["models/small", "hub/models--owner--name/snapshots/abc", "runs/first/model", "models/no-weights"]
        {
            put(root.path(), &format!("{folder}/config.json"), config);
        }
        for folder in ["models/small", "hub/models--owner--name/snapshots/abc", "runs/first/model"] {
            put(root.path(), &format!("{folder}/model.safetensors"), "12345");
        }
        put(root.path(), "runs/first/status.json", "{}");
        let found = models(&root.path().join("models"), Some(&root.path().join("hub")));
        let facts: Vec<(&str, u64, bool)> =
            found.iter().map(|model| (model.name.as_str(), model.bytes, model.cached)).collect();
        assert_eq!(facts, [("small", 5, false), ("owner/name", 5, true)]);
        let names: Vec<String> = models(root.path(), None).into_iter().map(|model| model.name).collect();
        assert!(
            names.contains(&"models/small".into()) && !names.iter().any(|name| name.starts_with("runs")),
            "{names:?}"
        );
        assert_eq!(models(&root.path().join("models/small"), None)[0].name, ".");
        let browsed: Vec<(String, Option<String>)> = model_folders(&root.path().join("models"))
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name, entry.family))
            .collect();
        assert_eq!(browsed, [("small".into(), Some("bert".into())), ("no-weights".into(), None)]);
    }
}
