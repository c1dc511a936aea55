//! Every change that the run folder makes on the disk goes through here, so that a test can make each of them fail.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

pub fn create_dir(path: &Path) -> io::Result<()> {
    struck(path)?;
    fs::create_dir(path)
}

pub fn create_file(path: &Path) -> io::Result<File> {
    struck(path)?;
    File::create(path)
}

pub fn write_all(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    struck(path)?;
    file.write_all(bytes)
}

/// Writes as much as can be written; how much that is.
pub fn write(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
    struck(path)?;
    file.write(bytes)
}

/// Waits until a file, or the entries of a folder, are on the disk.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    struck(path)?;
    file.sync_all()
}

pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    struck(to)?;
    fs::rename(from, to)
}

/// What is written by a library: asked before it writes.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "a test makes it fail")]
pub fn struck(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub use faults::struck;

/// Failures on demand.
#[cfg(test)]
pub mod faults {
    use std::io;
    use std::ops::Range;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    struct Plan {
        root: PathBuf,
        fails: Range<usize>,
        code: i32,
        asked: Vec<PathBuf>,
    }

    static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

    fn plans() -> MutexGuard<'static, Vec<Plan>> {
        PLANS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While it lives, those operations below a folder whose numbers are in the range fail with this code of the system.
    pub struct Faults(PathBuf);

    impl Faults {
        pub fn at(root: &Path, fails: Range<usize>, code: i32) -> Self {
            plans().push(Plan { root: root.to_owned(), fails, code, asked: Vec::new() });
            Self(root.to_owned())
        }

        /// What was asked for so far.
        pub fn asked(&self) -> Vec<PathBuf> {
            plans().iter().find(|plan| plan.root == self.0).map(|plan| plan.asked.clone()).unwrap_or_default()
        }
    }

    impl Drop for Faults {
        fn drop(&mut self) {
            plans().retain(|plan| plan.root != self.0);
        }
    }

    pub fn struck(path: &Path) -> io::Result<()> {
        let mut plans = plans();
        let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.root)) else { return Ok(()) };
        let number = plan.asked.len();
        plan.asked.push(path.to_owned());
        if plan.fails.contains(&number) { Err(io::Error::from_raw_os_error(plan.code)) } else { Ok(()) }
    }
}
