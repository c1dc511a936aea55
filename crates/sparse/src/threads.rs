//! Parallel loops on libtorch's own threads, where these are accessible.
//!
//! After each operation libtorch's threads keep spinning for a while, so that the next one starts at once. Threads of
//! another pool have to share the processor with them, which doubled the time of the sampled product between two matrix
//! products (two cores, two threads). So the work runs on the OpenMP team; where there is none, on rayon's pool.

use std::any::Any;
use std::ffi::{c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The number of libtorch's threads.
#[must_use]
pub fn count() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1)
}

/// Calls `work` once for each item, on `threads` threads.
pub fn each<T: Send>(items: &mut [T], threads: usize, work: impl Fn(&mut T) + Sync) {
    let threads = threads.min(items.len());
    let queue = Mutex::new(items.iter_mut());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        while let Some(item) = next() {
            work(item);
        }
    };
    if threads <= 1 {
        run();
    } else if !on_team(threads, &run) {
        rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| run())));
    }
}

/// `GOMP_parallel` of the OpenMP library: runs a function with its argument on each thread of a team of the given size,
/// of which the caller is one, and returns when all are done. The flags are hints.
type Parallel = unsafe extern "C" fn(extern "C" fn(*mut c_void), *mut c_void, c_uint, c_uint);

struct Team<'a> {
    run: &'a (dyn Fn() + Sync),
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Calls `run` on each thread of an OpenMP team. Returns false where there is no OpenMP library.
fn on_team(threads: usize, run: &(dyn Fn() + Sync)) -> bool {
    static PARALLEL: LazyLock<Option<Parallel>> = LazyLock::new(find);
    let (Some(parallel), Ok(threads)) = (*PARALLEL, c_uint::try_from(threads)) else { return false };
    let mut team = Team { run, panic: Mutex::new(None) };
    // SAFETY: the function is called as its interface says, with a pointer to a `Team` that outlives the call and is
    // only shared by the threads.
    #[allow(unsafe_code)]
    unsafe {
        parallel(enter, (&raw mut team).cast(), threads, 0);
    }
    if let Some(panic) = team.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
    true
}

extern "C" fn enter(team: *mut c_void) {
    // SAFETY: `on_team` passes a pointer to a `Team` that lives until all threads are done, and nobody changes it but
    // through its lock.
    #[allow(unsafe_code)]
    let team = unsafe { &*team.cast::<Team<'_>>() };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(team.run)) {
        *team.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
    }
}

/// Looks the symbol up in the loaded libraries; libtorch brings its OpenMP library.
#[cfg(unix)]
fn find() -> Option<Parallel> {
    // SAFETY: the type is the one that GCC's OpenMP library, and LLVM's for its sake, document for this name.
    #[allow(unsafe_code)]
    unsafe {
        libloading::os::unix::Library::this().get::<Parallel>(b"GOMP_parallel\0").ok().map(|symbol| *symbol)
    }
}

#[cfg(not(unix))]
fn find() -> Option<Parallel> {
    None
}
