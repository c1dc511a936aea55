//! Symbolic links.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Most links in a chain; the system takes more for a circle, too.
const MOST: usize = 40;

/// The path to which a chain of symbolic links leads, whether or not it exists.
///
/// # Errors
/// Where the links lead in a circle.
pub fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        // A target that is relative is relative to the link's own folder; an absolute one replaces all.
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("its links lead in a circle"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_one_by_one_even_to_what_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        symlink("deep/second", at("first")).unwrap();
        symlink("../file", at("deep/second")).unwrap();
        assert_eq!(follow_links(&at("first")).unwrap(), at("deep/../file"));
        fs::write(at("file"), "x").unwrap();
        assert_eq!(fs::read(follow_links(&at("first")).unwrap()).unwrap(), b"x");
        assert_eq!(follow_links(&at("plain")).unwrap(), at("plain"));
        symlink("round", at("about")).unwrap();
        symlink("about", at("round")).unwrap();
        assert!(follow_links(&at("about")).is_err());
    }
}
