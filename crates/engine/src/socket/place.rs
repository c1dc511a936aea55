//! The path of a run's socket: in the run's folder, or if that path is too long for a socket, in a private folder of
//! the user, with a file in the run's folder that contains it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const SOCKET: &str = "attach.sock";
const ELSEWHERE: &str = "attach.path";
/// The longest socket path, with its terminator, that all systems support.
const LONGEST: usize = 104;

/// The path for the engine's socket; creates the folder, and removes what an earlier process left.
pub fn prepare(run: &Path) -> io::Result<PathBuf> {
    let _ = fs::remove_file(run.join(ELSEWHERE));
    let path = match inside(run) {
        Some(path) => path,
        None => {
            let path = private_folder()?.join(name(run)?);
            fs::write(run.join(ELSEWHERE), path.as_os_str().as_encoded_bytes())?;
            path
        }
    };
    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is in the way", path.display()))),
        Err(_) => {}
    }
    Ok(path)
}

/// The path of a run's socket: only one that belongs to this user, and only where the engine creates it.
pub fn find(run: &Path) -> io::Result<PathBuf> {
    let said = fs::read(run.join(ELSEWHERE)).ok().filter(|said| said.len() < LONGEST);
    let path = match said.and_then(|said| String::from_utf8(said).ok()).map(PathBuf::from) {
        None => inside(run).unwrap_or_else(|| run.join(SOCKET)),
        Some(path) => {
            let folder = path.parent().filter(|folder| is_private(folder));
            if folder.is_none() || path.file_name() != Some(name(run)?.as_ref()) {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "attach.path leads elsewhere"));
            }
            path
        }
    };
    let found = fs::symlink_metadata(&path)?;
    if !found.file_type().is_socket() || found.uid() != me() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the socket is not this user's"));
    }
    Ok(path)
}

/// Removes the files of [`prepare`] and the socket.
pub fn clear(run: &Path, socket: &Path) {
    // A file that cannot be removed is recognised as stale by the next process.
    let _ = fs::remove_file(socket);
    let _ = fs::remove_file(run.join(ELSEWHERE));
}

/// The path of the socket in the run's folder, relative or absolute, if one of them is short enough.
fn inside(run: &Path) -> Option<PathBuf> {
    let given = run.join(SOCKET);
    let whole = std::path::absolute(&given).ok();
    std::iter::once(given).chain(whole).find(|path| path.as_os_str().len() < LONGEST)
}

/// A name unique to this run's folder.
fn name(run: &Path) -> io::Result<String> {
    let whole = fs::canonicalize(run)?;
    Ok(format!("{}.sock", &blake3::hash(whole.as_os_str().as_encoded_bytes()).to_hex()[..20]))
}

/// A folder that only this user can access.
fn private_folder() -> io::Result<PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| is_private(folder));
    let own = own.map(|folder| folder.join("spartui")).filter(|path| path.as_os_str().len() + 30 < LONGEST);
    let folder = own.unwrap_or_else(|| PathBuf::from(format!("/tmp/spartui-{}", me())));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if is_private(&folder) {
        Ok(folder)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is open to others", folder.display())))
    }
}

/// Whether a folder belongs to this user and only this user can access it.
fn is_private(folder: &Path) -> bool {
    let others = |mode: u32| mode & 0o077;
    fs::symlink_metadata(folder)
        .is_ok_and(|found| found.is_dir() && found.uid() == me() && others(found.permissions().mode()) == 0)
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_lies_in_the_runs_folder() {
        let run = tempfile::tempdir().unwrap();
        let path = prepare(run.path()).unwrap();
        assert_eq!(path, run.path().join(SOCKET));
        assert_eq!(find(run.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(find(run.path()).unwrap(), path);
        drop(listener);
        assert_eq!(prepare(run.path()).unwrap(), path, "one that was left behind is taken away");
        assert!(!path.exists());
    }

    #[test]
    fn a_long_path_is_redirected_once() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("x".repeat(120));
        fs::create_dir(&run).unwrap();
        let path = prepare(&run).unwrap();
        assert!(path.as_os_str().len() < LONGEST && is_private(path.parent().unwrap()));
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(find(&run).unwrap(), path);
        let other = root.path().join("other.sock");
        let _other = UnixListener::bind(&other).unwrap();
        fs::write(run.join(ELSEWHERE), other.as_os_str().as_encoded_bytes()).unwrap();
        assert_eq!(find(&run).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        drop(listener);
        clear(&run, &path);
        assert!(!path.exists() && !run.join(ELSEWHERE).exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_neither_removed_nor_connected_to() {
        let run = tempfile::tempdir().unwrap();
        fs::write(run.path().join(SOCKET), "mine").unwrap();
        assert!(prepare(run.path()).is_err() && find(run.path()).is_err());
        assert_eq!(fs::read(run.path().join(SOCKET)).unwrap(), b"mine");
    }
}
