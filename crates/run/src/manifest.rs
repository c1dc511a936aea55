//! The manifest of a checkpoint: sizes and hashes of its files, so that damage is found. The safetensors format itself
//! has no checksums.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{open_regular, read_bounded, write_synced};
use spartui_facts::quote::{one_line, quoted};

const FILE: &str = "manifest.json";
const LIMIT: u64 = 1 << 20;

/// `manifest.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Optimizer steps taken.
    pub step: u64,
    /// Number of the checkpoint in the order of writing: after a rewind, a newer one has fewer steps.
    pub sequence: u64,
    /// The branch of that step.
    #[serde(default)]
    pub branch: u32,
    /// Number of journal entries that are in effect.
    #[serde(default)]
    pub journal: usize,
    /// The other files in the folder, by name.
    pub files: BTreeMap<String, Entry>,
}

/// Size and hash of a file when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 hash in hexadecimal digits.
    pub blake3: String,
}

impl Manifest {
    /// Sets the files: those of a folder with these names, as they are on the disk now.
    pub fn add(&mut self, folder: &Path, names: &[&str]) -> io::Result<()> {
        let files = names.iter().map(|&name| Ok((name.to_owned(), entry(&folder.join(name))?)));
        self.files = files.collect::<io::Result<_>>()?;
        Ok(())
    }

    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        write_synced(&folder.join(FILE), &text)
    }

    /// Reads the manifest of a folder; the error says what is wrong with it. The other files are not read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let bytes = read_bounded(&folder.join(FILE), LIMIT).map_err(|error| format!("{FILE}: {error}"))?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| format!("{FILE} is broken: {}", one_line(&error.to_string())))?;
        match manifest.files.keys().find(|name| !is_plain(name)) {
            Some(name) => Err(format!("{FILE} names the file {}, which is not in the folder", quoted(name))),
            None => Ok(manifest),
        }
    }

    /// Compares the files with the manifest; none may be larger than `largest` bytes. The error says what is wrong.
    pub fn check(&self, folder: &Path, names: &[&str], largest: u64) -> Result<(), String> {
        for &name in names {
            let written = self.files.get(name).ok_or_else(|| format!("{FILE} does not name {name}"))?;
            if written.size > largest {
                return Err(format!("{name} has {} bytes, more than a state of this model can have", written.size));
            }
            let size = open_regular(&folder.join(name)).and_then(|file| file.metadata()).map(|metadata| metadata.len());
            let size = size.map_err(|error| format!("{name}: {error}"))?;
            if size != written.size {
                return Err(format!("{name} has {size} bytes instead of {}", written.size));
            }
            if entry(&folder.join(name)).map_err(|error| format!("{name}: {error}"))?.blake3 != written.blake3 {
                return Err(format!("{name} is not what was written (its checksum differs)"));
            }
        }
        Ok(())
    }
}

fn entry(path: &Path) -> io::Result<Entry> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open_regular(path)?)?;
    Ok(Entry { size: hasher.count(), blake3: hasher.finalize().to_hex().to_string() })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}
