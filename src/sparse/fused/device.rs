//! The update on an NVIDIA device, by a kernel of our own: one launch where libtorch needs a dozen.

use std::ffi::CStr;

use tch::{Kind, Tensor};

use super::{Cast, Cohort, Factors};
use crate::cuda::{Argument, Launch, Program};

static PROGRAM: Program = Program::new(include_str!("update.cu"));

const THREADS: u32 = 256;

/// Compiles the kernel for a device, which takes a moment, once.
///
/// # Errors
/// One sentence why it cannot be.
pub fn prepare(device: usize) -> Result<(), String> {
    PROGRAM.prepare(device)
}

/// Whether the device did it. All tensors are contiguous on it, the cohort's of one length, `original` of the weight's type
/// and the rest of `f32`.
pub fn update(
    device: usize,
    cohort: &mut Cohort,
    weight: &Tensor,
    gradient: &Tensor,
    factors: Factors,
    cast: Cast,
) -> bool {
    let Some(kernel) = kernel(weight.kind()) else { return false };
    let count = cohort.len();
    if count == 0 {
        return true;
    }
    let Ok(blocks) = u32::try_from(count.div_ceil(THREADS.into())) else { return false };
    let tensors = [weight, &cohort.original, &cohort.indices, &cohort.delta, &cohort.first, &cohort.second, gradient];
    let Factors { scale, keep: [keep_first, keep_second], decay, correction, epsilon, rate } = factors;
    let numbers = [scale, keep_first, keep_second, decay, correction, epsilon, rate];
    let (stochastic, key) = match cast {
        Cast::Nearest => (0_u32, 0),
        Cast::Stochastic { key } => (1, key),
    };
    let arguments: Vec<Argument> = tensors
        .map(Argument::from)
        .into_iter()
        .chain([Argument::from(count)])
        .chain(numbers.map(Argument::from))
        .chain([Argument::from(stochastic), Argument::from(key)])
        .collect();
    let launch = Launch { grid: [blocks, 1], block: THREADS, shared: 0 };
    // SAFETY: the arguments are those of the kernel, all of the cohort's length but the weight, in which its indices lie; no
    // two of them are the same.
    #[allow(unsafe_code)]
    unsafe { PROGRAM.launch(kernel, device, launch, &arguments) }.is_ok()
}

fn kernel(kind: Kind) -> Option<&'static CStr> {
    match kind {
        Kind::Float => Some(c"update_float32"),
        Kind::BFloat16 => Some(c"update_bfloat16"),
        Kind::Half => Some(c"update_float16"),
        _ => None,
    }
}
