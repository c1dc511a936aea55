//! Lets MKL, which does libtorch's matrix products of `f32` on x86, use the vectors that the processor has.
//!
//! MKL asks two functions of its own who made the processor. Where it was not Intel, it leaves AVX-512 unused and shares the
//! work out worse: on an AMD EPYC (Zen 4) a product took a fifth more time. As all of libtorch's functions, those two are looked
//! up by name at run time, in the program itself before its libraries, so they are answered here: yes. What MKL uses then
//! is what the processor itself says that it has, and what `MKL_ENABLE_INSTRUCTIONS` allows.

use std::ffi::c_int;

/// Whether MKL uses its code for Intel's processors.
#[allow(unsafe_code)]
// SAFETY: the name is one that libtorch's MKL defines, with this interface.
#[unsafe(no_mangle)]
extern "C" fn mkl_serv_intel_cpu_true() -> c_int {
    1
}

/// As [`mkl_serv_intel_cpu_true`]; asked where work is shared out among threads.
#[allow(unsafe_code)]
// SAFETY: the name is one that libtorch's MKL defines, with this interface.
#[unsafe(no_mangle)]
extern "C" fn mkl_serv_intel_cpu() -> c_int {
    1
}

/// How libtorch's MKL chooses its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// By what the processor has: it asks us.
    ByFeatures,
    /// As it was made to: by who made the processor, too.
    ByMaker,
    /// There is no MKL in this libtorch.
    NoMkl,
}

/// How MKL chooses its code in this process.
#[must_use]
pub fn choice() -> Choice {
    let answers: [(&[u8], extern "C" fn() -> c_int); 2] =
        [(b"mkl_serv_intel_cpu_true\0", mkl_serv_intel_cpu_true), (b"mkl_serv_intel_cpu\0", mkl_serv_intel_cpu)];
    if !tch::utils::has_mkl() {
        Choice::NoMkl
    } else if answers.iter().all(|(name, answer)| found(name).is_some_and(|found| std::ptr::fn_addr_eq(found, *answer)))
    {
        Choice::ByFeatures
    } else {
        Choice::ByMaker
    }
}

/// The function of this name that the program's libraries find.
#[cfg(unix)]
fn found(name: &[u8]) -> Option<extern "C" fn() -> c_int> {
    // SAFETY: MKL documents no type for these names, but the function is only compared, never called.
    #[allow(unsafe_code)]
    let function = unsafe { libloading::os::unix::Library::this().get::<extern "C" fn() -> c_int>(name) };
    function.ok().map(|function| *function)
}

#[cfg(not(unix))]
fn found(_: &[u8]) -> Option<extern "C" fn() -> c_int> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_mkl_in_libtorch_asks_us() {
        let expected = if tch::utils::has_mkl() { Choice::ByFeatures } else { Choice::NoMkl };
        assert_eq!(choice(), expected);
    }
}
