//! Random numbers that depend on a key and a position alone.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use spartui_facts::permutation::mix;

/// Numbers that a device draws at a time.
const PIECE: i64 = 1 << 22;

/// A tensor of one dimension of `count` numbers of mean 0 and this standard deviation, by Box and Muller's transform of two
/// uniform numbers each. Devices give the same ones, but for the last bit now and then.
pub(super) fn normal(key: u64, count: i64, deviation: f64, (kind, device): (Kind, Device)) -> Tensor {
    if device == Device::Cpu {
        return Tensor::from_slice(&on_cpu(key, count.cast_unsigned(), deviation)).to_kind(kind);
    }
    let numbers = Tensor::empty([count], (kind, device));
    let mut from = 0;
    while from < count {
        let size = PIECE.min(count - from);
        numbers.narrow(0, from, size).copy_(&by_tensors(key, from, size, deviation, device));
        from += size;
    }
    numbers
}

/// `count` numbers evenly spread from `-bound` to `bound`, drawn on the CPU, so that every device has the same ones.
#[must_use]
pub fn uniform(key: u64, count: u64, bound: f64) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "53 bits fit, and to f32")]
    let value = |at: u64| (bound * ((mix(key ^ mix(at)) >> 11) as f64 * 2_f64.powi(-52) - 1.0)) as f32;
    (0..count).into_par_iter().map(value).collect()
}

/// A tensor of this size that is 0 with the probability `dropped`, which is below 1, and else what makes the mean 1. Devices
/// give the same one.
pub fn keep(key: u64, dropped: f64, (kind, device): (Kind, Device), size: &[i64]) -> Tensor {
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

/// Whether the draw of each position from `from` on is `bound` or more, of 2^53.
fn kept_by_tensors(key: u64, (from, size): (i64, i64), bound: u64, device: Device) -> Tensor {
    let places = Tensor::arange_start(from, from + size, (Kind::Int64, device));
    shifted(&mixed(&mixed(&places).bitwise_xor(key.cast_signed())), 11).ge(bound.cast_signed())
}

fn on_cpu(key: u64, count: u64, deviation: f64) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let uniform = |position: u64| (mix(key ^ mix(position)) >> 11) as f64 * 2_f64.powi(-53) + 2_f64.powi(-54);
    #[expect(clippy::cast_possible_truncation, reason = "to f32")]
    let value = |at: u64| {
        let radius = (-2.0 * uniform(2 * at).ln()).sqrt();
        (deviation * radius * (std::f64::consts::TAU * uniform(2 * at + 1)).cos()) as f32
    };
    (0..count).into_par_iter().map(value).collect()
}

/// The same by libtorch's operations, which a device does faster than the CPU can draw and copy.
fn by_tensors(key: u64, from: i64, size: i64, deviation: f64, device: Device) -> Tensor {
    let places = Tensor::arange_start(from, from + size, (Kind::Int64, device)) * 2;
    let uniform = |positions: &Tensor| {
        let bits = mixed(&mixed(positions).bitwise_xor(key.cast_signed()));
        shifted(&bits, 11).to_kind(Kind::Double) * 2_f64.powi(-53) + 2_f64.powi(-54)
    };
    let radius = (uniform(&places).log() * -2.0).sqrt();
    let turn = (uniform(&(&places + 1)) * std::f64::consts::TAU).cos();
    (radius * turn * deviation).to_kind(Kind::Float)
}

/// [`mix`] of each.
fn mixed(bits: &Tensor) -> Tensor {
    let bits = bits.bitwise_xor_tensor(&shifted(bits, 30)) * 0xbf58_476d_1ce4_e5b9_u64.cast_signed();
    let bits = bits.bitwise_xor_tensor(&shifted(&bits, 27)) * 0x94d0_49bb_1331_11eb_u64.cast_signed();
    bits.bitwise_xor_tensor(&shifted(&bits, 31))
}

/// To the right, zeros from the left.
fn shifted(bits: &Tensor, by: i64) -> Tensor {
    bits.bitwise_right_shift_tensor_scalar(by).bitwise_and(i64::MAX >> (by - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_numbers_and_masks_have_their_bounds_and_their_means() {
        let numbers = Tensor::from_slice(&uniform(3, 100_000, 0.25));
        assert!(numbers.abs().max().double_value(&[]) <= 0.25);
        assert!(numbers.mean(Kind::Double).double_value(&[]).abs() < 2e-3);
        let variance = numbers.square().mean(Kind::Double).double_value(&[]);
        assert!((variance - 0.25 * 0.25 / 3.0).abs() < 3e-4, "{variance}");
        let mask = keep(5, 0.3, (Kind::Float, Device::Cpu), &[100, 1000]);
        assert_eq!(mask.size(), [100, 1000]);
        assert!((mask.mean(Kind::Double).double_value(&[]) - 1.0).abs() < 1e-2);
        let zeros = mask.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!((zeros - 0.3).abs() < 1e-2, "{zeros}");
        let there = kept_by_tensors(5, (0, 100_000), 2_702_159_776_422_297, Device::Cpu);
        assert_eq!(mask.view(-1).gt(0.0), there);
        assert_ne!(mask, keep(6, 0.3, (Kind::Float, Device::Cpu), &[100, 1000]));
    }

    #[test]
    fn a_device_draws_what_the_cpu_draws() {
        let here = normal(7, 10_000, 0.02, (Kind::Float, Device::Cpu));
        let there = by_tensors(7, 0, 10_000, 0.02, Device::Cpu);
        let apart = ((&here - there).abs() / (here.abs() + 1e-6)).max().double_value(&[]);
        assert!(apart < 2e-7, "{apart}");
        let later = by_tensors(7, 4_000, 10, 0.02, Device::Cpu);
        assert!((later - here.narrow(0, 4_000, 10)).abs().max().double_value(&[]) < 1e-8);
    }
}
