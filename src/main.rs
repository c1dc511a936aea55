//! Hands over to the command line.

/// For every allocation of the process, libtorch's too. A step allocates and frees tensors of some twenty sizes; what
/// glibc's allocator leaves between them was measured as half as much again as the tensors themselves.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Pages that a step frees are kept for the next one: to give them back and fault them in again costs a fifth of a step. A
/// caller that knows that they are not needed [releases](asked::release) them. Large tensors come from the same pages as small ones:
/// what one part of a step leaves serves the next. Batches of other lengths ask for other sizes, so any free piece may be cut
/// for any size (by default none is that is more than 64 times too large), and all threads share one arena: otherwise each
/// size that was ever asked for keeps pages of its own, and memory grows without bound.
// SAFETY: jemalloc reads this symbol at start; nothing else defines it.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: &[u8; 94] =
    b"narenas:1,lg_extent_max_active_fit:20,dirty_decay_ms:-1,muzzy_decay_ms:0,oversize_threshold:0\0";

#[cfg(target_os = "linux")]
mod asked {
    //! What the allocator does when it is asked to. Where it refuses, memory stays as it is.

    use std::sync::OnceLock;

    use tikv_jemalloc_ctl::{Access, AsName};

    /// Gives all pages that nothing uses back to the system, once.
    pub fn release() {
        // Pages that may be kept for no time are given back at once; then again for all time.
        for milliseconds in [0_isize, -1] {
            let _ = "arena.0.dirty_decay_ms\0".name().write(milliseconds);
        }
    }

    /// Has this thread take its memory from an arena apart, or from the one that all share.
    pub fn set_apart(apart: bool) {
        static APART: OnceLock<Option<u32>> = OnceLock::new();
        let other = || {
            let arena: u32 = "arenas.create\0".name().read().ok()?;
            format!("arena.{arena}.dirty_decay_ms\0").as_str().name().write(0_isize).ok()?;
            Some(arena)
        };
        if let Some(arena) = *APART.get_or_init(other) {
            let _ = "thread.arena\0".name().write(if apart { arena } else { 0 });
        }
    }
}

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    spartui::engine::allocator::set(spartui::engine::allocator::Allocator {
        release: asked::release,
        set_apart: asked::set_apart,
    });
    spartui::command_line::main()
}
