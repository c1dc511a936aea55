//! `libnvrtc`: CUDA C++ to machine code, in this process.
#![allow(unsafe_code, reason = "calls of a C library that is loaded at run time")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr::{null, null_mut};
use std::sync::LazyLock;

use libloading::Library;

use super::driver::symbol;

/// What every function returns; 0 is success.
type Status = c_int;
type Handle = *mut c_void;
type Size = unsafe extern "C" fn(Handle, *mut usize) -> Status;
type Bytes = unsafe extern "C" fn(Handle, *mut c_char) -> Status;

/// Names of the library, newest first. Its number is that of CUDA's, and libtorch brings one.
const NAMES: [&str; 3] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"];
/// Where pip puts NVIDIA's libraries, seen from the folder of libtorch's.
const BESIDE: [&str; 3] = ["../../nvidia/cu13/lib", "../../nvidia/cuda_nvrtc/lib", "."];

/// The compiler's functions, with the names that its header gives them.
pub(super) struct Compiler {
    version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status,
    create: Create,
    compile: unsafe extern "C" fn(Handle, c_int, *const *const c_char) -> Status,
    code_size: Size,
    code: Bytes,
    log_size: Size,
    log: Bytes,
    destroy: unsafe extern "C" fn(*mut Handle) -> Status,
    /// Keeps the functions' code.
    _library: Library,
}

type Create = unsafe extern "C" fn(
    *mut Handle,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> Status;

/// The compiler, loaded once.
pub(super) fn get() -> Result<&'static Compiler, String> {
    static COMPILER: LazyLock<Result<Compiler, String>> = LazyLock::new(Compiler::load);
    COMPILER.as_ref().map_err(Clone::clone)
}

/// Where the library may be: on the loader's path, and in the folders that pip makes.
fn candidates() -> impl Iterator<Item = PathBuf> {
    let loaded = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let torch = loaded.lines().filter_map(|line| line.split_whitespace().last()).map(PathBuf::from);
    let mut torch = torch.filter(|path| path.file_name().is_some_and(|name| name == "libtorch_cuda.so"));
    let folder = torch.next_back().and_then(|path| path.parent().map(PathBuf::from));
    let inside = folder.into_iter().flat_map(|folder| BESIDE.map(|beside| folder.join(beside)));
    let inside = inside.flat_map(|folder| NAMES.map(|name| folder.join(name)));
    NAMES.into_iter().map(PathBuf::from).chain(inside.collect::<Vec<_>>())
}

impl Compiler {
    fn load() -> Result<Self, String> {
        // SAFETY: the compiler's initializers are those that libtorch runs when it compiles a kernel itself.
        let library = candidates().find_map(|path| unsafe { Library::new(path) }.ok()).ok_or(
            "there is no libnvrtc, which compiles kernels for the device; run `make setup` again, or put its folder on \
             LD_LIBRARY_PATH",
        )?;
        // SAFETY: names and types are those of the compiler's interface, `nvrtc.h`.
        let compiler = unsafe {
            Self {
                version: symbol(&library, c"nvrtcVersion")?,
                create: symbol(&library, c"nvrtcCreateProgram")?,
                compile: symbol(&library, c"nvrtcCompileProgram")?,
                code_size: symbol(&library, c"nvrtcGetCUBINSize")?,
                code: symbol(&library, c"nvrtcGetCUBIN")?,
                log_size: symbol(&library, c"nvrtcGetProgramLogSize")?,
                log: symbol(&library, c"nvrtcGetProgramLog")?,
                destroy: symbol(&library, c"nvrtcDestroyProgram")?,
                _library: library,
            }
        };
        Ok(compiler)
    }

    pub fn version(&self) -> String {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: the pointers are those of local variables, which stay as they are if this fails.
        let _ = unsafe { (self.version)(&raw mut major, &raw mut minor) };
        format!("{major}.{minor}")
    }

    /// Machine code for devices of this capability.
    pub fn compile(&self, text: &str, capability: (u32, u32)) -> Result<Vec<u8>, String> {
        let own = |text: &str| CString::new(text).map_err(|error| error.to_string());
        let (text, architecture) =
            (own(text)?, own(&format!("--gpu-architecture=sm_{}{}", capability.0, capability.1))?);
        let options = [architecture.as_ptr(), c"--std=c++17".as_ptr()];
        let mut handle = null_mut();
        // SAFETY: the text ends in zero; there are no headers.
        let created = unsafe { (self.create)(&raw mut handle, text.as_ptr(), null(), 0, null(), null()) };
        if created != 0 {
            return Err(format!("the compiler for kernels does not start (error {created})"));
        }
        // SAFETY: the options end in zero and outlive the call.
        let compiled = unsafe { (self.compile)(handle, 2, options.as_ptr()) };
        let made = if compiled == 0 {
            self.bytes(handle, self.code_size, self.code)
        } else {
            let log = self.bytes(handle, self.log_size, self.log).unwrap_or_default();
            Err(format!("a kernel does not compile (error {compiled}): {}", String::from_utf8_lossy(&log)))
        };
        // SAFETY: the handle is not used any more.
        let _ = unsafe { (self.destroy)(&raw mut handle) };
        made
    }

    fn bytes(&self, handle: Handle, size: Size, bytes: Bytes) -> Result<Vec<u8>, String> {
        let mut length = 0;
        // SAFETY: the pointer is that of a local variable.
        let known = unsafe { size(handle, &raw mut length) };
        let mut buffer = vec![0_u8; length];
        // SAFETY: the buffer has the length that was asked for.
        match (known, unsafe { bytes(handle, buffer.as_mut_ptr().cast()) }) {
            (0, 0) => Ok(buffer),
            (first, second) => {
                Err(format!("the compiler {} gives no result (errors {first}, {second})", self.version()))
            }
        }
    }
}
