//! The update on an NVIDIA device by a custom kernel: one launch where libtorch needs a dozen.

use std::ffi::CStr;

use tch::{Device, Kind, Tensor};

use super::{Cast, CohortUpdate, Factors, Rule};
use spartui_cuda::{Argument, Launch, Program};

static PROGRAM: Program = Program::new(include_str!("update.cu"));

const THREADS: u32 = 256;

/// Compiles the kernel for a device, which takes a moment, once.
///
/// # Errors
/// One sentence why it cannot be.
pub fn prepare(device: usize) -> Result<(), String> {
    PROGRAM.prepare(device)
}

/// Runs the update on the device. Returns false where the kernel cannot run.
pub fn update(due: &CohortUpdate<'_>, factors: Factors) -> bool {
    let (Device::Cuda(device), Some(kernel)) = (due.weight.device(), kernel(due.weight.kind())) else { return false };
    let cohort = &due.cohort;
    let count = cohort.len();
    if !is_plain(due) || count == 0 {
        return count == 0;
    }
    let Ok(blocks) = u32::try_from(count.div_ceil(THREADS.into())) else { return false };
    let tensors =
        [due.weight, &cohort.original, &cohort.indices, &cohort.delta, &cohort.first, &cohort.second, due.gradient];
    let Factors { rule, scale, keep: [keep_first, keep_second], decay, correction: [first, second], epsilon, rate } =
        factors;
    let numbers = [scale, keep_first, keep_second, decay, first, second, epsilon, rate];
    let rule = u32::from(rule == Rule::AdamAtan2);
    let (stochastic, key) = match due.cast {
        Cast::Nearest => (0_u32, 0),
        Cast::Stochastic { key } => (1, key),
    };
    let arguments: Vec<Argument> = tensors
        .map(Argument::from)
        .into_iter()
        .chain([Argument::from(count)])
        .chain(numbers.map(Argument::from))
        .chain([Argument::from(rule), Argument::from(stochastic), Argument::from(key)])
        .collect();
    let launch = Launch { grid: [blocks, 1], block: THREADS, shared: 0 };
    // SAFETY: the arguments are those of the kernel, all of the cohort's length but the weight, in which its indices
    // lie; no two of them are the same.
    #[allow(unsafe_code)]
    unsafe { PROGRAM.launch(kernel, device, launch, &arguments) }.is_ok()
}

/// Whether all tensors have the device, dtype and layout that the kernel needs.
fn is_plain(due: &CohortUpdate<'_>) -> bool {
    let cohort = &due.cohort;
    let plain = |tensor: &Tensor, kind: Kind| {
        tensor.device() == due.weight.device() && tensor.kind() == kind && tensor.is_contiguous()
    };
    let floats = [&cohort.delta, &cohort.first, &cohort.second, due.gradient];
    floats.iter().all(|tensor| plain(tensor, Kind::Float) && tensor.numel() as u64 == cohort.len())
        && [due.weight, &cohort.original].iter().all(|tensor| plain(tensor, due.weight.kind()))
        && plain(&cohort.indices, Kind::Int64)
}

fn kernel(kind: Kind) -> Option<&'static CStr> {
    match kind {
        Kind::Float => Some(c"update_float32"),
        Kind::BFloat16 => Some(c"update_bfloat16"),
        Kind::Half => Some(c"update_float16"),
        _ => None,
    }
}
