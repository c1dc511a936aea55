//! Atomic writes of files and folders: a reader sees a complete file or none.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::disk;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;

/// Bytes that stay free for the file system itself.
const SLACK: u64 = 1 << 20;

/// Turns an input or output error into one sentence: `what` could not be done with `path`.
pub fn failed<'a>(what: &'a str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |error| {
        let remedy = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "make it writable or use another folder"
            }
            _ => "check the folder and its disk",
        };
        Error::failed(format!("cannot {what} {}: {error}; {remedy}", place(path)))
    }
}

/// Writes a file and waits until it is on the disk.
///
/// # Errors
/// Those of the file system.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk::create_file(path)?;
    disk::write_all(&mut file, path, bytes)?;
    disk::sync(&file, path)
}

/// Replaces a file at once: a reader sees the old or the new file, complete.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = sibling(path, "new");
    write_synced(&new, bytes)?;
    disk::rename(&new, path)?;
    sync_folder(parent(path))
}

/// Waits until a folder's entries are on the disk.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    disk::sync(&File::open(path)?, path)
}

/// The parent folder of a path; `.` if the path names none.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A hidden path in the same folder: `.NAME.ROLE`.
#[must_use]
pub fn sibling(path: &Path, role: &str) -> std::path::PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{role}"))
}

/// Replaces the folder `target` by the folder `new`: a reader sees the old or the new one. If the file system cannot
/// exchange names, the old folder is renamed to `old` meanwhile, and [`recover_swap`] restores it after a crash.
///
/// # Errors
/// Those of the file system.
pub fn swap_in(new: &Path, target: &Path, old: &Path) -> io::Result<()> {
    if fs::symlink_metadata(target).is_err() {
        disk::rename(new, target)?;
        return sync_folder(parent(target));
    }
    if exchange(new, target).is_ok() {
        sync_folder(parent(target))?;
        return remove(new);
    }
    disk::rename(target, old)?;
    if let Err(error) = disk::rename(new, target) {
        disk::rename(old, target)?;
        return Err(error);
    }
    sync_folder(parent(target))?;
    remove(old)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(io::Error::from)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Restores a consistent state after a [`swap_in`] that a crash interrupted.
///
/// # Errors
/// Those of the file system.
pub fn recover_swap(new: &Path, target: &Path, old: &Path) -> io::Result<()> {
    if fs::symlink_metadata(old).is_ok() {
        if fs::symlink_metadata(target).is_ok() {
            remove(old)?;
        } else {
            disk::rename(old, target)?;
        }
    }
    remove(new)
}

/// Removes a file, or a folder with its contents, if it exists.
///
/// # Errors
/// Those of the file system.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Checks that so many bytes are free on the file system of `folder`.
///
/// # Errors
/// [`Error::Failed`] where fewer are free.
pub fn need_space(folder: &Path, bytes: u64) -> Result<()> {
    // Where the free space is unknown, the write itself fails when the disk is full.
    let Ok(stat) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < bytes.saturating_add(SLACK) {
        return Err(Error::failed(format!(
            "{}: {} MB are needed and {} MB are free; free some space",
            place(folder),
            bytes.div_ceil(1_000_000),
            free / 1_000_000
        )));
    }
    Ok(())
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// The file is larger, is no regular file, or cannot be read.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Renames a file or folder to a name that must be free.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        disk::before_change(to)?;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => {}
            done => return done,
        }
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    disk::rename(from, to)
}

/// Opens a regular file; anything else is refused, since opening a pipe would block for ever.
///
/// # Errors
/// It is no regular file, or cannot be opened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

/// Sum of the sizes of a folder's files in bytes.
///
/// # Errors
/// Those of the file system.
pub fn size_of_folder(path: &Path) -> io::Result<u64> {
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(path: &Path, text: &str) {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), text).unwrap();
    }

    #[test]
    fn a_folder_takes_the_place_of_another() {
        let root = tempfile::tempdir().unwrap();
        let [new, target, old] = ["new", "target", "old"].map(|name| root.path().join(name));
        for text in ["first", "second"] {
            folder_with(&new, text);
            swap_in(&new, &target, &old).unwrap();
            assert_eq!(fs::read_to_string(target.join("file")).unwrap(), text);
            assert!(!new.exists() && !old.exists());
        }
    }

    #[test]
    fn an_interrupted_swap_is_undone() {
        let root = tempfile::tempdir().unwrap();
        let [new, target, old] = ["new", "target", "old"].map(|name| root.path().join(name));
        folder_with(&new, "new");
        folder_with(&old, "old");
        recover_swap(&new, &target, &old).unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "old");
        assert!(!new.exists() && !old.exists());
    }

    #[test]
    fn what_is_no_regular_file_or_too_large_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        assert!(read_bounded(root.path(), 10).is_err());
        fs::write(root.path().join("a"), "12345").unwrap();
        assert!(read_bounded(&root.path().join("a"), 4).is_err());
        assert_eq!(read_bounded(&root.path().join("a"), 5).unwrap(), b"12345");
    }

    #[test]
    fn space_is_asked_for() {
        let root = tempfile::tempdir().unwrap();
        assert!(need_space(root.path(), 1).is_ok());
        assert!(need_space(root.path(), u64::MAX / 2).unwrap_err().message().contains("are free; free some space"));
    }
}
