//! The whole gradient of a weight, block by block, and a gather from each.

use tch::{Kind, Tensor};

/// Rows of the dense gradient that exist at a time, at the most: this many scalars.
const BLOCK_SCALARS: i64 = 1 << 22;

/// The gradient at flat, sorted `indices` of a weight of shape `[out, in]`, by libtorch's matrix product; `f32`, one tensor
/// for each cohort.
///
/// `input` is `[.., in]` and `output_gradient` `[.., out]`, with the same leading dimensions, on any device.
#[must_use]
pub fn dense_then_gather(input: &Tensor, output_gradient: &Tensor, indices: &[&Tensor]) -> Vec<Tensor> {
    if indices.iter().all(|indices| indices.numel() == 0) {
        return indices.iter().map(|_| Tensor::zeros([0], (Kind::Float, input.device()))).collect();
    }
    let rows = |tensor: &Tensor| tensor.reshape([-1, tensor.size().last().copied().unwrap_or(1)]).to_kind(Kind::Float);
    let (x, dy) = (rows(input), rows(output_gradient));
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
