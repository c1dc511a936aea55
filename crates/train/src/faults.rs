//! Faults of a step that need not end the run.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use spartui_facts::error::Result;
use spartui_facts::protocol::Step;
use spartui_model::guarded;

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    /// The step was taken.
    Taken(Step),
    /// Loss or gradient is not finite.
    NotFinite(NotFinite),
    /// Out of memory; libtorch's message.
    OutOfMemory(String),
}

/// A batch that gave no finite loss or gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct NotFinite {
    /// The step that was not taken.
    pub step: u64,
    /// Its loss.
    pub loss: f64,
    /// The norm of its gradient.
    pub grad_norm: f64,
    /// Name of the file of training rows.
    pub file: String,
    /// Lines of the batch's rows in that file.
    pub lines: Vec<usize>,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, loss, grad_norm, file, .. } = self;
        write!(
            f,
            "step {step}: the loss is {loss} and the gradient's norm {grad_norm}; the update was not applied (the batch is \
             lines {} of {file}); take a lower optimizer.learning_rate or optimizer.max_grad_norm = 1.0",
            self.lines_shown()
        )
    }
}

impl NotFinite {
    /// The lines, sorted, as text.
    #[must_use]
    pub fn lines_shown(&self) -> String {
        let mut lines = self.lines.clone();
        lines.sort_unstable();
        lines.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Out-of-memory messages of libtorch's allocators, on the CPU and on devices, and of cuBLAS and cuDNN.
const SIGNS: [&str; 6] = [
    "out of memory",
    "not enough memory: you tried to allocate",
    "can't allocate memory: you tried to allocate",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
];

/// Runs a computation with libtorch and catches its panics.
///
/// # Errors
/// `Ok` with libtorch's message where it ran out of memory; `Err` for any other panic.
pub fn out_of_memory<T>(work: impl FnOnce() -> T) -> std::result::Result<T, Result<String>> {
    let panic = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => return Ok(done),
        Err(panic) => panic,
    };
    let error = guarded::<String>(|| std::panic::resume_unwind(panic));
    Err(error.or_else(|error| {
        let memory = SIGNS.iter().any(|sign| error.message().contains(sign));
        if memory { Ok(error.message().to_owned()) } else { Err(error) }
    }))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn an_allocation_that_fails_is_told_from_another_failure() {
        let work = || Tensor::empty([1 << 46], (Kind::Float, Device::Cpu));
        let Err(Ok(why)) = out_of_memory(work) else { panic!("256 TiB were allocated") };
        assert!(why.contains("allocate memory"), "{why}");
        let work = || Tensor::zeros([2], (Kind::Float, Device::Cpu)) + Tensor::zeros([3], (Kind::Float, Device::Cpu));
        assert!(matches!(out_of_memory(work), Err(Err(_))));
        assert_eq!(out_of_memory(|| 5).unwrap(), 5);
    }
}
