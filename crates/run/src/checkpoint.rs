//! Checkpoints: written atomically, and checked when they are read.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk;
use super::files::{
    failed, need_space, read_bounded, recover_swap, remove, size_of_folder, swap_in, sync_folder, write_synced,
};
use super::manifest::Manifest;
use super::tensors::{NamedTensor, parse_tensors, write_tensors};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

const TENSORS: &str = "state.safetensors";
const STATE: &str = "state.json";
const FILES: [&str; 2] = [TENSORS, STATE];

/// The training state: tensors and other values.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The tensors, each with a unique name.
    pub tensors: Vec<NamedTensor>,
    /// All other values, as JSON.
    pub state: serde_json::Value,
}

/// The moment of a run at which a checkpoint was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// The branch.
    pub branch: u32,
    /// Optimizer steps taken.
    pub step: u64,
    /// Number of journal entries that are in effect.
    pub journal: usize,
}

/// Which checkpoints are kept when another one is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keep {
    /// Number of newest checkpoints to keep.
    pub newest: usize,
    /// Branches and steps of further checkpoints to keep.
    pub also: Vec<(u32, u64)>,
}

/// A checkpoint that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its folder.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The folder of a checkpoint, which may be damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its moment; if the manifest cannot be read, branch and step follow from the folder's name.
    pub moment: Moment,
    /// Its folder.
    pub path: PathBuf,
    /// Its size in bytes; 0 if it cannot be read.
    pub bytes: u64,
    /// Its number in the order of writing; none if the manifest cannot be read.
    sequence: Option<u64>,
}

/// The newest valid checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    /// Its folder and contents; none if no checkpoint is valid.
    pub checkpoint: Option<(Found, Checkpoint)>,
    /// An error message for each newer checkpoint that is damaged.
    pub damaged: Vec<String>,
}

/// The name of a checkpoint's folder after the prefix `step-`.
fn name_of(moment: Moment) -> String {
    match moment.branch {
        0 => format!("{:08}", moment.step),
        branch => format!("{:08}-branch-{branch}", moment.step),
    }
}

/// The moment in such a name, without the journal entries.
fn moment_of(name: &str) -> Option<Moment> {
    let (step, branch) = name.split_once("-branch-").unwrap_or((name, "0"));
    Some(Moment { step: step.parse().ok()?, branch: branch.parse().ok()?, journal: 0 })
}

/// Writes a checkpoint into `folder` and replaces one of the same step and branch. The folder is created if it is
/// missing, its parent is not. Older checkpoints are deleted only after the new one is on the disk.
///
/// # Errors
/// Fails where it cannot be written; all earlier checkpoints are still there then.
pub fn write_checkpoint(folder: &Path, moment: Moment, checkpoint: &Checkpoint, keep: &Keep) -> Result<Written> {
    let failed = failed("write a checkpoint to", folder);
    checkpoint.tensors.iter().try_for_each(NamedTensor::check)?;
    make(folder).map_err(&failed)?;
    sweep(folder).map_err(&failed)?;
    let state = serde_json::to_vec(&checkpoint.state).map_err(|error| failed(error.into()))?;
    let bytes: usize = checkpoint.tensors.iter().map(|tensor| tensor.bytes.len()).sum();
    need_space(folder, (bytes + state.len()) as u64)?;
    let earlier = checkpoints(folder)?;
    let sequence = earlier.iter().filter_map(|found| found.sequence).max().unwrap_or(0).saturating_add(1);
    let Moment { branch, step, journal } = moment;
    let [new, path, old] = ["tmp", "step", "old"].map(|role| folder.join(format!("{role}-{}", name_of(moment))));
    let write = || -> io::Result<u64> {
        disk::create_dir(&new)?;
        write_tensors(&new.join(TENSORS), checkpoint.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)))?;
        write_synced(&new.join(STATE), &state)?;
        let mut manifest = Manifest { step, sequence, branch, journal, files: BTreeMap::new() };
        manifest.add(&new, &FILES)?;
        manifest.write(&new)?;
        sync_folder(&new)?;
        swap_in(&new, &path, &old)?;
        size_of_folder(&path)
    };
    let bytes = write().map_err(|error| {
        // If this fails, the incomplete checkpoint is removed before the next one is written.
        let _ = remove(&new);
        failed(error)
    })?;
    let others = earlier.into_iter().filter(|found| found.path != path);
    let (whole, broken): (Vec<Found>, Vec<Found>) = others.partition(|found| found.sequence.is_some());
    let also = |found: &Found| keep.also.contains(&(found.moment.branch, found.moment.step));
    for old in whole.into_iter().chain(broken).skip(keep.newest.max(1) - 1).filter(|found| !also(found)) {
        remove(&old.path).map_err(&failed)?;
    }
    Ok(Written { path, bytes })
}

fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() { Ok(()) } else { disk::create_dir(folder) }
}

/// Removes incomplete checkpoints and recovers interrupted swaps after a crash.
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
        recover_swap(&new, &target, &old)?;
    }
    Ok(())
}

/// The checkpoints in a folder, newest first; those without a readable manifest come before all others. A missing
/// folder has none.
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
        // A crash between two renames leaves the only copy of a step under `old-`.
        let moment_in_name = name
            .strip_prefix("step-")
            .or_else(|| name.strip_prefix("old-").filter(|rest| !folder.join(format!("step-{rest}")).exists()));
        let is_link = path.is_symlink();
        if let Some(moment_in_name) = moment_in_name.and_then(moment_of).filter(|_| !is_link) {
            let manifest = Manifest::read(&path).ok();
            let moment = Moment { journal: manifest.as_ref().map_or(0, |manifest| manifest.journal), ..moment_in_name };
            let sequence = manifest.map(|manifest| manifest.sequence);
            found.push(Found { moment, bytes: size_of_folder(&path).unwrap_or(0), path, sequence });
        }
    }
    // A checkpoint with more journal entries is newer, whatever its step; the order of writing need not be that of the
    // moments.
    found.sort_by_key(|found| {
        let Moment { step, journal, .. } = found.moment;
        Reverse(found.sequence.map_or((usize::MAX, step, 0), |sequence| (journal, step, sequence)))
    });
    Ok(found)
}

/// Reads one checkpoint and checks it against its manifest; a file of more than `largest` bytes is not read.
///
/// # Errors
/// Refuses a damaged checkpoint, with the reason.
pub fn read_checkpoint(found: &Found, largest: u64) -> Result<Checkpoint> {
    read(found, largest).map_err(|why| {
        Error::refused(format!("the checkpoint {} is damaged: {why}; use another one", place(&found.path)))
    })
}

fn read(found: &Found, largest: u64) -> std::result::Result<Checkpoint, String> {
    let manifest = Manifest::read(&found.path)?;
    if (manifest.step, manifest.branch) != (found.moment.step, found.moment.branch) {
        return Err(format!("its manifest is of step {} of branch {}", manifest.step, manifest.branch));
    }
    manifest.check(&found.path, &FILES, largest)?;
    let bytes = |name: &str| {
        let limit = manifest.files.get(name).map_or(0, |entry| entry.size);
        read_bounded(&found.path.join(name), limit).map_err(|error| format!("{name}: {error}"))
    };
    let state =
        serde_json::from_slice(&bytes(STATE)?).map_err(|error| format!("{STATE}: {}", one_line(&error.to_string())))?;
    let tensors = parse_tensors(&bytes(TENSORS)?).map_err(|why| format!("{TENSORS}: {}", one_line(&why)))?;
    Ok(Checkpoint { tensors, state })
}

/// Reads the newest valid checkpoint of a folder.
///
/// # Errors
/// Refuses a folder that cannot be read.
pub fn read_newest_valid(folder: &Path, largest: u64) -> Result<Newest> {
    let mut damaged = Vec::new();
    for found in checkpoints(folder)? {
        match read_checkpoint(&found, largest) {
            Ok(checkpoint) => return Ok(Newest { checkpoint: Some((found, checkpoint)), damaged }),
            Err(error) => damaged.push(error.message().to_owned()),
        }
    }
    Ok(Newest { checkpoint: None, damaged })
}

#[cfg(test)]
mod tests;
