//! Access to the memory of tensors on the CPU.

use half::bf16;
use tch::{Device, Kind, Tensor};

/// The element type of a dtype. (The corresponding trait of `tch` takes `bf16` for `f16`.)
pub trait Stored: Copy + Send + Sync {
    /// The dtype.
    const KIND: Kind;
}

impl Stored for f32 {
    const KIND: Kind = Kind::Float;
}

impl Stored for bf16 {
    const KIND: Kind = Kind::BFloat16;
}

impl Stored for i64 {
    const KIND: Kind = Kind::Int64;
}

/// The scalars of a contiguous tensor of this dtype on the CPU. Panics for any other tensor.
#[must_use]
pub fn values<T: Stored>(tensor: &Tensor) -> &[T] {
    let length = readable::<T>(tensor);
    // SAFETY: the tensor owns so many scalars of this type, initialized, and nobody writes to them while it is
    // borrowed: operands and indices are only read during a backward pass, and originals for ever.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts(if length == 0 { std::ptr::dangling() } else { tensor.data_ptr().cast() }, length)
    }
}

/// As [`values`], mutable. No other tensor may share the memory.
pub fn values_mut<T: Stored>(tensor: &mut Tensor) -> &mut [T] {
    let length = readable::<T>(tensor);
    let first = if length == 0 { std::ptr::dangling_mut() } else { tensor.data_ptr().cast() };
    // SAFETY: as above; and those who call made the tensor themselves, so that nobody else refers to its memory.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts_mut(first, length)
    }
}

/// Whether [`values`] accepts a tensor.
#[must_use]
pub fn is_plain<T: Stored>(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.kind() == T::KIND && tensor.is_contiguous()
}

/// Number of scalars of this type that are contiguous at the tensor's address.
fn readable<T: Stored>(tensor: &Tensor) -> usize {
    assert!(is_plain::<T>(tensor), "{tensor:?}");
    tensor.numel()
}

/// The cache level that a prefetch loads into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// First level: for few lines that are read soon.
    First,
    /// Second level: for many scattered lines. The first level is in use by the computation, and has few outstanding
    /// loads.
    Second,
}

/// Prefetches the cache line at this address.
#[allow(clippy::inline_always, reason = "one instruction, once it is known which")]
#[inline(always)]
pub fn prefetch<T>(place: *const T, into: Cache) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        // SAFETY: all x86-64 processors have the instruction, which reads nothing that a program can see, whatever
        // the address.
        #[allow(unsafe_code)]
        unsafe {
            match into {
                Cache::First => _mm_prefetch::<_MM_HINT_T0>(place.cast()),
                Cache::Second => _mm_prefetch::<_MM_HINT_T1>(place.cast()),
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (place, into);
}
