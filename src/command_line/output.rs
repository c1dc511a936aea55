//! The output file of a command.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::standard_output::StandardOutput;
use spartui_data::{NOT_OPEN, is_open_file};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_run::follow_links;

/// The target of an output.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    StandardOutput,
    StandardError,
    /// A pipe, a terminal, a device, or a file that the shell has opened: written to, not replaced.
    Stream(PathBuf),
    /// A regular file, or a free name: replaced at once, so that a reader sees the old or the new file.
    Regular(PathBuf),
}

/// Checks that the output can be written, before the work begins that would be lost otherwise.
///
/// # Errors
/// Refuses a folder, a name in a folder that is not there, and links that lead in a circle.
pub fn check(path: &Path) -> Result<()> {
    let target = match target(path)? {
        Target::Regular(target) => target,
        Target::StandardOutput => return StandardOutput::check(),
        Target::StandardError | Target::Stream(_) => return Ok(()),
    };
    let folder = parent(&target);
    if folder.is_dir() {
        return Ok(());
    }
    Err(refused(path, format!("there is no folder {}", place(folder))))
}

/// Refuses an output that would replace the input.
///
/// # Errors
/// Refuses two paths to the same file, also through links.
pub fn check_apart(output: &Path, input: &Path) -> Result<()> {
    let file = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|it| (it.dev(), it.ino()));
    match (file(output), file(input)) {
        (Some(to), Some(from)) if to == from => {
            Err(refused(output, "it is the file that is read, and its rows would be lost"))
        }
        _ => Ok(()),
    }
}

/// Writes the output of a command: `-` is standard output. Links are followed; pipes and devices are written to
/// directly; a regular file is replaced once the new one is complete.
///
/// # Errors
/// Refuses a path that cannot be written, and fails if writing fails.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    match target(path)? {
        Target::StandardOutput => finish(path, &mut StandardOutput, contents),
        Target::StandardError => finish(path, &mut io::stderr().lock(), contents),
        Target::Stream(target) => {
            let opened =
                OpenOptions::new().append(true).open(target).or_else(|_| File::options().write(true).open(path));
            finish(path, &mut opened.map_err(|error| refused(path, error))?, contents)
        }
        Target::Regular(target) => match replace(&target, contents) {
            // The file is writable, its folder is not.
            Err(_) if target.is_file() => {
                finish(path, &mut File::create(&target).map_err(|error| refused(path, error))?, contents)
            }
            written => written.map_err(|error| refused(path, error)),
        },
    }
}

fn refused(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::refused(format!("{} cannot be written: {why}; give --output another file", place(path)))
}

/// Writes all contents to an open file; if the reader of a pipe has gone, the program ends quietly.
fn finish(path: &Path, file: &mut impl Write, contents: &[u8]) -> Result<()> {
    match file.write_all(contents).and_then(|()| file.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            let named = if path == Path::new("-") { "standard output".to_owned() } else { place(path) };
            Err(Error::failed(format!("{named} cannot be written: {error}; check its disk")))
        }
    }
}

fn target(path: &Path) -> Result<Target> {
    if path == Path::new("-") {
        return Ok(Target::StandardOutput);
    }
    let followed = follow_links(path).map_err(|error| refused(path, error))?;
    // An open file may have no path, such as a pipe of the shell.
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(_) if is_open_file(path) => return Err(refused(path, NOT_OPEN)),
        Err(_) => return Ok(Target::Regular(followed)),
    };
    if found.is_dir() {
        return Err(refused(path, "it is a folder"));
    }
    let is = |stream: io::Result<fs::Metadata>| {
        stream.is_ok_and(|stream| (stream.dev(), stream.ino()) == (found.dev(), found.ino()))
    };
    // A closed standard output is replaced by /dev/null, which may also be the path itself.
    if is(metadata_of(&io::stdout())) && (!StandardOutput::is_closed() || is_open_file(path)) {
        return Ok(Target::StandardOutput);
    }
    if is(metadata_of(&io::stderr())) {
        return Ok(Target::StandardError);
    }
    Ok(if found.is_file() && !is_open_file(path) { Target::Regular(followed) } else { Target::Stream(path.to_owned()) })
}

fn metadata_of(stream: &impl AsFd) -> io::Result<fs::Metadata> {
    File::from(stream.as_fd().try_clone_to_owned()?).metadata()
}

/// Replaces a file at once and keeps its permissions, or creates it.
fn replace(target: &Path, contents: &[u8]) -> io::Result<()> {
    let earlier = fs::metadata(target).ok().map(|found| found.permissions());
    // The umask applies, as to any new file.
    let mode = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(parent(target))?;
    file.write_all(contents)?;
    if let Some(earlier) = earlier {
        file.as_file().set_permissions(earlier)?;
    }
    file.persist(target).map(drop).map_err(|error| error.error)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_read_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let [link, file, other] = ["link", "file", "other"].map(|name| root.path().join(name));
        fs::write(&file, "rows").unwrap();
        symlink("file", &link).unwrap();
        let why = check_apart(&link, &file).unwrap_err();
        assert!(why.message().contains("it is the file that is read"), "{why}");
        assert!(check_apart(&file, &file).is_err());
        assert!(check_apart(&other, &file).is_ok() && check_apart(Path::new("-"), &file).is_ok());
    }

    #[test]
    fn a_link_stays_a_link_and_its_file_gets_the_lines() {
        let root = tempfile::tempdir().unwrap();
        let [link, file] = ["link", "file"].map(|name| root.path().join(name));
        symlink("file", &link).unwrap();
        for text in ["first", "second"] {
            write(&link, text.as_bytes()).unwrap();
            assert_eq!((fs::read_to_string(&file).unwrap().as_str(), link.is_symlink()), (text, true));
        }
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        write(&link, b"third").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_pipe_is_written_to_and_stays_one() {
        use std::os::unix::fs::FileTypeExt;
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        write(&pipe, b"all of it\n").unwrap();
        assert_eq!(reader.join().unwrap(), "all of it\n");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_device_stays_a_device() {
        use std::os::unix::fs::FileTypeExt;
        write(Path::new("/dev/null"), b"gone").unwrap();
        assert!(fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device());
        assert!(!matches!(target(Path::new("/dev/null")).unwrap(), Target::Regular(_)));
    }

    #[test]
    fn a_place_that_cannot_be_is_refused_before_there_is_anything_to_write() {
        let root = tempfile::tempdir().unwrap();
        let refused = |path: &Path| check(path).unwrap_err().message().to_owned();
        assert!(refused(root.path()).contains("it is a folder; give --output another file"));
        assert!(refused(&root.path().join("none/file")).contains("there is no folder"));
        assert!(refused(Path::new("/dev/fd/987")).contains("no file of this number is open"));
        assert!(check(&root.path().join("new")).is_ok() && check(Path::new("-")).is_ok());
        assert_eq!(target(Path::new("-")).unwrap(), Target::StandardOutput);
    }
}
