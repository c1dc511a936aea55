//! The optimizer's update in one pass: moments, delta, cast, and the write into the weight.
//!
//! As separate operations of libtorch, the ten operations read and write a million scalars some thirty times. What
//! remains is mostly the memory access to the weights: where one scalar in a hundred trains, each lies in a cache line,
//! and nearly every tenth in a page, of its own. So the lines are prefetched while other scalars are computed, and are
//! not written where the cast value stays the same.
#![allow(clippy::inline_always, reason = "all of it is compiled for each kind of processor, see `wide`")]
#![allow(clippy::cast_possible_truncation, reason = "bits are taken apart")]

mod device;

use half::bf16;
use tch::{Kind, Tensor};

use super::memory::{Cache, is_plain, prefetch, values, values_mut};
use super::optimizer::ATAN2;
use super::scalar::Scalar;
use super::{Cast, Cohort, Optimizer, Rule, threads, wide};
use spartui_facts::permutation::mix;

pub use device::prepare;

/// Scalars that one thread updates at a time.
const TASK: usize = 1 << 13;

/// Scalars that are computed, and whose weights are prefetched, at a time: no more than the outstanding loads of a
/// core.
const BLOCK: usize = 16;

/// Blocks that are computed between the prefetch of a block's weights and the writes to them.
const AHEAD: usize = 4;

/// If more than one scalar in this many trains, all values are written, changed or not.
const CROWDED: usize = 10;

/// The pending update of a cohort.
pub(super) struct CohortUpdate<'a> {
    pub cohort: &'a mut Cohort,
    /// Flat.
    pub weight: &'a Tensor,
    /// `f32`, of the cohort's length.
    pub gradient: &'a Tensor,
    /// Number of updates of these scalars, this one included.
    pub age: u64,
    pub cast: Cast,
    /// Whether the weight now holds `original + delta` rounded to nearest.
    pub was_nearest: bool,
}

/// Updates cohorts and writes their new values into their weights. Supported are weights in `float32` or `bfloat16` on
/// the CPU, and in `float16` too on an NVIDIA device; the other cohorts are returned. The results are those of the same
/// operations done separately.
pub(super) fn update<'a>(
    due: Vec<CohortUpdate<'a>>,
    optimizer: &Optimizer,
    (rate, scale): (f64, f64),
) -> Vec<CohortUpdate<'a>> {
    let (mut possible, others): (Vec<_>, Vec<_>) = due.into_iter().partition(CohortUpdate::is_possible);
    update_on(&mut possible, optimizer, (rate, scale), threads::count());
    let on_device = |due: &CohortUpdate<'a>| device::update(due, Factors::new(optimizer, rate, scale, due.age));
    others.into_iter().filter(|due| !on_device(due)).collect()
}

fn update_on(due: &mut [CohortUpdate<'_>], optimizer: &Optimizer, (rate, scale): (f64, f64), threads: usize) {
    let (mut floats, mut halves) = (Vec::new(), Vec::new());
    for due in due {
        let factors = Factors::new(optimizer, rate, scale, due.age);
        match due.weight.kind() {
            Kind::BFloat16 => due.cut::<bf16>(factors, &mut halves),
            _ => due.cut::<f32>(factors, &mut floats),
        }
    }
    threads::each(&mut floats, threads, |task| wide::run(task));
    threads::each(&mut halves, threads, |task| wide::run(task));
}

/// The coefficients of one update, the same for all scalars of a cohort.
#[derive(Clone, Copy)]
struct Factors {
    /// Factor of the gradient.
    scale: f32,
    /// `1 - beta` of both moments.
    keep: [f32; 2],
    /// Factor of the delta before the step, from weight decay.
    decay: f32,
    rule: Rule,
    /// Divisors of the first moment and of the second moment's root, from bias correction. That of the first moment is a
    /// part of `rate` where the rule allows it.
    correction: [f32; 2],
    epsilon: f32,
    rate: f32,
}

impl Factors {
    #[expect(clippy::cast_possible_truncation, reason = "to f32, in which libtorch computes too")]
    fn new(optimizer: &Optimizer, rate: f64, scale: f64, age: u64) -> Self {
        let [first, second] = optimizer.betas.map(|beta| Optimizer::correction(beta, age));
        let (first, factor) = match optimizer.rule {
            Rule::AdamW => (1.0, rate / first),
            Rule::AdamAtan2 => (first, rate * ATAN2),
        };
        Self {
            scale: scale as f32,
            keep: optimizer.betas.map(|beta| (1.0 - beta) as f32),
            decay: (1.0 - rate * optimizer.weight_decay) as f32,
            rule: optimizer.rule,
            correction: [first as f32, second.sqrt() as f32],
            epsilon: optimizer.epsilon as f32,
            rate: factor as f32,
        }
    }
}

/// A chunk of one cohort.
struct Task<'a, T> {
    factors: Factors,
    cast: Cast,
    /// Whether all values are written, also those that have not changed.
    rewrite: bool,
    /// Position of the first scalar in the cohort.
    position: u64,
    indices: &'a [i64],
    original: &'a [T],
    gradient: &'a [f32],
    delta: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    weight: Weight<T>,
}

