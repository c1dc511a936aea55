//! Cross-entropy over many classes, with its gradient written in place of the logits.
//!
//! For a large vocabulary libtorch's own reads and writes the logits a dozen times: widened, as log-softmax, as the
//! gradient of that, narrowed. Here each row is read once and written once, and computed in the cache in between.
#![allow(clippy::inline_always, reason = "compiled for each kind of processor, see `wide`")]

use std::cell::RefCell;

use half::bf16;
use tch::{Kind, Tensor};

use spartui_sparse::memory::{is_plain, values, values_mut};
use spartui_sparse::scalar::Scalar;
use spartui_sparse::{threads, wide};

/// Whether [`cross_entropy`] supports these logits: `f32` or `bf16`, contiguous, on the CPU.
pub fn is_possible(logits: &Tensor) -> bool {
    is_plain::<f32>(logits) || is_plain::<bf16>(logits)
}

/// The sum of the losses of `logits`, `[rows, classes]`, with the targets `[rows]`, `i64`. Overwrites the logits with
/// `weight` times the gradient of that sum.
pub fn cross_entropy(logits: &mut Tensor, targets: &Tensor, weight: f64) -> f64 {
    match logits.kind() {
        Kind::BFloat16 => compute::<bf16>(logits, targets, weight),
        _ => compute::<f32>(logits, targets, weight),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "to f32, in which gradients are computed")]
fn compute<T: Scalar>(logits: &mut Tensor, targets: &Tensor, weight: f64) -> f64 {
    thread_local! {
        static BUFFER: RefCell<Vec<f32>> = RefCell::default();
    }
    let classes = logits.numel() / targets.numel().max(1);
    let targets = targets.contiguous();
    let rows = values_mut::<T>(logits).chunks_exact_mut(classes.max(1)).zip(values::<i64>(&targets));
    let mut rows: Vec<_> = rows.map(|(logits, &target)| (logits, target, 0.0)).collect();
    threads::each(&mut rows, threads::count(), |(logits, target, loss)| {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(classes, 0.0);
            let target = usize::try_from(*target).unwrap_or(usize::MAX);
            *loss = wide::run(Row { logits, buffer, target, weight: weight as f32 });
        });
    });
    rows.iter().map(|(.., loss)| loss).sum()
}

/// One row of logits; `buffer` has their length.
struct Row<'a, T> {
    logits: &'a mut [T],
    buffer: &'a mut [f32],
    target: usize,
    weight: f32,
}

/// Number of partial sums and maxima, for vectorization.
const LANES: usize = 32;

/// Scalars that are summed in `f32` before the sum is added in `f64`.
const STRETCH: usize = 1024;

impl<T: Scalar> wide::Work for Row<'_, T> {
    /// The loss.
    type Output = f64;

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "to f32, in which gradients are computed")]
    fn run(self) -> f64 {
        let Self { logits, buffer, target, weight } = self;
        for (wide, logit) in buffer.iter_mut().zip(&*logits) {
            *wide = logit.to_f32();
        }
        let greatest = greatest(buffer);
        let of_target = buffer.get(target).copied().unwrap_or(f32::NAN);
        let mut sum = 0.0;
        for stretch in buffer.chunks_mut(STRETCH) {
            sum += exponentials(stretch, greatest);
        }
        let factor = (f64::from(weight) / sum) as f32;
        for (logit, exponential) in logits.iter_mut().zip(&*buffer) {
            *logit = T::nearest(exponential * factor);
        }
        if let (Some(logit), Some(exponential)) = (logits.get_mut(target), buffer.get(target)) {
            *logit = T::nearest(exponential * factor - weight);
        }
        sum.ln() + f64::from(greatest) - f64::from(of_target)
    }
}

#[inline(always)]
fn greatest(values: &[f32]) -> f32 {
    let greater = |one: f32, other: f32| if one > other { one } else { other };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for values in values.chunks(LANES) {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane = greater(*value, *lane);
        }
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, greater)
}

/// Replaces each value by `exp(value - greatest)`. Returns the sum of these.
#[inline(always)]
fn exponentials(values: &mut [f32], greatest: f32) -> f64 {
    let mut lanes = [0.0; LANES];
    for values in values.chunks_mut(LANES) {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *value = exp(*value - greatest);
            *lane += *value;
        }
    }
    lanes.into_iter().map(f64::from).sum()
}

/// `exp(x)` for `x` not above 0; within two units in the last place, and 0 below the normal numbers. In a form that
/// vectorizes: a power of 2 times a Taylor polynomial, whose next term is below 1e-8.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: added to a small number, its lowest bits are that number, rounded.
    const ROUNDING: f32 = 12_582_912.0;
    /// The logarithm of 2 in two parts, of which the first has bits to spare.
    const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];
    let rounded = x * std::f32::consts::LOG2_E + ROUNDING;
    let whole = rounded - ROUNDING;
    let rest = x - whole * LN_2[0] - whole * LN_2[1];
    let mut series = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * rest + coefficient;
    }
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    if x < -87.0 { 0.0 } else { series * power }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::{Device, Reduction};

    use super::*;

    #[test]
    fn exp_is_right_to_the_last_places() {
        for step in 0..870_000_u32 {
            #[expect(clippy::cast_possible_truncation, reason = "any f32 serves")]
            let x = (-1e-4 * f64::from(step)) as f32;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 2.5e-7, "{x}");
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn loss_and_gradient_are_those_of_libtorch(
            rows in 1_i64..9, classes in 1_i64..3000, spread in 0.1_f64..30.0, weight in 0.01_f64..2.0, half: bool,
        ) {
            let kind = if half { Kind::BFloat16 } else { Kind::Float };
            let logits = (Tensor::randn([rows, classes], (Kind::Float, Device::Cpu)) * spread).to_kind(kind);
            let targets = Tensor::randint(classes, [rows], (Kind::Int64, Device::Cpu));
            let exact = logits.to_kind(Kind::Double).set_requires_grad(true);
            let loss = exact.cross_entropy_loss::<Tensor>(&targets, None, Reduction::Sum, -100, 0.0) * weight;
            let expected = Tensor::run_backward(&[&loss], &[&exact], false, false).remove(0);
            let mut gradient = logits.copy();
            let sum = cross_entropy(&mut gradient, &targets, weight);
            let loss = loss.double_value(&[]);
            prop_assert!((sum * weight - loss).abs() <= 1e-6 * loss.abs() + 1e-6, "{sum} {loss}");
            let apart = (gradient.to_kind(Kind::Double) - &expected).abs();
            let allowed = expected.abs() * if half { 0.004 } else { 1e-6 } + 1e-7;
            prop_assert!((apart - allowed).max().double_value(&[]) <= 0.0);
        }
    }

    #[test]
    fn what_is_not_finite_stays_in_its_row() {
        let mut logits = Tensor::ones([2, 40], (Kind::Float, Device::Cpu));
        let _ = logits.get(1).get(3).fill_(f64::NAN);
        let loss = cross_entropy(&mut logits, &Tensor::from_slice(&[0_i64, 0]), 1.0);
        assert!(loss.is_nan());
        let spoilt: Vec<bool> = Vec::try_from(logits.isnan().any_dim(1, false)).unwrap();
        assert_eq!(spoilt, [false, true]);
    }
}
