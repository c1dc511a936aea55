//! The core of sparse fine-tuning: training selected scalars of a large weight.
//!
//! Everything works on tensors and numbers: nothing here depends on models, files or the interface.
//!
//! * [`Selection`]: chooses the trainable scalars of a weight by a keyed permutation; [`rank`]: by their magnitudes;
//! * [`budget`]: the number of trainable scalars of each weight;
//! * [`Delta`]: their deltas, moments and ages, and the optimizer's update of the weight;
//! * [`gradient`]: the gradient at those scalars only.

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

/// Most scalars on a device that are concatenated for one reduction.
const MOST_TOGETHER: usize = 1 << 26;

/// Squared Euclidean norm of all tensors together, summed in `f64`. On a device it synchronizes once.
#[must_use]
pub fn squared_norm<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> f64 {
    let tensors: Vec<&Tensor> = tensors.collect();
    let of_one = |tensor: &Tensor| tensor.square().sum(Kind::Double);
    let on_device = tensors.first().is_some_and(|tensor| tensor.device() != Device::Cpu);
    if on_device && tensors.iter().map(|tensor| tensor.numel()).sum::<usize>() <= MOST_TOGETHER {
        // Two kernel launches for each of a hundred weights would take longer than the copy.
        let flat: Vec<Tensor> = tensors.iter().map(|tensor| tensor.reshape(-1)).collect();
        return sum_of(&[of_one(&Tensor::cat(&flat, 0))]);
    }
    sum_of(&tensors.into_iter().map(of_one).collect::<Vec<_>>())
}

/// Sum of scalar tensors (`f64`), in order. On a device it synchronizes once.
#[must_use]
pub fn sum_of(numbers: &[Tensor]) -> f64 {
    if numbers.is_empty() {
        return 0.0;
    }
    let numbers: Vec<f64> = Vec::try_from(Tensor::stack(numbers, 0).to_device(Device::Cpu)).unwrap_or_default();
    numbers.into_iter().sum()
}

/// Compiles this crate's kernels for an NVIDIA device, once, in a second or two. Without them everything works, but
/// more slowly.
///
/// # Errors
/// One sentence why it cannot be.
pub fn prepare_device(device: usize) -> Result<(), String> {
    gradient::prepare(device)?;
    fused::prepare(device)
}
