//! Paths of open file descriptors.

use std::path::Path;

/// The error for a descriptor that is not open.
pub const NOT_OPEN: &str = "no file of this number is open";

/// Whether a path names an open file descriptor, such as `/dev/fd/3`.
#[must_use]
pub fn is_open_file(path: &Path) -> bool {
    let in_fd = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with("fd"));
    let of_process = |path: &Path| path.starts_with("/dev/fd") || (path.starts_with("/proc") && in_fd(path));
    of_process(path) || std::fs::read_link(path).is_ok_and(|target| of_process(&target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_open_files_and_nothing_else_does() {
        for name in ["/dev/fd/0", "/dev/fd/987", "/proc/self/fd/1", "/proc/12/fd/3", "/dev/stdout"] {
            assert!(is_open_file(Path::new(name)), "{name}");
        }
        for name in ["/dev/null", "/proc/self/status", "fd/1", "rows.jsonl", ""] {
            assert!(!is_open_file(Path::new(name)), "{name}");
        }
    }
}
