//! An optimizer's update in one pass: moments, delta, cast, and the write into the weight.
//!
//! Done one by one by libtorch, the ten operations read and write a million scalars some thirty times.

mod device;

use half::bf16;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::{AdamW, Cast, Cohort};
use crate::permutation::mix;

/// Scalars that one task updates.
const TASK: usize = 1 << 14;

/// What one update is made with, the same for all scalars of a cohort.
#[derive(Clone, Copy)]
struct Factors {
    /// Of the gradient.
    scale: f32,
    keep: [f32; 2],
    /// Of the delta, before the step.
    decay: f32,
    /// Of the second moment's root.
    correction: f32,
    epsilon: f32,
    rate: f32,
}

pub use device::prepare;

/// Updates a cohort and writes its new values into `weight` (flat); whether that was possible: on the CPU for weights in
/// `float32` or `bfloat16`, on an NVIDIA device in `float16` too. The results are those of the same operations one by one.
pub(super) fn update(
    cohort: &mut Cohort,
    weight: &Tensor,
    gradient: &Tensor,
    (adamw, rate, scale): (&AdamW, f64, f64),
    age: u64,
    cast: Cast,
) -> bool {
    let (kind, device) = (weight.kind(), weight.device());
    let plain =
        |tensor: &Tensor, kind: Kind| tensor.device() == device && tensor.kind() == kind && tensor.is_contiguous();
    let floats = [&cohort.delta, &cohort.first, &cohort.second, gradient];
    let possible = floats.iter().all(|tensor| plain(tensor, Kind::Float))
        && plain(weight, kind)
        && plain(&cohort.original, kind)
        && plain(&cohort.indices, Kind::Int64);
    let factors = Factors::new(adamw, rate, scale, age);
    match (device, kind) {
        (Device::Cuda(device), _) if possible => {
            return device::update(device, cohort, weight, gradient, factors, cast);
        }
        (Device::Cpu, Kind::Float) if possible => run::<f32>(cohort, weight, gradient, factors, cast),
        (Device::Cpu, Kind::BFloat16) if possible => run::<bf16>(cohort, weight, gradient, factors, cast),
        _ => return false,
    }
    true
}

impl Factors {
    #[expect(clippy::cast_possible_truncation, reason = "to f32, in which libtorch computes too")]
    fn new(adamw: &AdamW, rate: f64, scale: f64, age: u64) -> Self {
        let [first, second] = adamw.betas.map(|beta| AdamW::correction(beta, age));
        Self {
            scale: scale as f32,
            keep: adamw.betas.map(|beta| (1.0 - beta) as f32),
            decay: (1.0 - rate * adamw.weight_decay) as f32,
            correction: second.sqrt() as f32,
            epsilon: adamw.epsilon as f32,
            rate: (rate / first) as f32,
        }
    }
}

/// A scalar of a weight.
trait Scalar: Copy + Send + Sync {
    fn to_f32(self) -> f32;
    /// Position is that among the cohort's scalars.
    fn cast(value: f32, cast: Cast, position: u64) -> Self;
}

impl Scalar for f32 {
    fn to_f32(self) -> f32 {
        self
    }

    fn cast(value: f32, _: Cast, _: u64) -> Self {
        value
    }
}

impl Scalar for bf16 {
    fn to_f32(self) -> f32 {
        bf16::to_f32(self)
    }

    fn cast(value: f32, cast: Cast, position: u64) -> Self {
        match cast {
            Cast::Nearest => Self::from_f32(value),
            Cast::Stochastic { key } => {
                let noise = (mix(key ^ mix(position)) & 0xffff) as u32;
                Self::from_bits((value.to_bits().wrapping_add(noise) >> 16) as u16)
            }
        }
    }
}

/// A tensor's memory, which several tasks touch at places of their own.
struct Memory<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: tasks touch disjoint places: ranges of a cohort, and a weight at that cohort's distinct indices.
#[allow(unsafe_code)]
unsafe impl<T> Sync for Memory<T> {}

impl<T> Memory<T> {
    /// Of a contiguous tensor on the CPU whose elements are `T`.
    fn of(tensor: &Tensor) -> Self {
        Self { start: tensor.data_ptr().cast(), len: tensor.numel() }
    }

    /// The elements `from..to`.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    unsafe fn range(&self, from: usize, to: usize) -> &mut [T] {
        debug_assert!(from <= to && to <= self.len);
        // SAFETY: within the tensor, and the caller is the only one who touches this range.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), to - from) }
    }

    /// Writes one element; an index outside is ignored.
    #[allow(unsafe_code)]
    unsafe fn write(&self, index: i64, value: T) {
        if let Some(place) = usize::try_from(index).ok().filter(|&place| place < self.len) {
            // SAFETY: within the tensor, and the caller is the only one who touches this place.
            unsafe { self.start.add(place).write(value) };
        }
    }
}

