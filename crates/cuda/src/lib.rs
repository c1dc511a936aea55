//! NVIDIA devices beneath libtorch: kernels of our own, and what the driver says of the memory.
//!
//! Nothing of this is linked. The driver (`libcuda`) and the run-time compiler (`libnvrtc`, which comes with libtorch's CUDA
//! build) are loaded when they are first asked for, so that a build needs no CUDA toolkit and one binary serves machines with
//! and without a device.

mod compiler;
mod driver;
mod management;
mod program;

pub use driver::{Memory, Properties};
pub use management::Vitals;
pub use program::{Argument, Launch, Program};

/// What the driver knows of a device.
///
/// # Errors
/// One sentence: there is no driver, or it does not answer.
pub fn properties(device: usize) -> Result<Properties, String> {
    driver::get()?.properties(device)
}

/// Memory of a device, by all who use it. Makes the device's context if there is none yet, which takes memory itself.
///
/// # Errors
/// As [`properties`].
pub fn memory(device: usize) -> Result<Memory, String> {
    let driver = driver::get()?;
    driver.within(device, || driver.memory())
}

/// Bytes of a device's memory that are used, by whomever; makes no context. None where NVIDIA's management library does not
/// tell.
#[must_use]
pub fn used_memory(device: usize) -> Option<u64> {
    management::used(device)
}

/// How a device is doing; makes no context. None where NVIDIA's management library does not tell.
#[must_use]
pub fn vitals(device: usize) -> Option<Vitals> {
    management::vitals(device)
}

/// The version of the run-time compiler, as `13.0`.
///
/// # Errors
/// One sentence: there is none.
pub fn compiler_version() -> Result<String, String> {
    compiler::get().map(compiler::Compiler::version)
}
