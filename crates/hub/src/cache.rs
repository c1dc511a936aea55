//! The part of the shared cache for one model.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_facts::recipe::HubName;

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// `models--owner--name` in the cache.
pub(super) struct Repository {
    folder: PathBuf,
    locks: PathBuf,
}

impl Repository {
    pub fn new(cache: &Path, name: &HubName) -> Self {
        let folder = format!("models--{}--{}", name.owner, name.name);
        Self { locks: cache.join(".locks").join(&folder), folder: cache.join(folder) }
    }

    /// The commit of a revision when it was downloaded.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let text = fs::read_to_string(self.reference(revision)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// The path of an incomplete download.
    pub fn partial(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// The folder of all blobs, created if necessary.
    pub fn blobs(&self) -> Result<PathBuf> {
        let folder = self.folder.join("blobs");
        fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        Ok(folder)
    }

    /// Links a blob into a snapshot. `file` is a path inside of it.
    pub fn link(&self, commit: &str, file: &str, etag: &str) -> Result<()> {
        let link = self.snapshot(commit).join(file);
        let target = up(2 + file.matches('/').count()).join("blobs").join(etag);
        if fs::read_link(&link).is_ok_and(|old| old == target) {
            return Ok(());
        }
        let make = || {
            fs::create_dir_all(link.parent().unwrap_or(&link))?;
            remove(&link)?;
            // Some file systems have no links; the file itself serves a single snapshot as well.
            symlink(&target, &link).or_else(|_| fs::rename(self.blob(etag), &link))
        };
        make().map_err(|error| unwritable(&link, &error))
    }

    /// Records the commit of a revision, once the snapshot is complete.
    pub fn write_reference(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || self.commit(revision).is_some_and(|old| old == commit) {
            return Ok(());
        }
        let path = self.reference(revision);
        let folder = path.parent().unwrap_or(&self.folder);
        let write = || {
            fs::create_dir_all(folder)?;
            let new = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
            fs::write(new.path(), commit)?;
            readable(new.as_file())?;
            new.persist(&path).map_err(|error| error.error)
        };
        write().map(drop).map_err(|error| unwritable(&path, &error))
    }

    /// Whether the model is known to lack the file.
    pub fn lacks(&self, commit: &str, file: &str) -> bool {
        self.absent(commit, file).exists()
    }

    /// Records that the model lacks the file, so that it need not be requested again.
    pub fn note_absent(&self, commit: &str, file: &str) -> Result<()> {
        let path = self.absent(commit, file);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            File::create(&path)
        };
        write().map(drop).map_err(|error| unwritable(&path, &error))
    }

    /// Keeps other programs from downloading the same blob until the lock is dropped; waits for one that does.
    pub fn lock(&self, etag: &str, mut waiting: impl FnMut()) -> Result<Lock> {
        let path = self.locks.join(format!("{etag}.lock"));
        let open = || {
            fs::create_dir_all(&self.locks)?;
            File::options().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(|error| unwritable(&path, &error))?;
        loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                // On a file system without locks, sizes and checksums still reveal a mixture.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Lock { _file: file }),
            }
        }
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.folder.join("refs").join(revision)
    }

    fn absent(&self, commit: &str, file: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit).join(file)
    }
}

/// An exclusive lock on a blob.
pub(super) struct Lock {
    _file: File,
}

/// Whether the text is a full commit hash, and therefore a safe folder name.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The error that the cache cannot be written, with a remedy.
pub(super) fn unwritable(path: &Path, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or set HF_HUB_CACHE to a folder on another disk, and start again: what was downloaded is kept"
        }
        _ => "set HF_HUB_CACHE to a folder that can be written",
    };
    Error::failed(format!("cannot write {} ({error}); {remedy}", place(path)))
}

fn up(levels: usize) -> PathBuf {
    std::iter::repeat_n("..", levels).collect()
}

/// A dangling link counts as existing.
fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() { fs::remove_file(path) } else { Ok(()) }
}

/// Temporary files are private; those of a shared cache are not.
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}