#[allow(unsafe_code)]
fn run<T: Scalar>(cohort: &mut Cohort, weight: &Tensor, gradient: &Tensor, factors: Factors, cast: Cast) {
    let len = cohort.indices.numel();
    let (delta, first, second) =
        (Memory::<f32>::of(&cohort.delta), Memory::<f32>::of(&cohort.first), Memory::<f32>::of(&cohort.second));
    let (gradient, indices) = (Memory::<f32>::of(gradient), Memory::<i64>::of(&cohort.indices));
    let (original, weight) = (Memory::<T>::of(&cohort.original), Memory::<T>::of(weight));
    (0..len.div_ceil(TASK)).into_par_iter().for_each(|task| {
        let (from, to) = (task * TASK, len.min((task + 1) * TASK));
        // SAFETY: each task has its own range.
        let (delta, moments, gradient) = unsafe {
            (delta.range(from, to), [first.range(from, to), second.range(from, to)], &*gradient.range(from, to))
        };
        step(delta, moments, gradient, factors);
        // SAFETY: as above; nobody writes to these.
        let (original, indices) = unsafe { (&*original.range(from, to), &*indices.range(from, to)) };
        for (at, ((delta, original), &index)) in delta.iter().zip(original).zip(indices).enumerate() {
            let value = T::cast(original.to_f32() + delta, cast, (from + at) as u64);
            // SAFETY: the indices of a cohort are distinct.
            unsafe { weight.write(index, value) };
        }
    });
}

/// `AdamW` on one range, in the order of operations of [`AdamW::update`].
fn step(delta: &mut [f32], [first, second]: [&mut [f32]; 2], gradient: &[f32], factors: Factors) {
    let Factors { scale, keep, decay, correction, epsilon, rate } = factors;
    for (((delta, first), second), gradient) in delta.iter_mut().zip(first).zip(second).zip(gradient) {
        let gradient = gradient * scale;
        *first += keep[0] * (gradient - *first);
        *second += keep[1] * (gradient * gradient - *second);
        let denominator = second.sqrt() / correction + epsilon;
        *delta = *delta * decay - *first / denominator * rate;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cohort(weight: &Tensor, every: i64) -> Cohort {
        let indices =
            Tensor::arange_start_step(0, weight.numel().cast_signed() as i64, every, (Kind::Int64, Device::Cpu));
        let delta = Tensor::zeros([indices.numel().cast_signed() as i64], (Kind::Float, Device::Cpu));
        Cohort::newborn(3, indices.copy(), weight.index_select(0, &indices), delta)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn one_pass_gives_what_the_operations_give_one_by_one(
            size in 1_i64..40_000, every in 1_i64..5, narrow: bool, stochastic: bool, decay in 0.0..2.0, clip in 0.1..1.0,
        ) {
            let kind = if narrow { Kind::BFloat16 } else { Kind::Float };
            let adamw = AdamW { betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: decay };
            let start = Tensor::randn([size], (kind, Device::Cpu));
            let (one, mut other) = (start.copy(), start.copy());
            let (mut fused, mut plain) = (cohort(&one, every), cohort(&other, every));
            for step in 4..8_u64 {
                let gradient = Tensor::randn([fused.indices.numel().cast_signed() as i64], (Kind::Float, Device::Cpu));
                let cast = if stochastic { Cast::Stochastic { key: step } } else { Cast::Nearest };
                let age = step - fused.born;
                prop_assert!(update(&mut fused, &one, &gradient, (&adamw, 1e-2, clip), age, cast));
                plain.update(&adamw, &(&gradient * clip), 1e-2, step);
                let _ = other.index_copy_(0, &plain.indices, &plain.values(cast));
            }
            let apart = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
            prop_assert!(apart(&fused.delta, &plain.delta) < 1e-6);
            prop_assert!(apart(&fused.second, &plain.second) < 1e-6);
            // A delta that differs in its last bit may round to the other side.
            let close = if narrow { 0.04 } else { 1e-6 };
            prop_assert!(apart(&one.to_kind(Kind::Float), &other.to_kind(Kind::Float)) < close);
            prop_assert!(one.not_equal_tensor(&start).sum(Kind::Int64).int64_value(&[]) <= 1 + size / every);
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let adamw = AdamW { betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1 };
        let numbers = |count: u16| (0..count).map(|at| (f32::from(at) * 0.37).sin()).collect::<Vec<f32>>();
        let with = |threads: usize| -> Vec<f32> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let weight = Tensor::from_slice(&numbers(60_000));
                let mut cohort = cohort(&weight, 2);
                let gradient = Tensor::from_slice(&numbers(30_000));
                assert!(update(&mut cohort, &weight, &gradient, (&adamw, 1e-3, 1.0), 1, Cast::Nearest));
                Vec::try_from(weight).unwrap()
            })
        };
        assert_eq!(with(1), with(3));
    }
}