/// The memory of a weight. Several tasks write to it, each at indices of its own.
#[derive(Clone, Copy)]
struct Weight<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: tasks write at the distinct indices of a cohort, and cohorts of one weight have no index in common.
#[allow(unsafe_code)]
unsafe impl<T> Send for Weight<T> {}

impl CohortUpdate<'_> {
    fn is_possible(&self) -> bool {
        let cohort = &self.cohort;
        let of_weight = |tensor: &Tensor| match self.weight.kind() {
            Kind::Float => is_plain::<f32>(tensor),
            Kind::BFloat16 => is_plain::<bf16>(tensor),
            _ => false,
        };
        let floats = [&cohort.delta, &cohort.first, &cohort.second, self.gradient];
        floats.iter().all(|tensor| is_plain::<f32>(tensor) && tensor.numel() == cohort.indices.numel())
            && [self.weight, &cohort.original].iter().all(|tensor| of_weight(tensor))
            && is_plain::<i64>(&cohort.indices)
    }

    /// Splits the cohort into tasks.
    fn cut<'b, T: Scalar>(&'b mut self, factors: Factors, tasks: &mut Vec<Task<'b, T>>) {
        let cohort = &mut *self.cohort;
        let weight = Weight { start: self.weight.data_ptr().cast(), len: self.weight.numel() };
        let (indices, original, gradient) = (values(&cohort.indices), values(&cohort.original), values(self.gradient));
        let places = indices.chunks(TASK).zip(original.chunks(TASK)).zip(gradient.chunks(TASK));
        let deltas = values_mut(&mut cohort.delta).chunks_mut(TASK);
        let moments = [&mut cohort.first, &mut cohort.second].map(|moment| values_mut(moment).chunks_mut(TASK));
        let [first, second] = moments;
        // Where each cache line of the weight has several trainable scalars, one of them has nearly always changed.
        let is_crowded = indices.len() * CROWDED > weight.len;
        let rewrite = T::SHOWS_ALL || is_crowded || !self.was_nearest || self.cast != Cast::Nearest;
        let mut position = 0;
        for (((((indices, original), gradient), delta), first), second) in places.zip(deltas).zip(first).zip(second) {
            tasks.push(Task {
                factors,
                cast: self.cast,
                rewrite,
                position,
                indices,
                original,
                gradient,
                delta,
                first,
                second,
                weight,
            });
            position += TASK as u64;
        }
    }
}

/// New values that are not yet written into the weight.
struct Pending<T> {
    len: usize,
    indices: [i64; BLOCK],
    values: [T; BLOCK],
}

impl<T: Scalar> Pending<T> {
    fn new() -> Self {
        Self { len: 0, indices: [0; BLOCK], values: [T::default(); BLOCK] }
    }

    /// Drops the values that have not changed.
    #[inline(always)]
    fn keep_changed(&mut self, before: &[T; BLOCK]) {
        let mut kept = 0;
        for (at, before) in before.iter().enumerate().take(self.len) {
            let (index, value) = (self.indices[at], self.values[at]);
            self.indices[kept] = index;
            self.values[kept] = value;
            kept += usize::from(!value.is_same(*before));
        }
        self.len = kept;
    }
}

impl<T: Scalar> wide::Work for &mut Task<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut in_flight: [Pending<T>; AHEAD] = std::array::from_fn(|_| Pending::new());
        for (block, from) in (0..self.indices.len()).step_by(BLOCK).enumerate() {
            let pending = &mut in_flight[block % AHEAD];
            self.weight.write(pending);
            self.step(from, pending);
            self.weight.prefetch(pending);
        }
        for pending in &in_flight {
            self.weight.write(pending);
        }
    }
}

