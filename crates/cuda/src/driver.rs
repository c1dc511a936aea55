//! The few functions of `libcuda` that are needed.
#![allow(unsafe_code, reason = "calls of a C library that is loaded at run time")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};
use std::sync::{LazyLock, Mutex, PoisonError};

use libloading::Library;

/// What every function returns; 0 is success.
type Status = c_int;
/// A device's own number, a context, a module and a kernel in it.
type Ordinal = c_int;
type Context = *mut c_void;
pub(super) type Module = *mut c_void;
pub(super) type Function = *mut c_void;

const MULTIPROCESSORS: c_int = 16;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
const MOST_SHARED_MEMORY: c_int = 97;
/// Attribute of a kernel: bytes of shared memory that a launch may ask for.
const DYNAMIC_SHARED_MEMORY: c_int = 8;

/// A device's own number, by which other libraries know it too.
pub(super) type Uuid = [u8; 16];

/// What distinguishes one device from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Properties {
    /// Major and minor number: 9 and 0 for Hopper.
    pub capability: (u32, u32),
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Bytes of shared memory that a block may have.
    pub shared_memory: u32,
}

/// Bytes of a device's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What nobody has taken.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

impl Memory {
    /// What somebody has taken: this process, its context, others.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.total.saturating_sub(self.free)
    }
}

/// The driver's functions, with the names that its header gives them.
pub(super) struct Driver {
    get_error_string: unsafe extern "C" fn(Status, *mut *const c_char) -> Status,
    device_get: unsafe extern "C" fn(*mut Ordinal, c_int) -> Status,
    device_get_attribute: unsafe extern "C" fn(*mut c_int, c_int, Ordinal) -> Status,
    device_get_uuid: unsafe extern "C" fn(*mut Uuid, Ordinal) -> Status,
    primary_context_retain: unsafe extern "C" fn(*mut Context, Ordinal) -> Status,
    context_push: unsafe extern "C" fn(Context) -> Status,
    context_pop: unsafe extern "C" fn(*mut Context) -> Status,
    module_load_data: unsafe extern "C" fn(*mut Module, *const c_void) -> Status,
    module_get_function: unsafe extern "C" fn(*mut Function, Module, *const c_char) -> Status,
    function_set_attribute: unsafe extern "C" fn(Function, c_int, c_int) -> Status,
    launch_kernel: LaunchKernel,
    memory_get_info: unsafe extern "C" fn(*mut usize, *mut usize) -> Status,
    /// Contexts by device, as addresses; a device's primary context is the one that libtorch uses.
    contexts: Mutex<Vec<(usize, usize)>>,
    /// Keeps the functions' code.
    _library: Library,
}

type LaunchKernel = unsafe extern "C" fn(
    Function,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    *mut c_void,
    *mut *mut c_void,
    *mut *mut c_void,
) -> Status;

/// The driver, loaded once.
pub(super) fn get() -> Result<&'static Driver, String> {
    static DRIVER: LazyLock<Result<Driver, String>> = LazyLock::new(Driver::load);
    DRIVER.as_ref().map_err(Clone::clone)
}

impl Driver {
    fn load() -> Result<Self, String> {
        // SAFETY: the driver's initializers are those that libtorch's CUDA part runs too.
        let library = unsafe { Library::new("libcuda.so.1") }
            .map_err(|error| format!("there is no NVIDIA driver ({error}); install one, or use the CPU"))?;
        // SAFETY: names and types are those of the driver's interface, `cuda.h`.
        let driver = unsafe {
            let initialize: unsafe extern "C" fn(c_uint) -> Status = symbol(&library, c"cuInit")?;
            match initialize(0) {
                0 => {}
                status => return Err(format!("the NVIDIA driver does not start (error {status}); see `nvidia-smi`")),
            }
            Self {
                get_error_string: symbol(&library, c"cuGetErrorString")?,
                device_get: symbol(&library, c"cuDeviceGet")?,
                device_get_attribute: symbol(&library, c"cuDeviceGetAttribute")?,
                device_get_uuid: symbol(&library, c"cuDeviceGetUuid_v2")?,
                primary_context_retain: symbol(&library, c"cuDevicePrimaryCtxRetain")?,
                context_push: symbol(&library, c"cuCtxPushCurrent_v2")?,
                context_pop: symbol(&library, c"cuCtxPopCurrent_v2")?,
                module_load_data: symbol(&library, c"cuModuleLoadData")?,
                module_get_function: symbol(&library, c"cuModuleGetFunction")?,
                function_set_attribute: symbol(&library, c"cuFuncSetAttribute")?,
                launch_kernel: symbol(&library, c"cuLaunchKernel")?,
                memory_get_info: symbol(&library, c"cuMemGetInfo_v2")?,
                contexts: Mutex::default(),
                _library: library,
            }
        };
        Ok(driver)
    }

