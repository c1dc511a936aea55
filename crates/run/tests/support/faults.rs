//! Failures of the disk on demand.

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

/// While it lives, those changes below a folder whose numbers are in the range fail with this code of the system.
pub struct Faults(PathBuf);

impl Faults {
    pub fn at(root: &Path, fails: Range<usize>, code: i32) -> Self {
        spartui_run::ask_before_changes(strike);
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

fn strike(path: &Path) -> io::Result<()> {
    let mut plans = plans();
    let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.root)) else { return Ok(()) };
    let number = plan.asked.len();
    plan.asked.push(path.to_owned());
    if plan.fails.contains(&number) { Err(io::Error::from_raw_os_error(plan.code)) } else { Ok(()) }
}