impl<T: Scalar> Task<'_, T> {
    /// Updates the block of scalars that begins at `from`; the changed values become pending.
    #[inline(always)]
    fn step(&mut self, from: usize, pending: &mut Pending<T>) {
        let block = from..self.indices.len().min(from + BLOCK);
        let (original, delta) = (&self.original[block.clone()], &mut self.delta[block.clone()]);
        let mut before = [T::default(); BLOCK];
        if !self.rewrite {
            cast_nearest(&mut before, original, delta);
        }
        let moments = [&mut self.first[block.clone()], &mut self.second[block.clone()]];
        let gradient = &self.gradient[block.clone()];
        match self.factors.rule {
            Rule::AdamW => adamw(delta, moments, gradient, self.factors),
            Rule::AdamAtan2 => adam_atan2(delta, moments, gradient, self.factors),
        }
        let after = &mut pending.values;
        match self.cast {
            Cast::Nearest => cast_nearest(after, original, delta),
            Cast::Stochastic { key } => cast_stochastic(after, original, delta, key, self.position + from as u64),
        }
        pending.len = block.len();
        pending.indices[..block.len()].copy_from_slice(&self.indices[block]);
        if !self.rewrite {
            pending.keep_changed(&before);
        }
    }
}

#[inline(always)]
fn cast_nearest<T: Scalar>(to: &mut [T; BLOCK], original: &[T], delta: &[f32]) {
    for ((to, original), delta) in to.iter_mut().zip(original).zip(delta) {
        *to = T::nearest(original.to_f32() + delta);
    }
}

/// See [`Cast::Stochastic`]; `position` is the position of the first scalar in the cohort.
#[inline(always)]
fn cast_stochastic<T: Scalar>(to: &mut [T; BLOCK], original: &[T], delta: &[f32], key: u64, position: u64) {
    for (((to, original), delta), position) in to.iter_mut().zip(original).zip(delta).zip(position..) {
        let noise = (mix(key ^ mix(position)) & 0xffff) as u16;
        *to = T::stochastic(original.to_f32() + delta, noise);
    }
}

/// `AdamW` on one range, in the order of operations of [`Optimizer::update`].
#[inline(always)]
fn adamw(delta: &mut [f32], [first, second]: [&mut [f32]; 2], gradient: &[f32], factors: Factors) {
    let Factors { scale, keep, decay, correction: [_, correction], epsilon, rate, .. } = factors;
    for (((delta, first), second), gradient) in delta.iter_mut().zip(first).zip(second).zip(gradient) {
        let gradient = gradient * scale;
        *first += keep[0] * (gradient - *first);
        *second += keep[1] * (gradient * gradient - *second);
        let denominator = second.sqrt() / correction + epsilon;
        *delta = *delta * decay - *first / denominator * rate;
    }
}

/// Adam-atan2 on one range; see [`Optimizer::update`].
#[inline(always)]
fn adam_atan2(delta: &mut [f32], [first, second]: [&mut [f32]; 2], gradient: &[f32], factors: Factors) {
    let Factors { scale, keep, decay, correction, rate, .. } = factors;
    for (((delta, first), second), gradient) in delta.iter_mut().zip(first).zip(second).zip(gradient) {
        let gradient = gradient * scale;
        *first += keep[0] * (gradient - *first);
        *second += keep[1] * (gradient * gradient - *second);
        let angle = arc_tangent(*first / correction[0], second.sqrt() / correction[1]);
        *delta = *delta * decay - angle * rate;
    }
}

/// The arc tangent of a quotient whose denominator is not negative, 0 of 0 over 0; to the last bit or two. It is computed
/// without a branch, in vectors, by the polynomial of Cephes' `atanf` (Moshier, 1992), and in this order on a device too.
#[inline(always)]
fn arc_tangent(numerator: f32, denominator: f32) -> f32 {
    // The tangents of three and of one eighth of pi.
    const ABOVE: f32 = 2.414_213_6;
    const MIDDLE: f32 = 0.414_213_57;
    const SERIES: [f32; 4] = [8.053_744_6e-2, -1.387_768_6e-1, 1.997_771_1e-1, -3.333_295e-1];
    let size = numerator.abs();
    let (above, middle) = (size > ABOVE * denominator, size > MIDDLE * denominator);
    let (base, top, bottom) = if above {
        (std::f32::consts::FRAC_PI_2, -denominator, size)
    } else if middle {
        (std::f32::consts::FRAC_PI_4, size - denominator, size + denominator)
    } else {
        (0.0, size, denominator)
    };
    let x = top / if bottom == 0.0 { 1.0 } else { bottom };
    let square = x * x;
    let series = ((SERIES[0] * square + SERIES[1]) * square + SERIES[2]) * square + SERIES[3];
    (base + (series * square * x + x)).copysign(numerator)
}

