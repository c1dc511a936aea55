//! Checkpoints: written so that nothing is lost, read so that damage is found.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{
    failed, need_space, read_bounded, remove, settle, size_of_folder, swap_in, sync_folder, write_synced,
};
use super::manifest::Manifest;
use super::tensors::{NamedTensor, parse_tensors, write_tensors};
use crate::data::{one_line, place};
use crate::error::{Error, Result};

const TENSORS: &str = "state.safetensors";
const STATE: &str = "state.json";
const FILES: [&str; 2] = [TENSORS, STATE];

/// The training state: tensors, and all else.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The tensors, by names that are each used once.
    pub tensors: Vec<NamedTensor>,
    /// What is no tensor.
    pub state: serde_json::Value,
}

/// A checkpoint on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its folder.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// A checkpoint's folder. It may be damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Optimizer steps taken.
    pub step: u64,
    /// Its folder.
    pub path: PathBuf,
    /// Its place in the order of writing; none where the manifest cannot be read.
    sequence: Option<u64>,
}

/// The newest checkpoint that is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    /// Where it is and what it holds; none if there is none.
    pub checkpoint: Option<(Found, Checkpoint)>,
    /// A sentence for each newer one that is damaged.
    pub damaged: Vec<String>,
}

/// Writes a checkpoint into `folder`, in the place of one of the same step if there is one. Only when it is safe on
/// the disk, older ones go, so that `keep` are left.
///
/// # Errors
/// Fails where it cannot be written; the earlier ones are all there then.
pub fn write_checkpoint(folder: &Path, step: u64, checkpoint: &Checkpoint, keep: usize) -> Result<Written> {
    let failed = failed("write a checkpoint to", folder);
    checkpoint.tensors.iter().try_for_each(NamedTensor::check)?;
    fs::create_dir_all(folder).map_err(&failed)?;
    sweep(folder).map_err(&failed)?;
    let state = serde_json::to_vec(&checkpoint.state).map_err(|error| failed(error.into()))?;
    let bytes: usize = checkpoint.tensors.iter().map(|tensor| tensor.bytes.len()).sum();
    need_space(folder, (bytes + state.len()) as u64)?;
    let earlier = checkpoints(folder)?;
    let sequence = earlier.iter().filter_map(|found| found.sequence).max().unwrap_or(0).saturating_add(1);
    let new = folder.join(format!("tmp-{step:08}"));
    let path = folder.join(format!("step-{step:08}"));
    let write = || -> io::Result<u64> {
        fs::create_dir(&new)?;
        write_tensors(&new.join(TENSORS), checkpoint.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)))?;
        write_synced(&new.join(STATE), &state)?;
        Manifest::of(&new, step, sequence, &FILES)?.write(&new)?;
        sync_folder(&new)?;
        swap_in(&new, &path, &folder.join(format!("old-{step:08}")))?;
        size_of_folder(&path)
    };
    let bytes = write().map_err(|error| {
        // What is half-written is swept at the next start anyway.
        let _ = remove(&new);
        failed(error)
    })?;
    let (whole, broken): (Vec<Found>, Vec<Found>) =
        earlier.into_iter().filter(|found| found.path != path).partition(|found| found.sequence.is_some());
    for old in whole.into_iter().chain(broken).skip(keep.max(1) - 1) {
        remove(&old.path).map_err(&failed)?;
    }
    Ok(Written { path, bytes })
}

/// Clears up what a crash left half-done.
fn sweep(folder: &Path) -> io::Result<()> {
    let mut steps = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if let Some(step) = name.strip_prefix("tmp-").or_else(|| name.strip_prefix("old-")) {
            steps.push(step.to_owned());
        }
    }
    for step in steps {
        let [new, target, old] = ["tmp", "step", "old"].map(|role| folder.join(format!("{role}-{step}")));
        settle(&new, &target, &old)?;
    }
    Ok(())
}

/// The checkpoints in a folder, newest first, before them those without a readable manifest; a missing folder has
/// none.
///
/// # Errors
/// Refuses a folder that cannot be read.
pub fn checkpoints(folder: &Path) -> Result<Vec<Found>> {
    let refuse = |error: io::Error| {
        Error::refused(format!("cannot read the checkpoints in {}: {error}; check the folder", place(folder)))
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(refuse)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(refuse)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A crash between two renames leaves the only copy of a step under the other name.
        let step = name
            .strip_prefix("step-")
            .or_else(|| name.strip_prefix("old-").filter(|step| !folder.join(format!("step-{step}")).exists()));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            let sequence = Manifest::read(&path).ok().map(|manifest| manifest.sequence);
            found.push(Found { step, path, sequence });
        }
    }
    found.sort_by_key(|found| Reverse((found.sequence.unwrap_or(u64::MAX), found.step)));
    Ok(found)
}

/// Reads one checkpoint and checks all of it.
///
/// # Errors
/// Refuses one that is damaged, and says how.
pub fn read_checkpoint(found: &Found) -> Result<Checkpoint> {
    read(found).map_err(|why| {
        Error::refused(format!("the checkpoint {} is damaged: {why}; use another one", place(&found.path)))
    })
}

fn read(found: &Found) -> std::result::Result<Checkpoint, String> {
    let manifest = Manifest::read(&found.path)?;
    if manifest.step != found.step {
        return Err(format!("its manifest is of step {}", manifest.step));
    }
    manifest.check(&found.path, &FILES)?;
    let bytes = |name: &str| {
        let limit = manifest.files.get(name).map_or(0, |entry| entry.size);
        read_bounded(&found.path.join(name), limit).map_err(|error| format!("{name}: {error}"))
    };
    let state =
        serde_json::from_slice(&bytes(STATE)?).map_err(|error| format!("{STATE}: {}", one_line(&error.to_string())))?;
    let tensors = parse_tensors(&bytes(TENSORS)?).map_err(|why| format!("{TENSORS}: {}", one_line(&why)))?;
    Ok(Checkpoint { tensors, state })
}

/// The newest checkpoint of a folder that is whole.
///
/// # Errors
/// Refuses a folder that cannot be read.
pub fn read_newest_valid(folder: &Path) -> Result<Newest> {
    let mut damaged = Vec::new();
    for found in checkpoints(folder)? {
        match read_checkpoint(&found) {
            Ok(checkpoint) => return Ok(Newest { checkpoint: Some((found, checkpoint)), damaged }),
            Err(error) => damaged.push(error.message().to_owned()),
        }
    }
    Ok(Newest { checkpoint: None, damaged })
}

#[cfg(test)]
mod tests;
