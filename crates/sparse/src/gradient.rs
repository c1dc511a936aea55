//! The gradient of a linear layer's weight at selected scalars.
//!
//! For `y = x W'`, with `x` of shape `[tokens, in]` and the gradient `dy` of shape `[tokens, out]`,
//! `g[i, j] = sum_t dy[t, i] * x[t, j]`: a sampled dense-dense product. Accumulated in `f32`.
//!
//! The sampled algorithm computes each scalar as the product of two columns, which have to be transposed first (see
//! `part`). The dense one computes all scalars by libtorch's matrix product and discards most. The density at which the
//! dense one becomes faster was measured (see `sampled::dense_above` and, on an NVIDIA device, `device::dense_above`).

mod dense;
mod device;
mod kernel;
mod line;
mod operand;
mod part;
mod plan;
mod sampled;
#[cfg(test)]
mod tests;

use tch::{Device, Kind, Tensor};

pub use dense::dense_then_gather;
pub use device::{prepare, sampled as sampled_on_device};

/// The operands of one weight's gradient, and the scalars to compute.
pub struct Product<'a> {
    /// `[.., in]`
    pub input: &'a Tensor,
    /// `[.., out]`, with the same leading dimensions.
    pub output_gradient: &'a Tensor,
    /// Flat, sorted indices into a weight of shape `[out, in]`, `i64`, one tensor for each cohort.
    pub indices: Vec<&'a Tensor>,
}

/// The gradients of several weights at once, `f32`: for each product one tensor for each cohort.
///
/// Consecutive products with the same input (the same memory: queries, keys and values) share its preparation.
/// The result does not depend on the number of threads, nor on which products are computed together.
#[must_use]
pub fn sampled_together(products: &[Product<'_>]) -> Vec<Vec<Tensor>> {
    let algorithms: Vec<Algorithm> = products.iter().map(Algorithm::of).collect();
    let on_cpu = products
        .iter()
        .zip(&algorithms)
        .filter(|(_, algorithm)| **algorithm == Algorithm::Columns)
        .map(|(product, _)| product);
    let mut on_cpu = sampled::sampled(&on_cpu.collect::<Vec<_>>()).into_iter();
    let gradient = |(product, algorithm): (&Product<'_>, &Algorithm)| {
        let sampled = match algorithm {
            Algorithm::Columns => on_cpu.next(),
            Algorithm::Kernel => device::sampled(product),
            Algorithm::Dense => None,
        };
        sampled.unwrap_or_else(|| dense_then_gather(product.input, product.output_gradient, &product.indices))
    };
    products.iter().zip(&algorithms).map(gradient).collect()
}

/// The gradient at flat, sorted `indices` (`i64`, one tensor for each cohort) of a weight of shape `[out, in]`; `f32`,
/// one tensor for each cohort.
///
/// `input` is `[.., in]` and `output_gradient` `[.., out]`, with the same leading dimensions.
pub fn sampled<'a>(
    input: &Tensor,
    output_gradient: &Tensor,
    indices: impl ExactSizeIterator<Item = &'a Tensor>,
) -> Vec<Tensor> {
    sampled_together(&[Product { input, output_gradient, indices: indices.collect() }]).pop().unwrap_or_default()
}

/// The gradients by the sampled algorithm, whatever the density, on the CPU.
#[must_use]
pub fn sampled_product(products: &[Product<'_>]) -> Vec<Vec<Tensor>> {
    sampled::sampled(&products.iter().collect::<Vec<_>>())
}

/// The algorithm of a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// Sampled on the CPU.
    Columns,
    /// Sampled on an NVIDIA device.
    Kernel,
    /// The dense product and a gather.
    Dense,
}

impl Algorithm {
    /// The fastest algorithm that can compute a product.
    fn of(product: &Product<'_>) -> Self {
        let density = product.density();
        match product.input.device() {
            Device::Cpu if product.input.kind() == Kind::Double => Self::Dense,
            Device::Cpu if density <= sampled::dense_above(product.is_half()) => Self::Columns,
            Device::Cuda(_) if density <= device::dense_above(product.input.kind()) && device::can(product) => {
                Self::Kernel
            }
            _ => Self::Dense,
        }
    }
}

impl Product<'_> {
    fn is_half(&self) -> bool {
        [self.input, self.output_gradient].iter().all(|tensor| tensor.kind() == Kind::BFloat16)
    }

    /// Columns of the weight.
    fn width(&self) -> i64 {
        self.input.size().last().copied().unwrap_or(1)
    }

    /// Rows of the weight.
    fn height(&self) -> i64 {
        self.output_gradient.size().last().copied().unwrap_or(1)
    }

    #[expect(clippy::cast_precision_loss, reason = "a weight has fewer than 2^53 scalars")]
    fn density(&self) -> f64 {
        let wanted: usize = self.indices.iter().map(|indices| indices.numel()).sum();
        wanted as f64 / (self.width() * self.height()).max(1) as f64
    }
}
