//! The dense gradient of a weight, block by block, and a gather from each block.

use tch::{Device, Kind, Tensor};

/// Most scalars of the dense gradient that exist at a time.
const BLOCK_SCALARS: i64 = 1 << 22;
/// As `BLOCK_SCALARS`, on an NVIDIA device, which small products do not keep busy.
const BLOCK_SCALARS_ON_CUDA: i64 = 1 << 24;

/// The gradient at flat, sorted `indices` of a weight of shape `[out, in]`, by libtorch's matrix product; `f32`, one
/// tensor for each cohort.
///
/// `input` is `[.., in]` and `output_gradient` `[.., out]`, with the same leading dimensions, on any device.
#[must_use]
pub fn dense_then_gather(input: &Tensor, output_gradient: &Tensor, indices: &[&Tensor]) -> Vec<Tensor> {
    if indices.iter().all(|indices| indices.numel() == 0) {
        return indices.iter().map(|_| Tensor::zeros([0], (Kind::Float, input.device()))).collect();
    }
    let (x, dy) = operands(input, output_gradient);
    let (width, height) = (x.size()[1], dy.size()[1]);
    let most = if x.device().is_cuda() { BLOCK_SCALARS_ON_CUDA } else { BLOCK_SCALARS };
    let block = (most / width).clamp(1, height);
    if block == height {
        let dense = product(&dy, &x);
        return indices.iter().map(|indices| dense.index_select(0, indices)).collect();
    }
    let firsts: Vec<i64> = (0..height).step_by(usize::try_from(block).unwrap_or(1)).collect();
    // The position of each block's first scalar; all are looked up in one call, since each result from a device is a
    // synchronization.
    let bounds =
        Tensor::from_slice(&firsts.iter().map(|first| first * width).collect::<Vec<_>>()).to_device(x.device());
    let starts = |indices: &&Tensor| {
        let found = bounds.searchsorted(indices, false, false, "left", None::<Tensor>);
        let mut starts: Vec<i64> = Vec::try_from(found.to_device(Device::Cpu)).unwrap_or_default();
        starts.push(indices.numel().cast_signed() as i64);
        starts
    };
    let starts: Vec<Vec<i64>> = indices.iter().map(starts).collect();
    let mut parts: Vec<Vec<Tensor>> = indices.iter().map(|_| Vec::new()).collect();
    for (at, first) in firsts.into_iter().enumerate() {
        let dense = product(&dy.narrow(1, first, block.min(height - first)), &x);
        for ((indices, starts), parts) in indices.iter().zip(&starts).zip(&mut parts) {
            let (from, to) = (starts[at], starts[at + 1]);
            parts.push(dense.index_select(0, &(indices.narrow(0, from, to - from) - first * width)));
        }
    }
    parts.into_iter().map(|parts| Tensor::cat(&parts, 0)).collect()
}

/// Both operands as matrices, in a dtype whose products are summed in `f32`: their own on an NVIDIA device, else `f32`.
fn operands(input: &Tensor, output_gradient: &Tensor) -> (Tensor, Tensor) {
    let rows = |tensor: &Tensor| tensor.reshape([-1, tensor.size().last().copied().unwrap_or(1)]);
    let (x, dy) = (rows(input), rows(output_gradient));
    let narrow = matches!(x.kind(), Kind::BFloat16 | Kind::Half) && dy.kind() == x.kind();
    if narrow && x.device().is_cuda() { (x, dy) } else { (x.to_kind(Kind::Float), dy.to_kind(Kind::Float)) }
}

/// `dy' x`, flat, `f32`.
fn product(dy: &Tensor, x: &Tensor) -> Tensor {
    let dy = dy.transpose(0, 1);
    if x.kind() == Kind::Float { dy.matmul(x) } else { dy.mm_dtype(x, Kind::Float) }.view(-1)
}
