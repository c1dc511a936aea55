//! Lets a test change a session from inside the training thread.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use spartui_train::Session;

type Hook = Box<dyn FnMut(&mut Session) + Send>;

static HOOKS: Mutex<Vec<(PathBuf, Hook)>> = Mutex::new(Vec::new());

fn hooks() -> MutexGuard<'static, Vec<(PathBuf, Hook)>> {
    HOOKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a hook before each step of the runs below a folder.
pub fn hook(root: &Path, hook: impl FnMut(&mut Session) + Send + 'static) {
    hooks().push((root.to_owned(), Box::new(hook)));
}

pub fn before_step(folder: &Path, session: &mut Session) {
    let mut found = Vec::new();
    {
        let mut hooks = hooks();
        while let Some(at) = hooks.iter().position(|(root, _)| folder.starts_with(root)) {
            found.push(hooks.swap_remove(at));
        }
    }
    // Without holding the lock: a hook may panic.
    for (_, hook) in &mut found {
        hook(session);
    }
    hooks().extend(found);
}
