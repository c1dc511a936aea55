//! The gradient of a linear layer's weight at a few of its scalars.
//!
//! For `y = x W'`, with `x` of shape `[tokens, in]` and the gradient `dy` of shape `[tokens, out]`,
//! `g[i, j] = sum_t dy[t, i] * x[t, j]`: a sampled dense-dense product. Accumulated in `f32`.
//!
//! Sampled, each scalar costs the product of two columns, and the columns have to be brought together first (see `part`).
//! Dense, all scalars are computed by libtorch's matrix product and most are thrown away. Where the two ways cross was
//! measured (see `sampled::dense_above` and, on an NVIDIA device, `device::dense_above`).

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

/// One weight's part of a backward pass.
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
/// Products side by side that share an input (the same memory: queries, keys and values) share what is prepared of it.
/// The result does not depend on the number of threads, nor on which products are computed together.
#[must_use]
pub fn sampled_together(products: &[Product<'_>]) -> Vec<Vec<Tensor>> {
    let ways: Vec<Way> = products.iter().map(Way::of).collect();
    let on_cpu = products.iter().zip(&ways).filter(|(_, way)| **way == Way::Columns).map(|(product, _)| product);
    let mut on_cpu = sampled::sampled(&on_cpu.collect::<Vec<_>>()).into_iter();
    let gradient = |(product, way): (&Product<'_>, &Way)| {
        let sampled = match way {
            Way::Columns => on_cpu.next(),
            Way::Kernel => device::sampled(product),
            Way::Dense => None,
        };
        sampled.unwrap_or_else(|| dense_then_gather(product.input, product.output_gradient, &product.indices))
    };
    products.iter().zip(&ways).map(gradient).collect()
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

/// Each scalar as the product of two columns, whatever the density, on the CPU.
#[must_use]
pub fn sampled_product(products: &[Product<'_>]) -> Vec<Vec<Tensor>> {
    sampled::sampled(&products.iter().collect::<Vec<_>>())
}

/// How a gradient is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Sampled on the CPU.
    Columns,
    /// Sampled on an NVIDIA device.
    Kernel,
    /// All of it, and a gather.
    Dense,
}

impl Way {
    /// The fastest way for a product, or the only one.
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
