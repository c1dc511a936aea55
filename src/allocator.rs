//! The program's allocator, as far as the library has to know of it: the library is built, and tested, without one of its own.

use std::sync::OnceLock;

/// What an allocator does when it is asked to.
#[derive(Debug, Clone, Copy)]
pub struct Allocator {
    /// Gives pages that nothing uses back to the system.
    pub release: fn(),
    /// Whether this thread's allocations come from separate pages, which go back to the system as soon as they are free.
    pub set_apart: fn(bool),
}

static ALLOCATOR: OnceLock<Allocator> = OnceLock::new();

/// Says what the process's allocator can do. Where nobody says so, it is one that needs not be asked.
pub fn set(allocator: Allocator) {
    // A process has one allocator: the first one that is told stays.
    let _ = ALLOCATOR.set(allocator);
}

/// Gives pages that nothing uses back to the system.
pub fn release() {
    if let Some(allocator) = ALLOCATOR.get() {
        (allocator.release)();
    }
}

/// Makes something large and short-lived in pages of its own. Allocated between the tensors of the steps, it would fragment
/// the free pages there, more each time.
pub fn apart<T>(make: impl FnOnce() -> T) -> T {
    let _apart = Apart::new();
    make()
}

/// Ends when it is dropped, by a panic too.
struct Apart;

impl Apart {
    fn new() -> Self {
        Self::set(true);
        Self
    }

    fn set(apart: bool) {
        if let Some(allocator) = ALLOCATOR.get() {
            (allocator.set_apart)(apart);
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        Self::set(false);
    }
}
