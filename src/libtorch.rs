//! Loads the parts of libtorch that the program is not linked against.
//!
//! The program links the CPU libraries alone, so that one binary serves machines with and without an NVIDIA GPU. Where
//! the CUDA libraries lie beside them, they register themselves with libtorch when they are loaded.

pub mod mkl;

use std::path::PathBuf;

/// Folder of the libtorch that the program was built with.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("SPARTUI_LIBTORCH_LIB"))
}

/// Loads `libtorch_cuda.so` for good, if there is one. To be called before anything else uses libtorch.
///
/// Says whether it was loaded, or why it was not although it is there.
///
/// # Errors
/// The loader's message.
pub fn load_cuda() -> Result<bool, String> {
    let beside = folder().join("libtorch_cuda.so");
    if beside.exists() {
        return open(beside.as_os_str()).map(|()| true);
    }
    // On LD_LIBRARY_PATH, where the binary was brought from another machine.
    Ok(open("libtorch_cuda.so".as_ref()).is_ok())
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn open(library: &std::ffi::OsStr) -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the library's initializers are those of libtorch itself, which the program runs at its start anyway.
    let library = unsafe { Library::open(Some(library), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| error.to_string())?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn open(_: &std::ffi::OsStr) -> Result<(), String> {
    Err("CUDA is for Linux only".into())
}
