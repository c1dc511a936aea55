//! What the project exists for: training a few scalars of a large weight.
//!
//! Tensors and numbers in, tensors and numbers out: nothing here knows a model, a file or a screen.
//!
//! * [`Selection`]: which scalars of a weight train, where a key says so; [`rank`]: where their magnitudes do;
//! * [`budget`]: how many of each weight;
//! * [`Delta`]: what training added to them, and how an optimizer's update reaches the weight;
//! * [`gradient`]: the gradient at those scalars and nowhere else.

pub mod budget;
mod cohort;
mod delta;
mod fused;
pub mod gradient;
pub mod memory;
mod optimizer;
pub mod rank;
mod rounding;
pub mod scalar;
mod selection;
mod sorted;
pub mod threads;
pub mod wide;

use tch::{Device, Kind, Tensor};

pub use cohort::Cohort;
pub use delta::{Change, Delta, Footprint, Patch, Resized, Saved, merge};
pub use optimizer::{Optimizer, Rule};
pub use rounding::Cast;
pub use selection::Selection;

/// Scalars of tensors on a device that are brought together, to look at all of them at once.
const MOST_TOGETHER: usize = 1 << 26;

/// Squared Euclidean norm of all of these together, summed in `f64`. A device is waited for once.
#[must_use]
pub fn squared_norm<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> f64 {
    let tensors: Vec<&Tensor> = tensors.collect();
    let of_one = |tensor: &Tensor| tensor.square().sum(Kind::Double);
    let on_device = tensors.first().is_some_and(|tensor| tensor.device() != Device::Cpu);
    if on_device && tensors.iter().map(|tensor| tensor.numel()).sum::<usize>() <= MOST_TOGETHER {
        // Two launches for each of a hundred weights would take longer than the copy.
        let flat: Vec<Tensor> = tensors.iter().map(|tensor| tensor.reshape(-1)).collect();
        return sum_of(&[of_one(&Tensor::cat(&flat, 0))]);
    }
    sum_of(&tensors.into_iter().map(of_one).collect::<Vec<_>>())
}

/// Sum of numbers (`f64`, no dimensions), one after the other. A device is waited for once.
#[must_use]
pub fn sum_of(numbers: &[Tensor]) -> f64 {
    if numbers.is_empty() {
        return 0.0;
    }
    let numbers: Vec<f64> = Vec::try_from(Tensor::stack(numbers, 0).to_device(Device::Cpu)).unwrap_or_default();
    numbers.into_iter().sum()
}

/// Compiles what this module has of kernels for an NVIDIA device: a second or two, once. Without it everything works, more
/// slowly.
///
/// # Errors
/// One sentence why it cannot be.
pub fn prepare_device(device: usize) -> Result<(), String> {
    gradient::prepare(device)?;
    fused::prepare(device)
}
