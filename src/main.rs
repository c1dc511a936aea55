//! Hands over to the command line.

/// For every allocation of the process, libtorch's too. A step allocates and frees tensors of some twenty sizes; what
/// glibc's allocator leaves between them was measured as half as much again as the tensors themselves.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Pages that a step frees are kept for the next one: to give them back and fault them in again costs a fifth of a step.
/// Large tensors come from the same pages as small ones: what one part of a step leaves serves the next. Batches of other
/// lengths ask for other sizes, so any free piece may be cut for any size (by default none is that is more than 64 times too
/// large), and all threads share one arena: otherwise each size that was ever asked for keeps pages of its own, and memory
/// grows without bound.
// SAFETY: jemalloc reads this symbol at start; nothing else defines it.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: &[u8; 95] =
    b"narenas:1,lg_extent_max_active_fit:20,dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0\0";

fn main() -> std::process::ExitCode {
    spartui::command_line::main()
}
