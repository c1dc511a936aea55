//! Kernels of our own.
#![allow(unsafe_code, reason = "a kernel is given raw addresses")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_void};
use std::sync::{Mutex, PoisonError};

use tch::Tensor;

use super::{compiler, driver};

/// A source of kernels, compiled once for each device that one of them is launched on.
pub struct Program {
    text: &'static str,
    /// By device: the address of the loaded module, or why there is none.
    modules: Mutex<BTreeMap<usize, Result<usize, String>>>,
}

/// The size of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// Blocks in x and y.
    pub grid: [u32; 2],
    /// Threads of a block.
    pub block: u32,
    /// Bytes of shared memory of a block.
    pub shared: u32,
}

/// An argument of a kernel, at the low end of these bytes.
#[derive(Debug, Clone, Copy)]
pub struct Argument(u64);

impl From<&Tensor> for Argument {
    /// The address of its first scalar.
    fn from(tensor: &Tensor) -> Self {
        Self(tensor.data_ptr().expose_provenance() as u64)
    }
}

impl From<u64> for Argument {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<u32> for Argument {
    fn from(value: u32) -> Self {
        Self(value.into())
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Self(value.to_bits().into())
    }
}

impl Program {
    /// Of this source; nothing is compiled yet.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, modules: Mutex::new(BTreeMap::new()) }
    }

    /// Compiles for a device, if that was not done yet. The work of a second at most, once.
    ///
    /// # Errors
    /// One sentence why there can be no such kernel: no driver, no compiler, a device too old.
    pub fn prepare(&self, device: usize) -> Result<(), String> {
        self.module(device).map(|_| ())
    }

    /// Queues a kernel behind what libtorch queued on the device.
    ///
    /// # Safety
    /// The arguments are in number and type those of the kernel of this name. The addresses among them are on the
    /// device, and the kernel stays within what is there.
    ///
    /// # Errors
    /// As [`Program::prepare`], and what the driver refuses.
    pub unsafe fn launch(
        &self,
        name: &CStr,
        device: usize,
        launch: Launch,
        arguments: &[Argument],
    ) -> Result<(), String> {
        let driver = driver::get()?;
        let module = self.module(device)?;
        let mut values: Vec<u64> = arguments.iter().map(|argument| argument.0).collect();
        let mut places: Vec<*mut c_void> = values.iter_mut().map(|value| std::ptr::from_mut(value).cast()).collect();
        driver.within(device, || {
            let function = driver.function(module, name, launch.shared)?;
            // SAFETY: as promised by the caller.
            unsafe { driver.launch(function, launch.grid, (launch.block, launch.shared), &mut places) }
        })
    }

    fn module(&self, device: usize) -> Result<driver::Module, String> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let module = modules.entry(device).or_insert_with(|| self.compile(device));
        module.clone().map(std::ptr::with_exposed_provenance_mut)
    }

    fn compile(&self, device: usize) -> Result<usize, String> {
        let driver = driver::get()?;
        let code = compiler::get()?.compile(self.text, driver.properties(device)?.capability)?;
        driver.within(device, || driver.load_module(&code)).map(<*mut c_void>::expose_provenance)
    }
}
