//! The gradient of a linear layer's weight at a few of its scalars.
//!
//! For `y = x W'`, with `x` of shape `[tokens, in]` and the gradient `dy` of shape `[tokens, out]`,
//! `g[i, j] = sum_t dy[t, i] * x[t, j]`: a sampled dense-dense product. Accumulated in `f32`.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

/// Density above which the dense product and a gather are taken on the CPU in place of the sampled product. A first
/// estimate; `benches/gradient.rs` measures where the two ways really cross.
pub const DENSE_ABOVE: f64 = 0.04;

/// Rows of the dense gradient that exist at a time, at the most: this many scalars.
const BLOCK_SCALARS: i64 = 1 << 22;

/// Scalars that one task of the sampled product computes.
const TASK: usize = 1024;

/// One weight's part of a backward pass.
#[derive(Debug)]
pub struct Product<'a> {
    /// `[.., in]`
    pub input: &'a Tensor,
    /// `[.., out]`
    pub output_gradient: &'a Tensor,
    /// Flat, sorted indices into a weight of shape `[out, in]`, `i64`, one tensor for each cohort.
    pub indices: Vec<&'a Tensor>,
}

/// The gradients of several weights, `f32`, for each product one tensor for each cohort.
#[must_use]
pub fn sampled_together(products: &[Product<'_>]) -> Vec<Vec<Tensor>> {
    let one = |product: &Product<'_>| sampled(product.input, product.output_gradient, product.indices.iter().copied());
    products.iter().map(one).collect()
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
    let rows = |tensor: &Tensor| tensor.reshape([-1, tensor.size().last().copied().unwrap_or(1)]);
    let (x, dy) = (rows(input), rows(output_gradient));
    let indices: Vec<&Tensor> = indices.collect();
    let wanted: usize = indices.iter().map(|indices| indices.numel()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a weight has fewer than 2^53 scalars")]
    let density = wanted as f64 / (x.size()[1] * dy.size()[1]) as f64;
    if wanted == 0 {
        indices.iter().map(|_| Tensor::zeros([0], (Kind::Float, x.device()))).collect()
    } else if x.device() != Device::Cpu || density > DENSE_ABOVE {
        dense_then_gather(&x, &dy, &indices)
    } else {
        sampled_product(&x, &dy, &indices)
    }
}

/// The dense gradient in blocks of rows, and a gather from each. `x` is `[tokens, in]`, `dy` `[tokens, out]`.
#[must_use]
pub fn dense_then_gather(x: &Tensor, dy: &Tensor, indices: &[&Tensor]) -> Vec<Tensor> {
    let (x, dy) = (x.to_kind(Kind::Float), dy.to_kind(Kind::Float));
    let (width, height) = (x.size()[1], dy.size()[1]);
    let block = (BLOCK_SCALARS / width).clamp(1, height);
    if block == height {
        let dense = dy.transpose(0, 1).matmul(&x).view(-1);
        return indices.iter().map(|indices| dense.index_select(0, indices)).collect();
    }
    let mut parts: Vec<Vec<Tensor>> = indices.iter().map(|_| Vec::new()).collect();
    for first in (0..height).step_by(usize::try_from(block).unwrap_or(1)) {
        let rows = block.min(height - first);
        let dense = dy.narrow(1, first, rows).transpose(0, 1).matmul(&x).view(-1);
        let bounds = Tensor::from_slice(&[first * width, (first + rows) * width]).to_device(x.device());
        for (indices, parts) in indices.iter().zip(&mut parts) {
            let edges = bounds.searchsorted(indices, false, false, "left", None::<Tensor>);
            let (from, to) = (edges.int64_value(&[0]), edges.int64_value(&[1]));
            parts.push(dense.index_select(0, &(indices.narrow(0, from, to - from) - first * width)));
        }
    }
    parts.into_iter().map(|parts| Tensor::cat(&parts, 0)).collect()
}

/// Each scalar as the dot product of two rows of length `tokens`. `x` is `[tokens, in]`, `dy` `[tokens, out]`, both on
/// the CPU.
#[must_use]
pub fn sampled_product(x: &Tensor, dy: &Tensor, indices: &[&Tensor]) -> Vec<Tensor> {
    let columns = |tensor: &Tensor| Columns::of(tensor);
    let (x, dy) = (columns(x), columns(dy));
    indices
        .iter()
        .map(|indices| {
            let indices: Vec<i64> = Vec::try_from(*indices).unwrap_or_default();
            let mut gradient = vec![0_f32; indices.len()];
            gradient.par_chunks_mut(TASK).zip(indices.par_chunks(TASK)).for_each(|(gradient, indices)| {
                for (gradient, &index) in gradient.iter_mut().zip(indices) {
                    let index = usize::try_from(index).unwrap_or_default();
                    *gradient = dot(dy.column(index / x.count), x.column(index % x.count));
                }
            });
            Tensor::from_slice(&gradient)
        })
        .collect()
}

/// The columns of a matrix, each of them contiguous.
struct Columns {
    values: Vec<f32>,
    count: usize,
    length: usize,
}

impl Columns {
    fn of(matrix: &Tensor) -> Self {
        let transposed = matrix.to_kind(Kind::Float).transpose(0, 1).contiguous();
        let mut values = vec![0_f32; transposed.numel()];
        transposed.copy_data(&mut values, transposed.numel());
        let count = usize::try_from(matrix.size()[1]).unwrap_or(0);
        Self { length: values.len() / count.max(1), count, values }
    }

    fn column(&self, at: usize) -> &[f32] {
        &self.values[at * self.length..(at + 1) * self.length]
    }
}

/// The dot product, in the widest registers that this processor has.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features were detected in the line above.
        #[allow(unsafe_code)]
        return unsafe { dot_avx2(a, b) };
    }
    dot_in_lanes(a, b, |a, b, sum| sum + a * b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    dot_in_lanes(a, b, f32::mul_add)
}

/// Sums in 32 lanes, which the compiler keeps in registers.
#[inline(always)]
#[allow(clippy::inline_always, reason = "so that it is compiled with the features of its caller")]
fn dot_in_lanes(a: &[f32], b: &[f32], multiply_add: impl Fn(f32, f32, f32) -> f32) -> f32 {
    const LANES: usize = 32;
    let mut lanes = [0_f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] = multiply_add(a[lane], b[lane], lanes[lane]);
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[lane] = multiply_add(*a, *b, lanes[lane]);
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(x: &Tensor, dy: &Tensor, indices: &Tensor) -> Tensor {
        let dense = dy.to_kind(Kind::Double).transpose(0, 1).matmul(&x.to_kind(Kind::Double));
        dense.reshape(-1).index_select(0, indices)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn every_way_agrees_with_the_dense_product_in_float64(
            tokens in 1_i64..70, width in 1_i64..40, height in 1_i64..40, share in 0.0..1.0, bfloat16: bool,
        ) {
            let kind = if bfloat16 { Kind::BFloat16 } else { Kind::Float };
            let x = Tensor::randn([tokens, width], (kind, Device::Cpu));
            let dy = Tensor::randn([tokens, height], (kind, Device::Cpu));
            let chosen = Tensor::rand([width * height], (Kind::Float, Device::Cpu)).less(share).nonzero().view(-1);
            let expected = exact(&x, &dy, &chosen);
            for way in [sampled_product, dense_then_gather] {
                let gradient = way(&x, &dy, &[&chosen]).remove(0);
                prop_assert_eq!(gradient.size(), expected.size());
                let error = (gradient.to_kind(Kind::Double) - &expected).abs();
                let worst = if error.numel() == 0 { 0.0 } else { error.max().double_value(&[]) };
                prop_assert!(worst < 1e-4 * f64::sqrt(70.0), "{}", worst);
            }
        }
    }

    #[test]
    fn cohorts_come_back_apart_and_the_dense_way_works_in_blocks() {
        let x = Tensor::randn([2, 5, 4096], (Kind::Float, Device::Cpu));
        let dy = Tensor::randn([2, 5, 2048], (Kind::Float, Device::Cpu));
        let every = |step: i64| Tensor::arange_start_step(0, 4096 * 2048, step, (Kind::Int64, Device::Cpu));
        let cohorts = [every(7919), every(15)];
        let together = sampled(&x, &dy, cohorts.iter());
        for (gradient, indices) in together.iter().zip(&cohorts) {
            let expected = exact(&x.view([10, -1]), &dy.view([10, -1]), indices);
            assert!((gradient - expected).abs().max().double_value(&[]) < 1e-4);
        }
    }
}
