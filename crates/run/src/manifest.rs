//! What a checkpoint's folder must hold, so that damage is found: safetensors itself checks only the layout.

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
    /// Counts the checkpoints of a run, so that the newest is known even when a later one has fewer steps.
    pub sequence: u64,
    /// The branch of that step.
    #[serde(default)]
    pub branch: u32,
    /// Entries of the journal that it contains.
    #[serde(default)]
    pub journal: usize,
    /// The files beside this one.
    pub files: BTreeMap<String, Entry>,
}

/// A file as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Bytes.
    pub size: u64,
    /// Hash in hexadecimal digits.
    pub blake3: String,
}

impl Manifest {
    /// Names these files of a folder, as they are on the disk now.
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

    /// The manifest of a folder, or what is wrong with it. The files are not looked at.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let bytes = read_bounded(&folder.join(FILE), LIMIT).map_err(|error| format!("{FILE}: {error}"))?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| format!("{FILE} is broken: {}", one_line(&error.to_string())))?;
        match manifest.files.keys().find(|name| !is_plain(name)) {
            Some(name) => Err(format!("{FILE} names the file {}, which is not in the folder", quoted(name))),
            None => Ok(manifest),
        }
    }

    /// Compares the files with what was written, none of which may be larger than `largest` bytes; says what is wrong.
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