impl<T: Scalar> Weight<T> {
    /// The address of a scalar; none for an index outside the weight.
    #[inline(always)]
    fn place(self, index: i64) -> Option<*mut T> {
        let place = usize::try_from(index).ok().filter(|&place| place < self.len)?;
        Some(self.start.wrapping_add(place))
    }

    #[inline(always)]
    fn prefetch(self, pending: &Pending<T>) {
        for index in &pending.indices[..pending.len] {
            prefetch(self.start.wrapping_offset(*index as isize), Cache::Second);
        }
    }

    #[inline(always)]
    fn write(self, pending: &Pending<T>) {
        for (index, value) in pending.indices[..pending.len].iter().zip(&pending.values) {
            if let Some(place) = self.place(*index) {
                // SAFETY: within the tensor; and nobody else writes to this place, since indices are distinct.
                #[allow(unsafe_code)]
                unsafe {
                    place.write(*value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::Device;

    use super::*;
    fn cohort(weight: &Tensor, every: i64) -> Cohort {
        let indices =
            Tensor::arange_start_step(0, weight.numel().cast_signed() as i64, every, (Kind::Int64, Device::Cpu));
        let delta = Tensor::zeros([indices.numel().cast_signed() as i64], (Kind::Float, Device::Cpu));
        Cohort::newborn(3, indices.copy(), weight.index_select(0, &indices), delta)
    }

    fn update_one(
        cohort: &mut Cohort,
        weight: &Tensor,
        gradient: &Tensor,
        (optimizer, rate, scale): (&Optimizer, f64, f64),
        (age, cast, was_nearest): (u64, Cast, bool),
        threads: usize,
    ) {
        let mut due = [CohortUpdate { cohort, weight, gradient, age, cast, was_nearest }];
        assert!(due[0].is_possible());
        update_on(&mut due, optimizer, (rate, scale), threads);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn one_pass_gives_what_the_operations_give_one_by_one(
            size in 1_i64..40_000, every in 1_i64..5, narrow: bool, stochastic: bool, decay in 0.0..2.0, clip in 0.1..1.0,
            rate in prop::sample::select(vec![1e-2, 1e-5]), rule in prop::sample::select(vec![Rule::AdamW, Rule::AdamAtan2]),
        ) {
            let kind = if narrow { Kind::BFloat16 } else { Kind::Float };
            let optimizer = Optimizer { rule, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: decay };
            let start = Tensor::randn([size], (kind, Device::Cpu));
            let (one, mut other) = (start.copy(), start.copy());
            let (mut fused, mut plain) = (cohort(&one, every), cohort(&other, every));
            for step in 4..8_u64 {
                let gradient = Tensor::randn([fused.indices.numel().cast_signed() as i64], (Kind::Float, Device::Cpu));
                let cast = if stochastic { Cast::Stochastic { key: step } } else { Cast::Nearest };
                let age = step - fused.born;
                let of_step = (age, cast, !stochastic || step == 4);
                update_one(&mut fused, &one, &gradient, (&optimizer, rate, clip), of_step, 2);
                plain.update(&optimizer, &(&gradient * clip), rate, step);
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
    fn the_arc_tangent_is_that_of_the_standard_library() {
        let sizes = || (-60..60).map(|at| 1.618_f32.powi(at)).chain([0.0, 1e-30, 1.0, f32::MAX]);
        for (numerator, denominator) in sizes().flat_map(|one| sizes().map(move |other| (one, other))) {
            for numerator in [numerator, -numerator] {
                let (found, expected) = (arc_tangent(numerator, denominator), numerator.atan2(denominator));
                let close = 3e-7 * expected.abs() + f32::MIN_POSITIVE;
                assert!((found - expected).abs() <= close, "{numerator} {denominator}: {found}, not {expected}");
            }
        }
        assert_eq!(arc_tangent(0.0, 0.0), 0.0);
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1 };
        let numbers = |count: u16| (0..count).map(|at| (f32::from(at) * 0.37).sin()).collect::<Vec<f32>>();
        let with = |threads: usize| -> Vec<f32> {
            let weight = Tensor::from_slice(&numbers(60_000));
            let mut cohort = cohort(&weight, 2);
            let gradient = Tensor::from_slice(&numbers(30_000));
            update_one(&mut cohort, &weight, &gradient, (&optimizer, 1e-3, 1.0), (1, Cast::Nearest, true), threads);
            Vec::try_from(weight).unwrap()
        };
        assert_eq!(with(1), with(3));
    }
}