    pub fn properties(&self, device: usize) -> Result<Properties, String> {
        let ordinal = self.ordinal(device)?;
        let attribute = |attribute: c_int| -> Result<u32, String> {
            let mut value = 0;
            // SAFETY: the pointer is that of a local variable.
            self.check(unsafe { (self.device_get_attribute)(&raw mut value, attribute, ordinal) })?;
            Ok(u32::try_from(value).unwrap_or(0))
        };
        Ok(Properties {
            capability: (attribute(CAPABILITY_MAJOR)?, attribute(CAPABILITY_MINOR)?),
            multiprocessors: attribute(MULTIPROCESSORS)?,
            shared_memory: attribute(MOST_SHARED_MEMORY)?,
        })
    }

    pub fn uuid(&self, device: usize) -> Result<Uuid, String> {
        let mut uuid = Uuid::default();
        // SAFETY: the pointer is that of a local variable.
        self.check(unsafe { (self.device_get_uuid)(&raw mut uuid, self.ordinal(device)?) })?;
        Ok(uuid)
    }

    /// Memory of the device whose context is current.
    pub fn memory(&self) -> Result<Memory, String> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: the pointers are those of local variables.
        self.check(unsafe { (self.memory_get_info)(&raw mut free, &raw mut total) })?;
        Ok(Memory { free: free as u64, total: total as u64 })
    }

    /// Does something with a device's context.
    pub fn within<T>(&self, device: usize, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let context = self.context(device)?;
        // SAFETY: the context came from the driver and is never given back.
        self.check(unsafe { (self.context_push)(context) })?;
        let done = work();
        let mut popped = null_mut();
        // SAFETY: the context was pushed above, by this thread.
        self.check(unsafe { (self.context_pop)(&raw mut popped) })?;
        done
    }

    /// Loads machine code into the current context.
    pub fn load_module(&self, code: &[u8]) -> Result<Module, String> {
        let mut module = null_mut();
        // SAFETY: the code is what the compiler made for this device; the driver copies it.
        self.check(unsafe { (self.module_load_data)(&raw mut module, code.as_ptr().cast()) })?;
        Ok(module)
    }

    /// A kernel by its name, allowed so many bytes of shared memory.
    pub fn function(&self, module: Module, name: &CStr, shared: u32) -> Result<Function, String> {
        let mut function = null_mut();
        // SAFETY: the module is loaded, the name ends in zero.
        self.check(unsafe { (self.module_get_function)(&raw mut function, module, name.as_ptr()) })?;
        let shared = c_int::try_from(shared).unwrap_or(c_int::MAX);
        // SAFETY: the function is the one of above.
        self.check(unsafe { (self.function_set_attribute)(function, DYNAMIC_SHARED_MEMORY, shared) })?;
        Ok(function)
    }

    /// Queues a kernel behind whatever libtorch queued on this device, which it does on the default stream.
    ///
    /// # Safety
    /// The arguments are those of the kernel, and it touches no memory but what it may.
    pub unsafe fn launch(
        &self,
        function: Function,
        grid: [u32; 2],
        (block, shared): (u32, u32),
        arguments: &mut [*mut c_void],
    ) -> Result<(), String> {
        let [x, y] = grid;
        // SAFETY: as promised by the caller; the driver reads the arguments before it returns.
        self.check(unsafe {
            (self.launch_kernel)(function, x, y, 1, block, 1, 1, shared, null_mut(), arguments.as_mut_ptr(), null_mut())
        })
    }

    fn ordinal(&self, device: usize) -> Result<Ordinal, String> {
        let mut ordinal = 0;
        let number = c_int::try_from(device).unwrap_or(c_int::MAX);
        // SAFETY: the pointer is that of a local variable.
        self.check(unsafe { (self.device_get)(&raw mut ordinal, number) })?;
        Ok(ordinal)
    }

    fn context(&self, device: usize) -> Result<Context, String> {
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, context)) = contexts.iter().find(|(known, _)| *known == device) {
            return Ok(std::ptr::with_exposed_provenance_mut(*context));
        }
        let mut context = null_mut();
        // SAFETY: the pointer is that of a local variable.
        self.check(unsafe { (self.primary_context_retain)(&raw mut context, self.ordinal(device)?) })?;
        contexts.push((device, context.expose_provenance()));
        Ok(context)
    }

    fn check(&self, status: Status) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        let mut text = null();
        // SAFETY: the driver sets the pointer to a text that lasts, or leaves it.
        let known = unsafe { (self.get_error_string)(status, &raw mut text) } == 0 && !text.is_null();
        // SAFETY: as above.
        let text = if known { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() } else { String::new() };
        Err(format!("the NVIDIA driver refuses: {text} (error {status})"))
    }
}

/// A function of a library.
///
/// # Safety
/// The function has this type.
pub(super) unsafe fn symbol<T: Copy>(library: &Library, name: &CStr) -> Result<T, String> {
    // SAFETY: as promised by the caller.
    unsafe { library.get::<T>(name.to_bytes_with_nul()) }
        .map(|symbol| *symbol)
        .map_err(|error| format!("a library of CUDA lacks a function ({error}); update the NVIDIA driver"))
}
