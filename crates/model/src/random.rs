//! Random numbers for weights, and dropout masks.

use rand_distr::{Distribution, StandardNormal, Uniform};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use spartui_facts::permutation::mix;
use spartui_facts::random::{Generator, Source};

/// Numbers copied to a device at a time: a multiple of [`SEQUENCE`].
const PIECE: i64 = 1 << 22;

/// Numbers drawn from one generator.
const SEQUENCE: usize = 1 << 16;

/// `count` normal numbers with mean 0 and this standard deviation, `[count]`. They are drawn on the CPU and so are the
/// same on all devices.
pub fn normal(source: &Source, count: i64, deviation: f64, (kind, device): (Kind, Device)) -> Tensor {
    let numbers = Tensor::empty([count], (kind, device));
    let mut from = 0;
    while from < count {
        let size = PIECE.min(count - from);
        #[expect(clippy::cast_possible_truncation, reason = "to f32")]
        let drawn = drawn(source, (from, size), |generator| {
            let number: f64 = StandardNormal.sample(generator);
            (number * deviation) as f32
        });
        numbers.narrow(0, from, size).copy_(&Tensor::from_slice(&drawn));
        from += size;
    }
    numbers
}

/// `count` uniform numbers from `-bound` to `bound`, drawn on the CPU and so the same on all devices.
#[must_use]
pub fn uniform(source: &Source, count: i64, bound: f32) -> Vec<f32> {
    match Uniform::new_inclusive(-bound, bound) {
        Ok(numbers) => drawn(source, (0, count), |generator| numbers.sample(generator)),
        // There is no uniform distribution with a bound that is not finite.
        Err(_) => vec![f32::NAN; usize::try_from(count).unwrap_or(0)],
    }
}

/// `count` numbers from number `from` on, a multiple of [`SEQUENCE`]. They do not depend on the number of threads.
fn drawn<G>(source: &Source, (from, count): (i64, i64), number: G) -> Vec<f32>
where
    G: Fn(&mut Generator) -> f32 + Sync,
{
    let first = from.cast_unsigned() / SEQUENCE as u64;
    let mut numbers = vec![0.0; usize::try_from(count).unwrap_or(0)];
    numbers.par_chunks_mut(SEQUENCE).enumerate().for_each(|(at, part)| {
        let mut generator = source.sequence(first + at as u64);
        part.fill_with(|| number(&mut generator));
    });
    numbers
}

/// A dropout mask of this size: 0 with the probability `dropped`, which is below 1, and else `1 / (1 - dropped)`. It is
/// the same on all devices.
///
/// Each number is a hash of its position by [`mix`], which a device computes too: a mask drawn on the CPU would have to
/// be copied to it in every layer of every step. On the CPU this took 0.82 ns a number on one core, and [`Generator`]
/// 1.07 (medians of three runs, 2026-11-30, Xeon with AVX-512).
pub fn dropout_mask(key: u64, dropped: f64, (kind, device): (Kind, Device), size: &[i64]) -> Tensor {
    let count: i64 = size.iter().product();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^53")]
    let bound = (dropped * 2_f64.powi(53)) as u64;
    let kept = if device == Device::Cpu {
        let is_kept = |at: u64| u8::from(mix(key ^ mix(at)) >> 11 >= bound);
        Tensor::from_slice(&(0..count.cast_unsigned()).into_par_iter().map(is_kept).collect::<Vec<u8>>())
    } else {
        let kept = Tensor::empty([count], (Kind::Uint8, device));
        let mut from = 0;
        while from < count {
            let size = PIECE.min(count - from);
            kept.narrow(0, from, size).copy_(&kept_by_tensors(key, (from, size), bound, device));
            from += size;
        }
        kept
    };
    (kept.to_kind(kind) / (1.0 - dropped)).view(size)
}

/// For each position from `from` on, whether its draw, a number below 2^53, is `bound` or more.
fn kept_by_tensors(key: u64, (from, size): (i64, i64), bound: u64, device: Device) -> Tensor {
    let places = Tensor::arange_start(from, from + size, (Kind::Int64, device));
    shifted(&mixed(&mixed(&places).bitwise_xor(key.cast_signed())), 11).ge(bound.cast_signed())
}

/// [`mix`] of each element.
fn mixed(bits: &Tensor) -> Tensor {
    let bits = bits.bitwise_xor_tensor(&shifted(bits, 30)) * 0xbf58_476d_1ce4_e5b9_u64.cast_signed();
    let bits = bits.bitwise_xor_tensor(&shifted(&bits, 27)) * 0x94d0_49bb_1331_11eb_u64.cast_signed();
    bits.bitwise_xor_tensor(&shifted(&bits, 31))
}

/// Logical shift to the right.
fn shifted(bits: &Tensor, by: i64) -> Tensor {
    bits.bitwise_right_shift_tensor_scalar(by).bitwise_and(i64::MAX >> (by - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_numbers_and_masks_have_their_bounds_and_their_means() {
        let numbers = Tensor::from_slice(&uniform(&Source::new(3, "test", ""), 100_000, 0.25));
        assert!(numbers.abs().max().double_value(&[]) <= 0.25);
        assert!(numbers.mean(Kind::Double).double_value(&[]).abs() < 2e-3);
        let variance = numbers.square().mean(Kind::Double).double_value(&[]);
        assert!((variance - 0.25 * 0.25 / 3.0).abs() < 3e-4, "{variance}");
        let mask = dropout_mask(5, 0.3, (Kind::Float, Device::Cpu), &[100, 1000]);
        assert_eq!(mask.size(), [100, 1000]);
        assert!((mask.mean(Kind::Double).double_value(&[]) - 1.0).abs() < 1e-2);
        let zeros = mask.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!((zeros - 0.3).abs() < 1e-2, "{zeros}");
        let there = kept_by_tensors(5, (0, 100_000), 2_702_159_776_422_297, Device::Cpu);
        assert_eq!(mask.view(-1).gt(0.0), there);
        assert_ne!(mask, dropout_mask(6, 0.3, (Kind::Float, Device::Cpu), &[100, 1000]));
    }

    #[test]
    fn normal_numbers_have_their_moments_and_any_part_is_the_same() {
        let source = Source::new(7, "test", "");
        let all = normal(&source, PIECE + 100_000, 0.02, (Kind::Float, Device::Cpu)).to_kind(Kind::Double);
        let moment = |power: f64| (&all / 0.02).pow_tensor_scalar(power).mean(None).double_value(&[]);
        // The deviations of these means over 4.3 million numbers are 5e-4, 7e-4, 2e-3 and 5e-3.
        for (power, expected, apart) in [(1.0, 0.0, 2e-3), (2.0, 1.0, 3e-3), (3.0, 0.0, 8e-3), (4.0, 3.0, 2e-2)] {
            assert!((moment(power) - expected).abs() < apart, "{power}: {}", moment(power));
        }
        let fewer = normal(&source, 70_000, 0.02, (Kind::Float, Device::Cpu)).to_kind(Kind::Double);
        assert_eq!(fewer, all.narrow(0, 0, 70_000));
        assert_ne!(all.narrow(0, PIECE, 100), all.narrow(0, 0, 100));
    }
}
