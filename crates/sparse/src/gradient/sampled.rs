//! The sampled product on the CPU: from tensors to kernels.

use half::bf16;
use tch::{Device, Kind, Tensor};

use super::Product;
#[cfg(target_arch = "x86_64")]
use super::kernel::{Avx2, Avx512, Avx512Bf16};
use super::kernel::{Kernel, Portable};
use super::line::Rows;
use super::part::{Cohort, Strip};
use super::plan::{Site, share_out};
use crate::memory::{Stored, values, values_mut};
use crate::threads;

/// The gradients of products on the CPU, for each product one tensor for each cohort. Unless all operands are `bf16`,
/// they are converted to `f32`.
pub fn sampled(products: &[&Product<'_>]) -> Vec<Vec<Tensor>> {
    let threads = threads::count();
    if products.iter().all(|product| product.is_half()) {
        in_bf16(products, threads)
    } else {
        in_f32(products, threads)
    }
}

fn in_bf16(products: &[&Product<'_>], threads: usize) -> Vec<Vec<Tensor>> {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = Avx512Bf16::detect() {
        return compute(kernel, products, threads);
    } else if let Some(kernel) = Avx2::<bf16>::detect() {
        return compute(kernel, products, threads);
    }
    compute(Portable::<bf16>::new(), products, threads)
}

fn in_f32(products: &[&Product<'_>], threads: usize) -> Vec<Vec<Tensor>> {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = Avx512::detect() {
        return compute(kernel, products, threads);
    } else if let Some(kernel) = Avx2::<f32>::detect() {
        return compute(kernel, products, threads);
    }
    compute(Portable::<f32>::new(), products, threads)
}

/// Density above which the dense product and a gather are faster on this processor.
///
/// From `benches/gradient.rs` with two threads, 512 x 1408. On a Zen 4, 256 to 4096 tokens, both algorithms took the
/// same time at 0.37 to 0.43 in `f32`, and at some 0.85 from `bf16`, which the dense product has to widen to sum in
/// `f32`. Where dense products are two to three times as fast: 0.3 and 0.5 on a Zen 5, 0.3 and 0.37 on a Xeon with AMX
/// (Emerald Rapids). The bounds of other x86 processors follow from how much slower their kernels were on the Zen 4, at
/// 0.3, on one thread; on those that are not x86 nothing was measured.
#[cfg(target_arch = "x86_64")]
pub fn dense_above(half: bool) -> f64 {
    let best = if half { Avx512Bf16::detect().is_some() } else { Avx512::detect().is_some() };
    if !best {
        return if Avx2::<f32>::detect().is_some() { 0.3 } else { 0.15 };
    }
    let (of_float, of_half) = if has_amx() {
        (0.3, 0.37)
    } else if is_zen_5() {
        (0.3, 0.5)
    } else {
        (0.4, 0.85)
    };
    if half { of_half } else { of_float }
}

#[cfg(not(target_arch = "x86_64"))]
pub fn dense_above(_half: bool) -> f64 {
    0.15
}

/// Whether the processor has AMX, and with it two units for vectors of 512 bits.
#[cfg(target_arch = "x86_64")]
fn has_amx() -> bool {
    const TILES: u32 = 1 << 24;
    let (most, _) = std::arch::x86_64::__get_cpuid_max(0);
    most >= 7 && std::arch::x86_64::__cpuid_count(7, 0).edx & TILES != 0
}

/// Whether the processor is of AMD's family that has units for vectors of 512 bits, and not halves of them in turn.
#[cfg(target_arch = "x86_64")]
fn is_zen_5() -> bool {
    let version = std::arch::x86_64::__cpuid(1).eax;
    let (family, extension) = (version >> 8 & 0xf, version >> 20 & 0xff);
    family == 0xf && family + extension == 0x1a
}

/// Computes the products by this kernel; operands are converted to its dtype.
pub(super) fn compute<K: Kernel>(kernel: K, products: &[&Product<'_>], threads: usize) -> Vec<Vec<Tensor>> {
    let mut operands = Operands::of(products, K::Scalar::KIND);
    let sites = operands.iter_mut().map(Operands::site::<K::Scalar>).collect();
    let mut tasks = share_out(sites, threads);
    threads::each(&mut tasks, threads, |parts| parts.iter_mut().for_each(|part| part.compute(kernel)));
    drop(tasks);
    operands.into_iter().map(|operands| operands.gradients).collect()
}

/// Contiguous matrices of one dtype, and buffers for the gradients.
struct Operands {
    input: Tensor,
    output_gradient: Tensor,
    indices: Vec<Tensor>,
    gradients: Vec<Tensor>,
}

impl Operands {
    fn of(products: &[&Product<'_>], kind: Kind) -> Vec<Self> {
        let mut operands: Vec<Self> = Vec::with_capacity(products.len());
        for (at, product) in products.iter().enumerate() {
            // Consecutive products that share an input convert its dtype or layout once.
            let shared = at.checked_sub(1).filter(|before| is_same(products[*before].input, product.input));
            operands.push(Self {
                input: shared.map_or_else(|| matrix(product.input, kind), |at| operands[at].input.shallow_clone()),
                output_gradient: matrix(product.output_gradient, kind),
                indices: product.indices.iter().map(|indices| indices.contiguous()).collect(),
                gradients: product
                    .indices
                    .iter()
                    .map(|indices| Tensor::zeros(indices.size(), (Kind::Float, Device::Cpu)))
                    .collect(),
            });
        }
        operands
    }

    fn site<T: Stored>(&mut self) -> Site<'_, T> {
        let cohort = |(indices, gradient)| Cohort { indices: values(indices), gradient: values_mut(gradient) };
        Site {
            input: rows(&self.input),
            rows: Strip {
                output_gradient: rows(&self.output_gradient),
                first: 0,
                cohorts: self.indices.iter().zip(&mut self.gradients).map(cohort).collect(),
            },
        }
    }
}

/// `[.., width]` as a contiguous `[tokens, width]`.
fn matrix(tensor: &Tensor, kind: Kind) -> Tensor {
    let width = tensor.size().last().copied().unwrap_or(1);
    tensor.reshape([-1, width]).to_kind(kind).contiguous()
}

/// Whether both tensors are the same scalars in memory.
fn is_same(one: &Tensor, other: &Tensor) -> bool {
    let layout = |tensor: &Tensor| (tensor.data_ptr(), tensor.kind(), tensor.size(), tensor.stride());
    layout(one) == layout(other)
}

fn rows<T: Stored>(tensor: &Tensor) -> Rows<'_, T> {
    let size = |at: usize| usize::try_from(tensor.size()[at]).unwrap_or_default();
    Rows { values: values(tensor), width: size(1), columns: size(1), tokens: size(0) }
}
