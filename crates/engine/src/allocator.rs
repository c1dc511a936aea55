//! The interface to the program's allocator: the library is built and tested without an allocator of its own.

use std::sync::OnceLock;

/// Operations of an allocator.
#[derive(Debug, Clone, Copy)]
pub struct Allocator {
    /// Returns unused pages to the system.
    pub release: fn(),
    /// Whether this thread allocates on separate pages, which return to the system as soon as they are free.
    pub set_apart: fn(bool),
}

static ALLOCATOR: OnceLock<Allocator> = OnceLock::new();

/// Sets the operations of the process's allocator. Without them, the functions here do nothing.
pub fn set(allocator: Allocator) {
    // A process has one allocator: the first one set is kept.
    let _ = ALLOCATOR.set(allocator);
}

/// Returns unused pages to the system.
pub fn release() {
    if let Some(allocator) = ALLOCATOR.get() {
        (allocator.release)();
    }
}

/// Runs `make` with allocations on separate pages, for something large and short-lived. Allocated between the tensors
/// of the steps, it would fragment the free pages there, more each time.
pub fn apart<T>(make: impl FnOnce() -> T) -> T {
    let _apart = SeparatePages::new();
    make()
}

/// Ends the separate allocation when dropped, even by a panic.
struct SeparatePages;

impl SeparatePages {
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

impl Drop for SeparatePages {
    fn drop(&mut self) {
        Self::set(false);
    }
}
