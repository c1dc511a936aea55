//! Injected failures of the disk.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Plan {
    root: PathBuf,
    fails: Range<usize>,
    code: i32,
    changes: Vec<PathBuf>,
}

static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

fn plans() -> MutexGuard<'static, Vec<Plan>> {
    PLANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, the changes below a folder whose numbers are in the range fail with this error code of the system.
pub struct Faults(PathBuf);

impl Faults {
    pub fn at(root: &Path, fails: Range<usize>, code: i32) -> Self {
        spartui_run::set_change_hook(fail_if_planned);
        plans().push(Plan { root: root.to_owned(), fails, code, changes: Vec::new() });
        Self(root.to_owned())
    }

    /// The paths of the changes so far.
    pub fn changes(&self) -> Vec<PathBuf> {
        plans().iter().find(|plan| plan.root == self.0).map(|plan| plan.changes.clone()).unwrap_or_default()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        plans().retain(|plan| plan.root != self.0);
    }
}

fn fail_if_planned(path: &Path) -> io::Result<()> {
    let mut plans = plans();
    let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.root)) else { return Ok(()) };
    let number = plan.changes.len();
    plan.changes.push(path.to_owned());
    if plan.fails.contains(&number) { Err(io::Error::from_raw_os_error(plan.code)) } else { Ok(()) }
}
